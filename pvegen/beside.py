"""The description that a folder of scripts was built of, found by the digest that its manifest has.

Scripts and manifest hold no path of the desk that built them, so the description is
looked for: in the folder of the call and in those right below it.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from pvegen import catalogue
from pvegen.description import Loaded, load
from pvegen.errors import Refused
from pvegen.output import MANIFEST
from pvegen.target import Targets

_MOST = 200


class Built(NamedTuple):
    """A folder of scripts: where it is, and what its manifest says."""

    place: Path
    manifest: dict[str, Any]

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return str(self.manifest["cluster"])

    def sum_of(self, file: str) -> str:
        """The digest that a script had when it was built; "" for no script of this folder."""
        return next((str(script["sha256"]) for script in self.manifest["script"] if script["file"] == file), "")

    def is_as_built(self, file: str) -> bool:
        """Whether a script has the digest that the manifest says."""
        return hashlib.sha256((self.place / file).read_bytes()).hexdigest() == self.sum_of(file)


def built(place: Path) -> Built:
    """What a folder's manifest says; Refused where there is none that a build made."""
    path = place / MANIFEST
    try:
        manifest = tomllib.loads(path.read_text("utf-8"))
        if manifest["format"] == 1 and manifest["description"]["sha256"] and manifest["cluster"]:
            return Built(place, {**manifest, "script": [dict(script) for script in manifest["script"]]})
        why = "format"
    except OSError as error:
        why = error.strerror or str(error)
    except (ValueError, KeyError, TypeError) as error:
        why = str(error)
    raise Refused(catalogue.load().review["no_manifest"].format(path=catalogue.visible(str(path)), why=why))


def description_of(folder: Built, stated: str | None, targets: Targets) -> Loaded:
    """The description that a folder was built of, or one that was named; Refused where none fits.

    One that has the cluster's name and says something else by now is taken where none
    says the same; whoever asks compares the scripts.
    """
    if stated is not None:
        return load(stated, targets)
    from pvegen.build import description_digest

    of_name = []
    for path in _near():
        loaded = load(path, targets)
        if loaded.view is None or loaded.view.description.cluster.name != folder.cluster:
            continue
        if description_digest(loaded.view) == folder.manifest["description"]["sha256"]:
            return loaded
        of_name.append(loaded)
    if len(of_name) == 1:
        return of_name[0]
    words = catalogue.load().review
    text = words["several_descriptions" if of_name else "no_description"]
    names = ", ".join(catalogue.visible(one.source.name) for one in of_name)
    raise Refused(text.format(cluster=folder.cluster, files=names))


def _near() -> list[str]:
    """The files here and right below that could be descriptions."""
    here = Path()
    found = sorted(here.glob("*.toml")) + sorted(here.glob("*/*.toml"))
    return [str(path) for path in found if _could_be(path)][:_MOST]


def _could_be(path: Path) -> bool:
    """Whether a file has what every description has; most others need not be read as TOML."""
    try:
        text = path.read_bytes() if path.is_file() else b""
    except OSError:
        return False
    return b"cluster" in text and b"node" in text and b"format" in text and path.name != MANIFEST
