"""Clusters that are formed once and kept: a scenario starts from a copy of all the nodes' disks, switched on.

A state is the disks of nodes that were shut down in order. It is kept under a name made of all that it came from:
the scripts, the layers, the recipe below.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.nodes import bail

from . import place, rootfs, system
from .cluster import Lab

Form = Callable[[Lab], None]


def fresh(lab: Lab) -> None:
    """Nothing was done yet."""


def prepared(lab: Lab) -> None:
    """The first node has created the cluster, the others are ready to join it."""
    first, *others = lab.node
    with ThreadPoolExecutor() as pool:
        early = {name: pool.submit(lab.apply, name) for name in others}
        lab.apply(first).expect(0)
        for name, done in early.items():
            if "does not get into" not in bail(done.result()):  # it asked while the first switched its network
                lab.prepare(name)


def formed(lab: Lab) -> None:
    """All nodes of the description are in the cluster, joined one after the other."""
    prepared(lab)
    for name in list(lab.node)[1:]:
        lab.join(name, lab.member(name))
    lab.until_whole()


def state(text: str, form: Form = formed, names: Sequence[str] = ()) -> dict[str, Path]:
    """{node: its disk} of the nodes called NAMES (all by default) of a description, brought to where FORM leaves them.

    For Lab(..., state=...). Made the first time, which takes as long as FORM takes.
    """
    lab = Lab(text, names)
    recipe = [form.__name__, text, str(rootfs.root()), str(system.layer(lab.system)), *lab.scripts.values(), *names]
    recipe += [Path(__file__).read_bytes()]
    path = place.folder("states") / f"{form.__name__}-{len(names) or len(lab.scripts)}-{place.digest(recipe)}"
    with place.alone(path.name):
        if not path.exists():
            _make(path, lab, form)
    return {folder.name: folder for folder in path.iterdir() if folder.is_dir()}


def _make(path: Path, lab: Lab, form: Form) -> None:
    new = path.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    start = time.monotonic()
    try:
        with lab:
            form(lab)
            for node in lab.node.values():
                node.stop()
            for name, node in lab.node.items():
                (new / name).mkdir()
                for part in ("upper", "own"):
                    (node.folder / part).rename(new / name / part)
                    (node.folder / part).mkdir()
        (new / "made.json").write_text(json.dumps({"seconds": round(time.monotonic() - start, 1)}))
        new.rename(path)
    finally:
        shutil.rmtree(new, ignore_errors=True)
