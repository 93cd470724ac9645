"""The database of pmxcfs: /var/lib/pve-cluster/config.db, a table `tree` as the real one has."""

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

FILE = Path("/var/lib/pve-cluster/config.db")
BACKUPS = Path("/var/lib/pve-cluster/backup")
_DIRECTORY, _FILE = 4, 8
_TABLE = """CREATE TABLE IF NOT EXISTS tree (inode INTEGER PRIMARY KEY NOT NULL, parent INTEGER NOT NULL,
version INTEGER NOT NULL, writer INTEGER NOT NULL, mtime INTEGER NOT NULL, type INTEGER NOT NULL,
name TEXT NOT NULL, data BLOB)"""


class Item(NamedTuple):
    """A file (data is bytes) or a directory (data is None)."""

    data: bytes | None
    mtime: int


class Database:
    """All that is in the cluster file system: {path without a leading slash: Item}, and a version that grows."""

    def __init__(self) -> None:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        self.created = not FILE.exists()
        self._sqlite = sqlite3.connect(FILE)
        self._sqlite.execute("PRAGMA synchronous=OFF")
        self._sqlite.execute(_TABLE)
        self.version = 0
        self.items: dict[str, Item] = {}
        self._load()

    def _load(self) -> None:
        paths = {0: ""}
        query = "SELECT inode, parent, version, mtime, type, name, data FROM tree ORDER BY inode"
        for inode, parent, version, mtime, kind, name, data in self._sqlite.execute(query):
            if inode == 0:
                self.version = version
                continue
            path = f"{paths[parent]}/{name}".lstrip("/")
            paths[inode] = path
            self.items[path] = Item(None if kind == _DIRECTORY else bytes(data or b""), mtime)

    def save(self) -> None:
        """Writes everything, in one transaction."""
        inodes = {"": 0}
        rows: list[tuple[object, ...]] = [(0, 0, self.version, 0, int(time.time()), _FILE, "__version__", None)]
        for number, path in enumerate(sorted(self.items), 1):
            inodes[path] = number
            item = self.items[path]
            parent, _, name = path.rpartition("/")
            kind = _DIRECTORY if item.data is None else _FILE
            rows.append((number, inodes[parent], self.version, 0, item.mtime, kind, name, item.data))
        with self._sqlite:
            self._sqlite.execute("DELETE FROM tree")
            self._sqlite.executemany("INSERT INTO tree VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        self._sqlite.close()


def back_up() -> Path:
    """Leaves a dump of the database beside it, ten at most (facts: "What they change"); gives the dump's path."""
    import gzip  # takes long to load, and is seldom needed

    BACKUPS.mkdir(parents=True, exist_ok=True)
    backup = BACKUPS / f"config-{int(time.time())}.sql.gz"
    with sqlite3.connect(FILE) as database:
        backup.write_bytes(gzip.compress("\n".join(database.iterdump()).encode(), mtime=0))
    for old in sorted(BACKUPS.glob("config-*.sql.gz"))[:-10]:
        old.unlink()
    return backup
