"""Pictures of directory trees, and what differs between two of them."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from .inroot import Root


@dataclass(frozen=True)
class Entry:
    """One thing in a tree.

    kind: file, directory, link, fifo, socket, device, or "gone" (a removal, seen in an overlay's upper layer).
    content: the bytes of a file, the target of a link, None of the rest.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    content: bytes | str | None = None

    @property
    def text(self) -> str:
        """The content of a file or the target of a link as text; bytes that are not UTF-8 are escaped."""
        if isinstance(self.content, bytes):
            return self.content.decode(errors="backslashreplace")
        return self.content or ""


Tree = dict[str, Entry]


@dataclass(frozen=True)
class Change:
    """One path that differs: before None means added, after None means removed."""

    path: str
    before: Entry | None
    after: Entry | None

    @property
    def what(self) -> str:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    def __str__(self) -> str:
        return f"{self.what} {self.path}"


def _kind(found: os.stat_result) -> str:
    if stat.S_ISREG(found.st_mode):
        return "file"
    if stat.S_ISDIR(found.st_mode):
        return "directory"
    if stat.S_ISLNK(found.st_mode):
        return "link"
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        return "gone"
    if stat.S_ISFIFO(found.st_mode):
        return "fifo"
    return "socket" if stat.S_ISSOCK(found.st_mode) else "device"


def _entry(found: os.stat_result, name: str, directory: int) -> Entry:
    kind = _kind(found)
    content: bytes | str | None = None
    if kind == "file":
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        with open(fd, "rb") as file:
            content = file.read()
    elif kind == "link":
        content = os.readlink(name, dir_fd=directory)
    return Entry(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, content)


def _walk(directory: int, prefix: str, tree: Tree, skip: frozenset[str]) -> None:
    with os.scandir(directory) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = f"{prefix}/{name}"
        if path in skip:
            continue
        try:
            tree[path] = _entry(os.lstat(name, dir_fd=directory), name, directory)
            if tree[path].kind != "directory":
                continue
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except FileNotFoundError:  # went away while we looked
            tree.pop(path, None)
            continue
        try:
            _walk(fd, path, tree, skip)
        finally:
            os.close(fd)


def read_tree(root: Root, roots: Iterable[str], skip: Iterable[str] = (), *, prefix: str = "") -> Tree:
    """All that is below each of ROOTS (which are in it themselves) as {path: Entry}.

    A root that does not exist gives nothing; PREFIX is put before each path; SKIP are whole paths left out.
    """
    tree: Tree = {}
    for top in roots:
        found = root.lstat(top)
        if found is None:
            continue
        path = prefix + top.rstrip("/")
        if not stat.S_ISDIR(found.st_mode):
            with root._parent(top) as (fd, name):
                tree[path] = _entry(found, name, fd)
            continue
        if path:
            tree[path] = Entry("directory", stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
        fd = root.open(top, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _walk(fd, path, tree, frozenset(skip))
        finally:
            os.close(fd)
    return tree


def diff_trees(before: Tree, after: Tree) -> list[Change]:
    """Every path that was added, removed or changed (kind, mode, owner, content), in the order of paths."""
    return [
        Change(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
