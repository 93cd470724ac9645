"""What is built for a cluster, to hold receipts against: its manifest and the digests in its scripts."""

from __future__ import annotations

import re
from pathlib import Path

from pvegen.bundle.contents import read_manifest, refused
from pvegen.output import MANIFEST
from pvegen.receipts.picture import Built

_DIGEST = re.compile(rb"#!/bin/sh\ndigest='?([0-9a-f]{64})'?\n")


def load(folder: Path) -> Built:
    """A built folder; Refused where it is not as it was built."""
    try:
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError as error:
        raise refused("unreadable", path=error.filename or folder, why=error.strerror or error) from error
    manifest = read_manifest(str(folder), files)
    digests = {}
    for script in manifest["script"]:
        found = _DIGEST.match(files[script["file"]])
        if not found:
            raise refused("not_as_built", path=folder, file=script["file"])
        digests[script["node"]] = found[1].decode()
    joins = {script["node"]: str(script["joins"]) for script in manifest["script"] if "joins" in script}
    return Built(manifest["cluster"], [file.removesuffix(".sh") for file in manifest["order"]], digests, joins)


def beside(cluster: str) -> Built | None:
    """What stands in dist/ for a cluster, if there is anything."""
    folder = place(cluster)
    return load(folder) if (folder / MANIFEST).is_file() else None


def place(cluster: str) -> Path:
    """Where a cluster's folder is, as `pvegen build` names it."""
    return Path("dist") / cluster
