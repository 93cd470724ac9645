"""Bundles as files: read whole, written at once."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from pvegen.bundle import archive
from pvegen.bundle.contents import Bundle, check, refused
from pvegen.bundle.iso import is_iso


def read(path: Path) -> bytes:
    """A file's bytes; Refused where it cannot be read, or is larger than any bundle."""
    try:
        with path.open("rb") as stream:
            data = stream.read(archive.LARGEST + 1)
    except OSError as error:
        raise refused("unreadable", path=path, why=error.strerror or error) from error
    if len(data) > archive.LARGEST:
        raise refused("too_large", path=path, size=path.stat().st_size)
    return data


def write(path: Path, data: bytes) -> None:
    """Put a file in place whole: it is the old one or the new one, whatever happens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=".pvegen-", dir=path.parent)
        try:
            with open(number, "wb") as stream:
                stream.write(data)
                os.fchmod(stream.fileno(), 0o644)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise refused("unwritable", path=path, why=error.strerror or error) from error


def opened(path: Path, data: bytes) -> Bundle:
    """The bundle in a file's bytes, tar or ISO image, seen to be whole; Refused where it is not."""
    if is_iso(data):
        from pvegen.bundle import iso

        bundle = iso.unpack(str(path), data)
    else:
        bundle = archive.unpack(str(path), data)
    check(str(path), bundle)
    return bundle
