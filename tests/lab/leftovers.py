"""What a lab that was killed has left behind, and its removal.

Namespaces, mounts and processes end with the process that made them; folders of nodes and control groups stay, named
after the number of that process.
"""

import os
import re
import shutil
from pathlib import Path

from . import groups, place


def _owner(path: Path) -> int:
    found = re.match(rf"(?:{groups.PREFIX})?(\d+)-", path.name)
    return int(found[1]) if found else 0


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"python" in file.read() or pid == os.getpid()
    except OSError:
        return False


def find() -> list[Path]:
    """The folders and control groups whose process is no more."""
    found = [*place.folder("nodes").iterdir(), *groups.leftovers()]
    return [path for path in found if not _lives(_owner(path))]


def clean() -> list[Path]:
    """Removes them; gives what was there."""
    found = find()
    for path in found:
        if path.parent == place.folder("nodes"):
            shutil.rmtree(path, ignore_errors=True)
        else:
            groups.remove_tree(path)
    return found
