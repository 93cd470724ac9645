"""The bundle as a tar (ustar): the same bytes for the same files on every machine; read back without trust.

Reading makes the archive once more from what was found in it and compares: whatever
differs in a header, the order or the padding is found, without a rule for each.
"""

from __future__ import annotations

import io
import tarfile

from pvegen.bundle.contents import Bundle, ordered, refused

# 1980-01-01: GNU tar complains about times about 1970, and ISO 9660 and zip know none before.
MADE = 315_532_800
# Bytes: all scripts of 32 nodes with a runbook come to some 15 MB.
LARGEST = 256 << 20


def pack(bundle: Bundle) -> bytes:
    """The tar's bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in bundle.files.items():
            member = tarfile.TarInfo(f"{bundle.cluster}/{name}")
            member.size, member.mtime, member.mode = len(content), MADE, 0o644
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def unpack(where: str, data: bytes) -> Bundle:
    """The bundle in a tar's bytes; Refused for whatever `pack` would not have made.

    where: the file's name, for messages. Nothing is written anywhere.
    """
    files: dict[str, bytes] = {}
    clusters: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                cluster, _, name = member.name.partition("/")
                if not member.isreg() or member.issparse() or member.size > len(data):
                    raise refused("member_kind", path=where, member=member.name)
                if not name or "/" in name or cluster in ("", ".", "..") or name in (".", ".."):
                    raise refused("member_name", path=where, member=member.name)
                if name in files:
                    raise refused("member_twice", path=where, member=member.name)
                stream = archive.extractfile(member)
                files[name] = stream.read() if stream else b""
                clusters.add(cluster)
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise refused("no_tar", path=where, why=error) from error
    if len(clusters) != 1:
        raise refused("no_tar", path=where, why="it does not hold one folder")
    bundle = Bundle(clusters.pop(), files)
    try:
        same = pack(Bundle(bundle.cluster, ordered(files))) == data
    except ValueError:
        same = False
    if not same:
        raise refused("not_canonical", path=where)
    return bundle


