"""Files of another root, reached from outside without ever leaving it.

A path below ``/proc/PID/root`` does not do: an absolute symbolic link in it leads back to the caller's own root.
``openat2`` with RESOLVE_IN_ROOT resolves every link and every ``..`` as a process inside would.
"""

import ctypes
import errno
import os
import shutil
import stat
from pathlib import PurePosixPath

_SYS_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_IN_ROOT = 0x10
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Opens PATH as seen from the directory descriptor ROOT; gives a descriptor, raises OSError."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, _RESOLVE_IN_ROOT)
    while True:
        fd: int = _libc.syscall(_SYS_OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number != errno.EAGAIN:
            raise OSError(number, os.strerror(number), path)


class Root:
    """The root directory of a process, for as long as the object is open."""

    def __init__(self, directory: str) -> None:
        self._fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        return open_in_root(self._fd, path, flags, mode)

    def read(self, path: str) -> bytes:
        with open(self.open(path, os.O_RDONLY), "rb") as file:
            return file.read()

    def write(self, path: str, data: bytes, mode: int | None = None) -> None:
        """Writes a whole file through links, makes the directories above it; MODE None keeps or gives 644."""
        self.mkdir(str(PurePosixPath(path).parent))
        fd = self.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with open(fd, "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)

    def mkdir(self, path: str) -> None:
        """Makes PATH and what is missing above it."""
        try:
            os.close(self.open(path, os.O_PATH | os.O_DIRECTORY))
            return
        except FileNotFoundError:
            pass
        pure = PurePosixPath(path)
        self.mkdir(str(pure.parent))
        with self._parent(path) as (fd, name):
            os.mkdir(name, 0o755, dir_fd=fd)

    def symlink(self, target: str, path: str) -> None:
        """Makes the symbolic link PATH to TARGET; what stood at PATH goes."""
        self.mkdir(str(PurePosixPath(path).parent))
        self.remove(path)
        with self._parent(path) as (fd, name):
            os.symlink(target, name, dir_fd=fd)

    def lstat(self, path: str) -> os.stat_result | None:
        """What stands at PATH, a link not followed; None where nothing does."""
        try:
            fd = self.open(path, os.O_PATH | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def readlink(self, path: str) -> str:
        with self._parent(path) as (fd, name):
            return os.readlink(name, dir_fd=fd)

    def remove(self, path: str) -> None:
        """Removes a file, a link or a whole directory; nothing there is no error."""
        found = self.lstat(path)
        if found is None:
            return
        with self._parent(path) as (fd, name):
            if stat.S_ISDIR(found.st_mode):
                shutil.rmtree(name, dir_fd=fd)
            else:
                os.unlink(name, dir_fd=fd)

    def _parent(self, path: str) -> "_Parent":
        return _Parent(self, path)


class _Parent:
    """The directory that holds a path, open for the length of a with statement."""

    def __init__(self, root: Root, path: str) -> None:
        pure = PurePosixPath(path)
        self._name = pure.name
        self._fd = root.open(str(pure.parent), os.O_RDONLY | os.O_DIRECTORY)

    def __enter__(self) -> tuple[int, str]:
        return self._fd, self._name

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
