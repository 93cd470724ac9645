"""The bundle as an ISO image, for machines whose only way in is virtual media: docs/decisions/iso.md."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from pvegen.bundle.archive import LARGEST, MADE
from pvegen.bundle.contents import Bundle, ordered, read_manifest, refused
from pvegen.errors import Refused

# ISO 9660 starts with 16 empty sectors, then says what it is.
_MAGIC = slice(0x8001, 0x8006)


def is_iso(data: bytes) -> bool:
    """Whether a file's bytes are an ISO image."""
    return data[_MAGIC] == b"CD001"


def pack(bundle: Bundle) -> bytes:
    """The image's bytes; Refused where pycdlib is not installed.

    Names are there three times: whole for Linux (Rock Ridge) and for others (Joliet),
    and as numbers for whoever knows neither.
    """
    pycdlib = _library()
    image, stream = pycdlib.PyCdlib(), io.BytesIO()
    with _at_a_fixed_time():
        image.new(interchange_level=3, vol_ident=_label(bundle.cluster), rock_ridge="1.09", joliet=3)
        for number, (name, content) in enumerate(bundle.files.items()):
            image.add_fp(
                io.BytesIO(content), len(content), iso_path=f"/{number:08}.;1", rr_name=name,
                joliet_path=f"/{name}", file_mode=0o100444,
            )
        image.write_fp(stream)
        image.close()
    return stream.getvalue()


def unpack(where: str, data: bytes) -> Bundle:
    """The bundle in an image; Refused for whatever `pack` would not have made."""
    pycdlib = _library()
    image = pycdlib.PyCdlib()
    files: dict[str, bytes] = {}
    left = LARGEST
    try:
        image.open_fp(io.BytesIO(data))
        for child in image.list_children(rr_path="/"):
            if child.is_dot() or child.is_dotdot():
                continue
            name = child.rock_ridge.name().decode()
            if not child.is_file() or "/" in name:
                raise refused("member_kind", path=where, member=name)
            left -= child.get_data_length()
            if left < 0:
                raise refused("too_large", path=where, size=child.get_data_length())
            stream = io.BytesIO()
            image.get_file_from_iso_fp(stream, rr_path=f"/{name}")
            files[name] = stream.getvalue()
        image.close()
    except Exception as error:  # the library promises no kinds of exceptions for damaged images
        if isinstance(error, Refused):
            raise
        raise refused("no_iso", path=where, why=error) from error
    bundle = Bundle(_cluster(where, files), ordered(files))
    if pack(bundle) != data:
        raise refused("not_canonical", path=where)
    return bundle


def _cluster(where: str, files: dict[str, bytes]) -> str:
    """An image has no folder that is named after the cluster; its manifest tells."""
    return str(read_manifest(where, files)["cluster"])


def _label(cluster: str) -> str:
    """The volume's name, as `mount LABEL=...` and desktops show it: at most 16 letters for Joliet."""
    return re.sub(r"[^A-Z0-9_]", "_", cluster.upper())[:16]


def _library() -> Any:
    try:
        import pycdlib
    except ImportError as error:
        raise refused("no_library") from error
    return pycdlib


@contextlib.contextmanager
def _at_a_fixed_time() -> Iterator[None]:
    """pycdlib takes the time and the time zone from its module `time` and has no other way to be told."""
    from pycdlib import dates, headervd
    from pycdlib import pycdlib as main

    clock = SimpleNamespace(
        time=lambda: float(MADE), localtime=time.gmtime, gmtime=time.gmtime, strftime=time.strftime,
        strptime=time.strptime, struct_time=time.struct_time,
    )
    modules: list[Any] = [dates, headervd, main]
    try:
        for module in modules:
            module.time = clock
        yield
    finally:
        for module in modules:
            module.time = time
