"""Compiled templates, kept in the user's cache folder: a build compiles a snippet once.

What is found there is used only if it is a plain file of this user's, whole, and
made by this Python and this Jinja from this very source; else the template is
compiled as if nothing were there. Nothing that can be wrong with the cache is an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
import stat
import sys

import jinja2
from jinja2.bccache import Bucket, bc_magic

_MAGIC = bc_magic + f" {jinja2.__version__} {sys.implementation.cache_tag} ".encode()


class _Cache(jinja2.BytecodeCache):
    """One file a template: a digest of all that follows, then magic, the source's checksum, the code."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the bucket's code from its file, if that is as it should be."""
        try:
            content = _own_file(os.path.join(self._folder, bucket.key))
        except OSError:
            return
        head = _head(bucket)
        digest, rest = content[:32], content[32:]
        if rest.startswith(head) and hashlib.sha256(rest).digest() == digest:
            with contextlib.suppress(EOFError, ValueError, TypeError):
                bucket.code = marshal.loads(rest[len(head) :])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the bucket's code, whole or not at all."""
        content = _head(bucket) + marshal.dumps(bucket.code)
        path = os.path.join(self._folder, bucket.key)
        temporary = f"{path}.{os.getpid()}"
        try:
            with open(temporary, "xb", opener=_private) as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def cache() -> jinja2.BytecodeCache | None:
    """The cache, if this user can have one."""
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
    return _Cache(folder) if safe else None


def _head(bucket: Bucket) -> bytes:
    return _MAGIC + bucket.checksum.encode()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _own_file(path: str) -> bytes:
    """A file's content; OSError unless it is a plain file that only this user can have written."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(path)
        return file.read()
