"""The kernel's FUSE protocol, as much of it as a small file system needs: one request after another, no cache."""

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from typing import NamedTuple, Protocol

_IN = struct.Struct("<IIQQIIIHH")
_OUT = struct.Struct("<IiQ")
_ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY = struct.Struct("<QQQQII")
_OPEN = struct.Struct("<QII")
_DIRECT_IO = 1
_SET_MODE, _SET_UID, _SET_GID, _SET_SIZE = 1, 2, 4, 8
_NOBODY = 0xFFFFFFFF


class Attributes(NamedTuple):
    """What stat shows of one path."""

    mode: int
    size: int
    mtime: int
    uid: int
    gid: int


class FileSystem(Protocol):
    """What a file system has to do: paths have no leading slash, failures are OSError with an errno."""

    def attributes(self, path: str) -> Attributes: ...
    def names(self, path: str) -> list[str]: ...
    def readlink(self, path: str) -> str: ...
    def read(self, path: str, offset: int, size: int) -> bytes: ...
    def write(self, path: str, offset: int, data: bytes) -> None: ...
    def truncate(self, path: str, size: int) -> None: ...
    def create(self, path: str) -> None: ...
    def mkdir(self, path: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def rmdir(self, path: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def chmod(self, path: str, mode: int) -> None: ...
    def chown(self, path: str, uid: int | None, gid: int | None) -> None: ...


def mount(directory: str, name: str) -> int:
    """Mounts an empty FUSE file system; gives the descriptor to serve."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Who asked may be killed before the request is read: a read would wait for the next one, and all else with it.
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"
    nosuid_nodev = 6
    if libc.mount(name.encode(), directory.encode(), b"fuse", nosuid_nodev, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), directory)
    return fd


def unmount(directory: str) -> None:
    """Takes the file system away at once, whoever still stands in it."""
    detach = 2
    ctypes.CDLL(None).umount2(directory.encode(), detach)


def unmount_stale(directory: str) -> None:
    """Takes away what a process that was killed has left (from memory of pmxcfs's sources, which do so first)."""
    try:
        os.stat(directory)
    except OSError as error:
        if error.errno == errno.ENOTCONN:
            unmount(directory)


class Server:
    """Answers the kernel's requests on a descriptor out of a FileSystem."""

    def __init__(self, fd: int, files: FileSystem) -> None:
        self.fd = fd
        self.files = files
        self._paths = {1: ""}
        self._ids = {"": 1}
        self._next = 2
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._lookup, 3: self._getattr, 4: self._setattr, 5: self._readlink, 8: self._mknod, 9: self._mkdir,
            10: self._unlink, 11: self._rmdir, 12: self._rename, 14: self._open, 15: self._read, 16: self._write,
            17: self._statfs, 18: self._nothing, 20: self._nothing, 25: self._nothing, 26: self._init,
            27: self._open, 28: self._readdir, 29: self._nothing, 30: self._nothing, 35: self._create,
            45: self._rename2,
        }  # fmt: skip

    def handle(self) -> None:
        """Reads one request and answers it; OSError ENODEV when the file system was unmounted."""
        try:
            request = os.read(self.fd, 1 << 18)
        except OSError as error:
            if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                return
            raise
        _, opcode, unique, node, *_ = _IN.unpack_from(request)
        if opcode in (2, 36, 42):  # forget, interrupt, batch forget: no answer
            return
        body, code = b"", 0
        answer = self._answers.get(opcode)
        if answer is None:
            code = -errno.ENOSYS
        else:
            try:
                body = answer(node, request[_IN.size :])
            except OSError as error:
                code = -(error.errno or errno.EIO)
        try:
            os.write(self.fd, _OUT.pack(_OUT.size + len(body), code, unique) + body)
        except OSError as error:
            if error.errno != errno.ENOENT:  # the one who asked has gone
                raise

    # Paths and what is told of them -------------------------------------------------------------------------------

    def _path(self, node: int) -> str:
        path = self._paths.get(node)
        if path is None:
            raise OSError(errno.ESTALE, "")
        return path

    def _below(self, node: int, name: bytes) -> str:
        return f"{self._path(node)}/{name.rstrip(bytes(1)).decode(errors='surrogateescape')}".lstrip("/")

    def _id(self, path: str) -> int:
        if path not in self._ids:
            self._ids[path] = self._next
            self._paths[self._next] = path
            self._next += 1
        return self._ids[path]

    def _attr(self, path: str) -> bytes:
        a = self.files.attributes(path)
        blocks = (a.size + 511) // 512
        ino = self._id(path)
        return _ATTR.pack(
            ino, a.size, blocks, a.mtime, a.mtime, a.mtime, 0, 0, 0, a.mode, 1, a.uid, a.gid, 0, 4096, 0
        )  # fmt: skip

    def _entry(self, path: str) -> bytes:
        attributes = self._attr(path)
        return _ENTRY.pack(self._id(path), 0, 0, 0, 0, 0) + attributes

    # Requests -----------------------------------------------------------------------------------------------------

    def _init(self, _node: int, _body: bytes) -> bytes:
        return struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 12, 9, 1 << 17, 1, 32, 0, 0, *([0] * 7))

    def _nothing(self, _node: int, _body: bytes) -> bytes:
        return b""

    def _lookup(self, node: int, body: bytes) -> bytes:
        return self._entry(self._below(node, body))

    def _getattr(self, node: int, _body: bytes) -> bytes:
        return struct.pack("<QII", 0, 0, 0) + self._attr(self._path(node))

    def _setattr(self, node: int, body: bytes) -> bytes:
        valid, _, _, size, _, _, _, _, _, _, _, mode, _, uid, gid, _ = struct.unpack_from("<IIQQQQQQIIIIIIII", body)
        path = self._path(node)
        if valid & _SET_MODE:
            self.files.chmod(path, mode & 0o7777)
        if valid & (_SET_UID | _SET_GID):
            self.files.chown(path, uid if valid & _SET_UID else None, gid if valid & _SET_GID else None)
        if valid & _SET_SIZE:
            self.files.truncate(path, size)
        return self._getattr(node, b"")

    def _readlink(self, node: int, _body: bytes) -> bytes:
        return self.files.readlink(self._path(node)).encode()

    def _mknod(self, node: int, body: bytes) -> bytes:
        mode = struct.unpack_from("<I", body)[0]
        if mode & 0o170000 not in (0, 0o100000):
            raise OSError(errno.EPERM, "")
        path = self._below(node, body[16:])
        self.files.create(path)
        return self._entry(path)

    def _mkdir(self, node: int, body: bytes) -> bytes:
        path = self._below(node, body[8:])
        self.files.mkdir(path)
        return self._entry(path)

    def _unlink(self, node: int, body: bytes) -> bytes:
        self.files.unlink(self._below(node, body))
        return b""

    def _rmdir(self, node: int, body: bytes) -> bytes:
        self.files.rmdir(self._below(node, body))
        return b""

    def _rename(self, node: int, body: bytes, header: int = 8) -> bytes:
        directory = struct.unpack_from("<Q", body)[0]
        old_name, new_name = body[header:].split(bytes(1))[:2]
        old, new = self._below(node, old_name), self._below(directory, new_name)
        self.files.rename(old, new)
        for path in [p for p in self._ids if p == old or p.startswith(f"{old}/")]:
            number = self._ids.pop(path)
            moved = new + path[len(old) :]
            self._ids[moved] = number
            self._paths[number] = moved
        return b""

    def _rename2(self, node: int, body: bytes) -> bytes:
        if struct.unpack_from("<QI", body)[1] != 0:  # no exchange, no refusal to replace
            raise OSError(errno.EINVAL, "")
        return self._rename(node, body, 16)

    def _open(self, _node: int, _body: bytes) -> bytes:
        return _OPEN.pack(0, _DIRECT_IO, 0)

    def _create(self, node: int, body: bytes) -> bytes:
        path = self._below(node, body[16:])
        self.files.create(path)
        return self._entry(path) + _OPEN.pack(0, _DIRECT_IO, 0)

    def _read(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        return self.files.read(self._path(node), offset, size)

    def _write(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        self.files.write(self._path(node), offset, body[40 : 40 + size])
        return struct.pack("<II", size, 0)

    def _readdir(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        path = self._path(node)
        found = b""
        for number, name in enumerate([".", "..", *self.files.names(path)], 1):
            if number <= offset:
                continue
            kind = 4 if name in (".", "..") else self.files.attributes(f"{path}/{name}".lstrip("/")).mode >> 12
            raw = name.encode(errors="surrogateescape")
            entry = struct.pack("<QQII", number, number, len(raw), kind) + raw
            entry += bytes(-len(entry) % 8)
            if len(found) + len(entry) > size:
                break
            found += entry
        return found

    def _statfs(self, _node: int, _body: bytes) -> bytes:
        return struct.pack("<QQQQQIIII6I", 32768, 32000, 32000, 262144, 262000, 4096, 255, 4096, 0, *([0] * 6))
