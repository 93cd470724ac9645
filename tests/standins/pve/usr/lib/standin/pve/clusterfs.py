"""What /etc/pve shows and allows: pmxcfs's rules over the database's items.

Modes and owners are made up from the path, chmod and chown can change nothing, links cannot be made, and without
quorum nothing can be written (facts: "Without quorum a write below /etc/pve gives Permission denied / Operation not
permitted"; "Quorum test used by PVE: owner-write bit of the symlink /etc/pve/local"). Which calls pmxcfs refuses
beyond that is from memory of its sources; where unsure the refusal was chosen.
"""

import errno
import grp
import stat
import time
from collections.abc import Callable

from .database import Database, Item
from .fuse import Attributes
from .settings import era, nodename


def is_private(path: str) -> bool:
    """Whether PATH is for root alone: priv/ at the top and in each node's directory."""
    parts = path.split("/")
    return parts[0] == "priv" or (len(parts) > 2 and parts[0] == "nodes" and parts[2] == "priv")


class ClusterFiles:
    """The file system below /etc/pve.

    quorate() says whether it may be written, members() gives the text of .members, changed(path) is called after
    each change. The names at the top that are no items are links into the node's own directory and virtual files.
    """

    def __init__(
        self,
        database: Database,
        quorate: Callable[[], bool],
        members: Callable[[], str],
        changed: Callable[[str], None],
    ) -> None:
        self.database = database
        self._quorate = quorate
        self._changed = changed
        own = f"nodes/{nodename()}"
        self._links = {"local": own, "qemu-server": f"{own}/qemu-server", "lxc": f"{own}/lxc"}
        self._links["openvz"] = f"{own}/openvz"
        self._virtual: dict[str, Callable[[], str]] = {
            ".members": members,
            ".version": lambda: f'{{\n"starttime": 1,\n"clinfo": 1,\n"version": {database.version}\n}}\n',
            ".vmlist": self._guests,
            ".rrd": str,
            ".clusterlog": lambda: '{\n"data": [\n]\n}\n',
        }
        self._group = grp.getgrnam("www-data").gr_gid
        self._limit = 1 << 20 if era() >= (7,) else 512 << 10 if era() >= (4, 0, 45) else 128 << 10

    # Looking ----------------------------------------------------------------------------------------------------

    def _item(self, path: str) -> Item:
        item = self.database.items.get(path)
        if item is None:
            raise OSError(errno.ENOENT, path)
        return item

    def attributes(self, path: str) -> Attributes:
        size, mtime = 0, int(time.time())
        if path in self._links:
            mode, size = stat.S_IFLNK | 0o755, len(self._links[path])
        elif path in self._virtual:
            mode, size = stat.S_IFREG | 0o440, len(self._virtual[path]().encode())
        elif path == "":
            mode = stat.S_IFDIR | 0o755
        else:
            item = self._item(path)
            mtime = item.mtime
            mode = stat.S_IFDIR | 0o755 if item.data is None else stat.S_IFREG | 0o640
            size = len(item.data or b"")
        if is_private(path):
            mode &= ~0o077
        if not self._quorate():
            mode &= ~0o222
        return Attributes(mode, size, mtime, 0, self._group)

    def names(self, path: str) -> list[str]:
        prefix = f"{path}/" if path else ""
        found = [p[len(prefix) :] for p in self.database.items if p.startswith(prefix)]
        names = sorted(name for name in found if name and "/" not in name)
        return names if path else [*names, *self._links, *self._virtual]

    def readlink(self, path: str) -> str:
        return self._links[path]

    def read(self, path: str, offset: int, size: int) -> bytes:
        data = self._virtual[path]().encode() if path in self._virtual else self._item(path).data or b""
        return data[offset : offset + size]

    def _guests(self) -> str:
        """The text of .vmlist: every guest's configuration file of every node."""
        found = []
        for path in self.database.items:
            parts = path.split("/")
            if len(parts) == 4 and parts[0] == "nodes" and parts[3].endswith(".conf") and parts[3][:-5].isdigit():
                kind = {"qemu-server": "qemu", "lxc": "lxc"}.get(parts[2])
                if kind:
                    found.append(f'"{parts[3][:-5]}": {{ "node": "{parts[1]}", "type": "{kind}", "version": 1 }}')
        return '{\n"version": 1,\n"ids": {\n' + ",\n".join(found) + "}\n}\n"

    # Changing ---------------------------------------------------------------------------------------------------

    def _writable(self, path: str) -> None:
        if not self._quorate():
            raise OSError(errno.EACCES, path)
        if path in self._links or path in self._virtual or path == "":
            raise OSError(errno.EACCES, path)

    def _commit(self, path: str) -> None:
        self.database.version += 1
        self.database.save()
        self._changed(path)

    def _put(self, path: str, data: bytes | None) -> None:
        self._writable(path)
        parent = path.rpartition("/")[0]
        if parent and self._item(parent).data is not None:
            raise OSError(errno.ENOTDIR, path)
        if data is not None and len(data) > self._limit:
            raise OSError(errno.EFBIG, path)
        self.database.items[path] = Item(data, int(time.time()))
        self._commit(path)

    def write(self, path: str, offset: int, data: bytes) -> None:
        old = self._item(path).data or b""
        self._put(path, old[:offset].ljust(offset, bytes(1)) + data + old[offset + len(data) :])

    def truncate(self, path: str, size: int) -> None:
        old = self._item(path).data or b""
        self._put(path, old[:size].ljust(size, bytes(1)))

    def create(self, path: str) -> None:
        if path in self.database.items:
            raise OSError(errno.EEXIST, path)
        self._put(path, b"")

    def mkdir(self, path: str) -> None:
        if path in self.database.items:
            raise OSError(errno.EEXIST, path)
        self._put(path, None)

    def unlink(self, path: str) -> None:
        self._writable(path)
        self._item(path)
        del self.database.items[path]
        self._commit(path)

    def rmdir(self, path: str) -> None:
        self._writable(path)
        if self.names(path):
            raise OSError(errno.ENOTEMPTY, path)
        self.unlink(path)

    def rename(self, old: str, new: str) -> None:
        self._writable(old)
        self._writable(new)
        self._item(old)
        items = self.database.items
        for path in [p for p in items if p == old or p.startswith(f"{old}/")]:
            items[new + path[len(old) :]] = items.pop(path)
        self._commit(new)

    def chmod(self, path: str, mode: int) -> None:
        if mode != (self.attributes(path).mode & 0o7777):
            raise OSError(errno.EPERM, path)

    def chown(self, path: str, uid: int | None, gid: int | None) -> None:
        if uid not in (None, 0) or gid not in (None, self._group):
            raise OSError(errno.EPERM, path)
