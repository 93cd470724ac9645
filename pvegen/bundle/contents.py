"""What a bundle holds: read from a built folder, and seen to be whole."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from pvegen import catalogue
from pvegen.errors import Refused
from pvegen.output import MANIFEST, SUMS

START = "START-HERE.txt"
# What a build makes beside the scripts.
RUNBOOKS = ("RUNBOOK.md", "runbook.html")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Bundle(NamedTuple):
    """A cluster's name and the files for its nodes: name -> bytes, in the order in which they are packed."""

    cluster: str
    files: dict[str, bytes]


def texts() -> dict[str, str]:
    """The bundle's own messages."""
    return catalogue.load().bundle


def refused(text: str, **facts: object) -> Refused:
    """A message of the catalogue, with whatever a terminal would obey in its facts made visible."""
    return Refused(texts()[text].format(**{name: catalogue.visible(str(fact)) for name, fact in facts.items()}))


def from_folder(folder: Path) -> Bundle:
    """The bundle of a folder that a build made; Refused where it is not as it was built."""
    from pvegen.bundle.start import start_here

    try:
        names = sorted(entry.name for entry in folder.iterdir())
        files = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    except OSError as error:
        raise refused("unreadable", path=error.filename or folder, why=error.strerror or error) from error
    where = str(folder)
    manifest = read_manifest(where, files)
    _refuse_strays(where, set(names), {MANIFEST, SUMS, *_built(manifest)})
    if files.get(SUMS) != sums_of({name: files[name] for name in _built(manifest)}):
        raise refused("not_as_built", path=where, file=SUMS)
    del files[SUMS]
    files[START] = start_here(manifest, [name for name in RUNBOOKS if name in files]).encode()
    return Bundle(str(manifest["cluster"]), ordered(files | {SUMS: sums_of(files)}))


def ordered(files: dict[str, bytes]) -> dict[str, bytes]:
    """What to read first stands first; the rest by name."""
    return {name: files[name] for name in sorted(files, key=lambda name: (name != START, name))}


def sums_of(files: dict[str, bytes]) -> bytes:
    """SHA256SUMS of files, as `sha256sum -c` reads it."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def check(where: str, bundle: Bundle) -> None:
    """Whether a bundle that was read is whole: Refused where a file is missing, too many or changed.

    where: the bundle's name, for messages.
    """
    files = bundle.files
    for name in files:
        if not _NAME.fullmatch(name):
            raise refused("name", path=where, file=name)
    manifest = read_manifest(where, files)
    if manifest["cluster"] != bundle.cluster:
        raise refused("other_cluster", path=where, folder=bundle.cluster, cluster=manifest["cluster"])
    _refuse_strays(where, set(files), {MANIFEST, SUMS, START, *_built(manifest)})
    rest = {name: content for name, content in files.items() if name != SUMS}
    if START not in rest or files.get(SUMS) != sums_of(rest):
        raise refused("not_as_built", path=where, file=SUMS)


def read_manifest(where: str, files: dict[str, bytes]) -> dict[str, Any]:
    """manifest.toml; Refused where it is missing, not one of ours, or does not say what was built."""
    try:
        manifest = tomllib.loads(files[MANIFEST].decode())
        if manifest["format"] != 1 or not isinstance(manifest["cluster"], str):
            raise ValueError
        scripts = [(script["file"], script["node"], script["sha256"]) for script in manifest["script"]]
        runbook = [(page["file"], page["sha256"]) for page in manifest["runbook"]]
        if sorted(manifest["order"]) != sorted(file for file, _, _ in scripts) or not _NAME.fullmatch(
            manifest["cluster"]
        ):
            raise ValueError
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise refused("no_manifest", path=where) from error
    if not {file for file, _ in runbook} <= set(RUNBOOKS) or any(
        file != f"{node}.sh" or not _NAME.fullmatch(file) for file, node, _ in scripts
    ):
        raise refused("no_manifest", path=where)
    for file, digest in [*((file, digest) for file, _, digest in scripts), *runbook]:
        if file not in files:
            raise refused("missing", path=where, file=file)
        if hashlib.sha256(files[file]).hexdigest() != digest:
            raise refused("not_as_built", path=where, file=file)
    return manifest


def _built(manifest: dict[str, Any]) -> list[str]:
    """The files that a build made, but for manifest and sums."""
    return [entry["file"] for entry in (*manifest["script"], *manifest["runbook"])]


def _refuse_strays(where: str, names: set[str], known: set[str]) -> None:
    if strays := sorted(names - known):
        raise refused("stray", path=where, files=", ".join(strays))
