"""What a build works out and the next one needs again, kept in the user's cache folder.

Templates are kept compiled, catalogues and the runtime read. What is found there is
used only if it is a plain file that nobody but this user can have written, is whole,
and was made by this Python of the very same source; else it is made as if nothing
were there. Nothing that can be wrong with the cache is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import stat
import sys
from collections.abc import Callable
from typing import Any

import jinja2
from jinja2.bccache import Bucket, bc_magic

_MAGIC = bc_magic + f" {jinja2.__version__} {sys.implementation.cache_tag} ".encode()


class Kept:
    """The user's cache folder, or nothing where there can be none."""

    def __init__(self) -> None:
        self._folder = _own_folder()

    def get(self, name: str, source: bytes, make: Callable[[], Any]) -> Any:
        """What `make` makes of a source, or made of it earlier: plain data of lists, tuples, dicts, sets and texts.

        name: one for each kind of source, and for each place that it comes from.
        """
        head = _MAGIC + hashlib.sha256(source).digest()
        found = self.load(name, head)
        if found is None:
            found = make()
            self.store(name, head, found)
        return found

    def load(self, name: str, head: bytes) -> Any:
        """What is kept by a name if it was stored with this head; else None."""
        if self._folder is None:
            return None
        try:
            content = _own_file(os.path.join(self._folder, name))
        except OSError:
            return None
        digest, rest = content[:32], content[32:]
        if rest.startswith(head) and hashlib.sha256(rest).digest() == digest:
            with contextlib.suppress(EOFError, ValueError, TypeError):
                return marshal.loads(rest[len(head) :])
        return None

    def store(self, name: str, head: bytes, value: Any) -> None:
        """Keep a value, whole or not at all."""
        if self._folder is None:
            return
        content = head + marshal.dumps(value)
        path = os.path.join(self._folder, name)
        temporary = f"{path}.{os.getpid()}"
        try:
            with open(temporary, "xb", opener=_private) as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


class Bytecode(jinja2.BytecodeCache):
    """Jinja's compiled templates among what is kept."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the bucket's code from its file, if that is as it should be."""
        bucket.code = self._kept.load(bucket.key, _MAGIC + bucket.checksum.encode())

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the bucket's code."""
        self._kept.store(bucket.key, _MAGIC + bucket.checksum.encode(), bucket.code)


def _own_folder() -> str | None:
    """The folder, made if need be; None where this user can have none of his own."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(base, "pvegen", "templates")
    if not os.path.isabs(folder):
        return None
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
    except OSError:
        return None
    safe = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return folder if safe else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _own_file(path: str) -> bytes:
    """A file's content; OSError unless it is a plain file that only this user can have written."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(path)
        return file.read()
