"""`pvegen verify-bundle`: whether a bundle is whole, and by whom."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import click

from pvegen.bundle import file, signature
from pvegen.bundle.contents import read_manifest, refused, texts
from pvegen.catalogue import visible


def verify_bundle(path: Path, *, key: Path | None, signed: Path | None, digest: str | None, unsigned: bool) -> int:
    """See who made a bundle and that it is whole; Refused where it is not.

    key: a file of public keys, any of which may have signed; signed: the signature,
    beside the bundle if None; digest: its SHA-256, instead of a signature.
    """
    if [key is not None, digest is not None, unsigned].count(True) != 1:
        raise click.UsageError(texts()["how"])
    data = file.read(path)
    words = texts()
    by = words["whole_unsigned"]
    if key is not None:
        place = signed or path.with_name(f"{path.name}.sig")
        found = signature.verify(str(place), data, file.read(place), signature.public_keys(key))
        by = words["whole_signed"].format(fingerprint=found)
    elif digest is not None:
        _compare(path, data, digest)
        by = words["whole_sum"]
    bundle = file.opened(path, data)
    version = read_manifest(str(path), bundle.files).get("pvegen", "?")
    facts = {"path": path, "count": len(bundle.files), "cluster": bundle.cluster, "version": version}
    print(words["whole"].format(**{name: visible(str(fact)) for name, fact in facts.items()}) + "; " + by)
    return 0


def _compare(path: Path, data: bytes, digest: str) -> None:
    wanted = digest.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", wanted):
        raise click.UsageError(texts()["sum_form"])
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise refused("other_sum", path=path, found=found, wanted=wanted)
