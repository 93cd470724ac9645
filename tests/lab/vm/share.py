"""What the machine is handed: the tests that run in it, sandboxes, stand-ins, and the scripts that they try."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from sandbox.systems import SYSTEMS, load_system

from lab import place

PARTS = (
    "tests/lab/__init__.py", "tests/lab/place.py", "tests/lab/waiting.py", "tests/lab/inside", "tests/sandbox", "tests/standins",
    "tests/scripts", "tests/faults", "examples/mypve.toml",
)  # fmt: skip


def write_share(path: Path) -> None:
    """Writes the archive; the scripts of all descriptions in lab/inside/networks.py are built here, not there.

    And the bundle of dist/mypve is made.
    """
    from lab.inside.networks import descriptions
    from pvegen.bundle import archive as tar
    from pvegen.bundle import iso
    from pvegen.bundle.contents import from_folder

    with tarfile.open(path, "w") as archive:
        for part in PARTS:
            archive.add(place.PROJECT / part, part, filter=_wanted)
        for file in borrowed():
            archive.add(file, str(file.relative_to(place.PROJECT)), filter=_wanted)
        for text in descriptions():
            for name, script in _build(text).items():
                _add(archive, f"built/{digest(text)}/{name}.sh", script.encode())
        carried = from_folder(place.PROJECT / "dist/mypve")
        _add(archive, "carried/mypve.tar", tar.pack(carried))
        _add(archive, "carried/mypve.iso", iso.pack(carried))


def borrowed() -> list[Path]:
    """The files of unpacked Debian packages that systems have; where one is missing, tests of its system are skipped."""
    found = {file for folder in SYSTEMS.iterdir() for file in load_system(folder.name).borrowed.values()}
    return sorted(file for file in found if file.exists())


def digest(text: str) -> str:
    """By what the scripts of a description are found."""
    return place.digest([text])


def _build(text: str) -> dict[str, str]:
    from scripts.support import build

    return build(text)


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    return None if "__pycache__" in member.name else member


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
