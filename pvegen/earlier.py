"""What a description is compared with: what a folder was built of, another file, or a revision of git."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from pvegen import beside, catalogue
from pvegen.build import description_digest
from pvegen.convert import convert
from pvegen.derive import View, derive
from pvegen.description import Loaded, load
from pvegen.errors import Refused
from pvegen.git import git
from pvegen.plan import plan
from pvegen.render import Renderer
from pvegen.source import Source
from pvegen.target import Targets


class Earlier(NamedTuple):
    """The earlier cluster.

    name: how it is called; view: None where it was not there yet; version: the pvegen
    that built it, "" where nothing was built; scripts: those whose bytes this pvegen
    makes otherwise of the very same cluster.
    """

    name: str
    view: View | None
    version: str = ""
    scripts: tuple[str, ...] = ()


def of_folder(output: Path, cluster: str, targets: Targets, snippets: Path | None) -> Earlier:
    """What `output`/`cluster` was built of, as its manifest says; Refused where it says nothing."""
    folder = beside.built(output / cluster)
    words = catalogue.load().review
    shown = catalogue.visible(str(folder.place))
    stated = folder.manifest.get("stated")
    if not isinstance(stated, dict):
        raise Refused(words["not_stated"].format(path=shown, version=folder.manifest["pvegen"]))
    converted = convert(Source(str(folder.place), ""), stated)
    view = derive(converted.description)
    if converted.mistakes or view.description.cluster.target not in targets.names():
        raise Refused(words["unknown_state"].format(path=shown, version=folder.manifest["pvegen"]))
    if description_digest(view) != folder.manifest["description"]["sha256"] and (
        folder.manifest["pvegen"] == _version()
    ):
        raise Refused(words["edited_manifest"].format(path=shown))
    return Earlier(shown, view, folder.manifest["pvegen"], tuple(_made_otherwise(folder, view, targets, snippets)))


def _version() -> str:
    from pvegen import __version__

    return __version__


def _made_otherwise(folder: beside.Built, view: View, targets: Targets, snippets: Path | None) -> list[str]:
    """The scripts that are not what this pvegen makes of the same cluster."""
    import hashlib

    renderer = Renderer(snippets)
    scripts = plan(view, targets.load(view.description.cluster.target))
    digests = {f"{s.node}.sh": hashlib.sha256(renderer.script(s).text.encode()).hexdigest() for s in scripts}
    return [file for file, digest in digests.items() if folder.sum_of(file) != digest]


def of_file(path: str, targets: Targets) -> Loaded:
    """Another description."""
    return load(path, targets)


def of_revision(path: str, revision: str, targets: Targets) -> Loaded | None:
    """A description as a revision of git has it, None where it was not there yet; Refused for no revision."""
    import tempfile

    words = catalogue.load().review
    place = Path(path)
    done = _git(place, "show", "--end-of-options", f"{revision}:./{place.name}")
    tree = f"{revision}^{{tree}}"
    if done.returncode and not _git(place, "rev-parse", "--verify", "-q", "--end-of-options", tree).returncode:
        return None
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().split("\n")[0]
        shown = catalogue.visible(f"{revision}:{path}")
        raise Refused(words["no_revision"].format(what=shown, why=catalogue.visible(why)))
    with tempfile.TemporaryDirectory(prefix="pvegen-") as folder:
        copy = Path(folder) / place.name
        copy.write_bytes(done.stdout)
        loaded = load(copy, targets)
        loaded.source.name = f"{revision}:{path}"
        return loaded


def _git(place: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """A call of git in the folder of a file; Refused where git cannot be run."""
    try:
        return git(place.parent, *words)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(catalogue.load().review["no_git"].format(why=error)) from error
