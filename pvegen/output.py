"""Folders of built scripts: compared with what stands on disk, or put in its place whole.

`DIR/<cluster>/` holds a script for each node, the runbook, `SHA256SUMS` and `manifest.toml`, all
of them a build's: whatever was changed in them by hand is overwritten by the next.
Folders are made beside the old ones first and then exchanged with them at once: what
cannot be written leaves everything as it was, and a killed build leaves each folder
either old or new. What a killed build left beside them the next one clears away.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pvegen import catalogue
from pvegen.errors import Refused

MANIFEST = "manifest.toml"
SUMS = "SHA256SUMS"

_STAGING = ".pvegen-"
_LOCK_WAIT = 30.0
# renameat2(2): exchange two names in one step; AT_FDCWD.
_EXCHANGE, _HERE = 2, -100


class Folder(NamedTuple):
    """One cluster's folder: its name and the bytes of each file in it."""

    name: str
    files: dict[str, bytes]


def strays(output: Path, folders: list[Folder]) -> list[str]:
    """What stands in the output folder and was not made by a build: paths as given.

    Another cluster's folder is none; one that differs from ours in capitals alone is,
    since on some file systems they are the same.
    """
    if not output.is_dir():
        return []
    found = []
    built = {folder.name: folder for folder in folders}
    lower = {name.lower() for name in built}
    for entry in sorted(output.iterdir()):
        if entry.name.startswith(_STAGING):
            continue
        if entry.is_symlink() or not entry.is_dir():
            found.append(str(entry))
        elif entry.name in built:
            found += _strays_in(entry, built[entry.name])
        elif entry.name.lower() in lower or not _is_made(entry):
            found.append(f"{entry}/")
    return found


def _is_made(place: Path) -> bool:
    """Whether a build made a folder; one that cannot be looked into is another's, and left alone."""
    try:
        return (place / MANIFEST).exists()
    except PermissionError:
        return True


def others(output: Path, folders: list[Folder]) -> list[str]:
    """The folders of clusters that a build made there and this one does not: paths as given."""
    if not output.is_dir():
        return []
    built = {folder.name for folder in folders}
    rest = [entry for entry in sorted(output.iterdir()) if entry.name not in built and entry.is_dir()]
    return [f"{entry}/" for entry in rest if not entry.name.startswith(_STAGING) and _is_made(entry)]


def _strays_in(place: Path, folder: Folder) -> list[str]:
    """What stands in a cluster's folder and neither was nor will be made by a build."""
    ours = set(folder.files) | _recorded(place)
    return [
        str(entry)
        for entry in sorted(place.iterdir())
        if entry.name not in ours or entry.is_symlink() or not entry.is_file()
    ]


def _recorded(place: Path) -> set[str]:
    """The files that the last build made there, as its manifest says."""
    import tomllib

    try:
        manifest = tomllib.loads((place / MANIFEST).read_text("utf-8"))
        made = [*manifest["script"], *manifest.get("runbook", [])]
        return {MANIFEST, SUMS, *(one["file"] for one in made)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def differences(output: Path, folders: list[Folder]) -> Iterator[str]:
    """Unified diffs of what stands on disk against what a build would write."""
    for folder in folders:
        place = output / folder.name
        present = {entry.name for entry in place.iterdir()} if place.is_dir() else set()
        for name in sorted(present | set(folder.files)):
            path = place / name
            old = path.read_bytes() if name in present else None
            new = folder.files.get(name)
            if old != new:
                yield from _difference(str(path), old, new)


def _difference(path: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    """A unified diff; None is a file that is not there."""
    import difflib

    path = catalogue.visible(path)
    names = ("/dev/null" if old is None else path, "/dev/null" if new is None else f"{path} (built now)")
    return difflib.unified_diff(_lines(old), _lines(new), *names, lineterm="")


def _lines(content: bytes | None) -> list[str]:
    """Lines for a diff; what a terminal would act on is shown as a code, so that CRLF is seen too."""
    if not content:
        return []
    lines = content.decode("utf-8", "backslashreplace").split("\n")
    if lines[-1] == "":
        lines.pop()
    else:
        lines[-1] += "\\ (no line break)"
    return ["".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line) for line in lines]


def write(output: Path, folders: list[Folder]) -> None:
    """Put all folders in place, or none; raises Refused where that cannot be done.

    A folder that is the same already is not touched, and its files keep their times.
    """
    made: list[Path] = []
    try:
        changed = [folder for folder in folders if not _is_current(output / folder.name, folder)]
        if not changed:
            return
        made = _make(output)
        with _locked(output):
            _clear(output)
            _put(output, changed)
    except OSError as error:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        text = catalogue.load().build["unwritable"]
        raise Refused(text.format(path=catalogue.visible(str(output)), why=error.strerror or error)) from error


def _is_current(place: Path, folder: Folder) -> bool:
    """Whether the folder on disk is the same already."""
    try:
        if set(os.listdir(place)) != set(folder.files):
            return False
        return all((place / name).read_bytes() == content for name, content in folder.files.items())
    except OSError:
        return False


def _make(output: Path) -> list[Path]:
    """Make the output folder and those above it; those made, the lowest first."""
    missing = [folder for folder in (output, *output.parents) if not folder.exists()]
    output.mkdir(parents=True, exist_ok=True)
    return missing


@contextlib.contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Hold the output folder against other builds; OSError where one keeps it too long."""
    folder = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + _LOCK_WAIT
        while not _lock(folder):
            if time.monotonic() > deadline:
                raise OSError(errno.EAGAIN, "another build is writing there")
            time.sleep(0.02)
        yield
    finally:
        os.close(folder)


def _lock(folder: int) -> bool:
    """Whether the folder is ours now; a file system without locks has to do without."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _clear(output: Path) -> None:
    """Remove what builds left that were killed; an old folder that one had set aside comes back."""
    for entry in output.iterdir():
        if not entry.name.startswith(_STAGING) or entry.is_symlink() or not entry.is_dir():
            continue
        aside = entry / "old"
        for old in aside.iterdir() if aside.is_dir() else ():
            if not (output / old.name).exists():
                os.rename(old, output / old.name)
        shutil.rmtree(entry, ignore_errors=True)


def _put(output: Path, folders: list[Folder]) -> None:
    """Write all folders beside the output's, then exchange them one by one; all come back where one cannot be."""
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=output))
    done: list[tuple[Path, Path]] = []
    try:
        for folder in folders:
            _write(staging / "new" / folder.name, folder)
        (staging / "old").mkdir()
        for folder in folders:
            target = output / folder.name
            done.append((target, _exchange(staging, target)))
    except BaseException:
        for target, old in reversed(done):
            _put_back(target, old, staging)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(place: Path, folder: Folder) -> None:
    place.mkdir(parents=True)
    for name, content in folder.files.items():
        (place / name).write_bytes(content)


def _exchange(staging: Path, target: Path) -> Path:
    """Put the new folder in its place; where the old one stands then, if there was one."""
    new, old = staging / "new" / target.name, staging / "old" / target.name
    if not target.exists():
        os.rename(new, target)
        return old
    if _swap(new, target):
        return new
    os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        os.rename(old, target)
        raise
    return old


def _put_back(target: Path, old: Path, staging: Path) -> None:
    """Undo one exchange."""
    os.rename(target, staging / f"{target.name}.undone")
    if old.exists():
        os.rename(old, target)


def _swap(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system has no such call."""
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
