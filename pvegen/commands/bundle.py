"""`pvegen bundle`: built folders to one file for each cluster, to be carried to its nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pvegen import output
from pvegen.bundle import archive, file
from pvegen.bundle.contents import Bundle, from_folder, refused, texts
from pvegen.catalogue import visible


def bundle(folders: Sequence[Path], place: Path, *, iso: bool) -> int:
    """Bundle each folder into `place`; nothing is written where one is not as it was built."""
    bundles = [from_folder(folder) for folder in folders or [_only_one(Path("dist"))]]
    made = [made for one in bundles for made in _made(one, place, iso=iso)]
    for path, data, count in made:
        file.write(path, data)
        digest = hashlib.sha256(data).hexdigest()
        print(texts()["made"].format(path=visible(str(path)), count=count, digest=digest))
    paths = " ".join(visible(str(path)) for path, _, _ in made)
    print(texts()["sign_next"].format(path=paths))
    return 0


def _made(one: Bundle, place: Path, *, iso: bool) -> list[tuple[Path, bytes, int]]:
    """The files of a bundle: where each goes, its bytes, and how many files are in it."""
    made = [(place / f"{one.cluster}.tar", archive.pack(one), len(one.files))]
    if iso:
        from pvegen.bundle.iso import pack

        made.append((place / f"{one.cluster}.iso", pack(one), len(one.files)))
    return made


def _only_one(dist: Path) -> Path:
    """The one cluster's folder in dist/; Refused where there is none or there are several."""
    found = sorted(path.parent for path in dist.glob(f"*/{output.MANIFEST}"))
    if not found:
        raise refused("nothing", path=f"{dist}/")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise refused("several", path=f"{dist}/", names=names, first=found[0])
    return found[0]
