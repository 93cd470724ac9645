"""Folders of built scripts: compared with what stands on disk, or put in its place whole.

`DIR/<cluster>/` holds a script for each node, `SHA256SUMS` and `manifest.toml`.
All folders of a build are made beside the old ones first and then exchanged; what
cannot be written leaves everything as it was.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pvegen import catalogue
from pvegen.errors import Refused

MANIFEST = "manifest.toml"


@dataclass(frozen=True)
class Folder:
    """One cluster's folder: its name and the bytes of each file in it."""

    name: str
    files: dict[str, bytes]


def strays(output: Path, folders: list[Folder]) -> list[str]:
    """What stands in the output folder and was not made by a build: paths as given."""
    if not output.is_dir():
        return []
    found = []
    built = {folder.name: folder for folder in folders}
    for entry in sorted(output.iterdir()):
        if not entry.is_dir() or entry.is_symlink():
            found.append(str(entry))
        elif entry.name in built:
            found += _strays_in(entry, built[entry.name])
        elif not (entry / MANIFEST).exists():
            found.append(f"{entry}/")
    return found


def _strays_in(place: Path, folder: Folder) -> list[str]:
    """What stands in a cluster's folder and neither was nor will be made by a build."""
    ours = set(folder.files) | _recorded(place)
    return [str(entry) for entry in sorted(place.iterdir()) if entry.name not in ours or not entry.is_file()]


def _recorded(place: Path) -> set[str]:
    """The files that the last build made there, as its manifest says."""
    import tomllib

    try:
        manifest = tomllib.loads((place / MANIFEST).read_text("utf-8"))
        return {MANIFEST, "SHA256SUMS", *(script["file"] for script in manifest["script"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def differences(output: Path, folders: list[Folder]) -> Iterator[str]:
    """Unified diffs of what stands on disk against what a build would write."""
    for folder in folders:
        place = output / folder.name
        present = {entry.name for entry in place.iterdir()} if place.is_dir() else set()
        for name in sorted(present | set(folder.files)):
            path = place / name
            old = path.read_bytes() if path.is_file() else b""
            new = folder.files.get(name, b"")
            if old != new or name not in present or name not in folder.files:
                yield from difflib.unified_diff(
                    _lines(old), _lines(new), str(path) if name in present else "/dev/null",
                    f"{path} (built now)" if name in folder.files else "/dev/null", lineterm="",
                )  # fmt: skip


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines()


def write(output: Path, folders: list[Folder]) -> None:
    """Put all folders in place, or none; raises Refused where that cannot be done."""
    try:
        made = not output.exists()
        output.mkdir(parents=True, exist_ok=True)
        staged: list[tuple[Path, Path]] = []
        with _removed_afterwards(output) as staging:
            for folder in folders:
                target = output / folder.name
                if not _is_current(target, folder):
                    staged.append((_stage(staging / "new" / folder.name, folder), target))
            _exchange(staged, staging / "old")
    except OSError as error:
        if made:
            with contextlib.suppress(OSError):
                output.rmdir()
        text = catalogue.load().build["unwritable"]
        raise Refused(text.format(path=output, why=error.strerror or error)) from error


def _is_current(place: Path, folder: Folder) -> bool:
    """Whether the folder on disk is the same already: then its files keep their times."""
    try:
        present = {entry.name: entry.read_bytes() for entry in place.iterdir()}
    except OSError:
        return False
    return present == folder.files


@contextlib.contextmanager
def _removed_afterwards(output: Path) -> Iterator[Path]:
    staging = Path(tempfile.mkdtemp(prefix=".pvegen-", dir=output))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _stage(place: Path, folder: Folder) -> Path:
    place.mkdir(parents=True)
    for name, content in folder.files.items():
        (place / name).write_bytes(content)
    return place


def _exchange(staged: list[tuple[Path, Path]], aside: Path) -> None:
    """Rename all new folders into place; where one cannot be, all old ones come back."""
    aside.mkdir()
    done: list[tuple[Path, Path | None]] = []
    try:
        for new, target in staged:
            old = None
            if target.exists():
                old = aside / target.name
                os.rename(target, old)
            done.append((target, old))
            os.rename(new, target)
    except OSError:
        for target, old in reversed(done):
            if target.exists():
                shutil.rmtree(target, ignore_errors=True)
            if old is not None:
                os.rename(old, target)
        raise
