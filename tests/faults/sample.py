"""Which of the many points a run of the tests tries: a fixed sample by its seed, another by PVEGEN_SEED, or all."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

Name = TypeVar("Name")
Point = TypeVar("Point")

USUAL_SEED = "1"
SEED = os.environ.get("PVEGEN_SEED", USUAL_SEED)
EVERY = os.environ.get("PVEGEN_EVERY") == "1"
"""Whether all points are tried, which takes hours."""
PARTS = 12 if EVERY else 2
"""Into how many tests the points of one cell of the table are divided, so that several workers share them."""


def is_usual() -> bool:
    """Whether this is the sample that the table in the docs is of."""
    return not EVERY and SEED == USUAL_SEED


def told() -> str:
    """What a report says of the sample."""
    if EVERY:
        return "faults: every point"
    return f'faults: the sample of seed {SEED} (PVEGEN_SEED=N takes another, PVEGEN_EVERY=1 or "make faults" all)'


def chance(*key: object) -> random.Random:
    """Chance that is the same in each run with the same seed."""
    return random.Random(" ".join(map(str, (SEED, *key))))


def pick(points: Sequence[Point], count: int, *key: object) -> list[Point]:
    """COUNT of the points, one of each stretch of them by chance; all where every one is wanted."""
    if EVERY or count >= len(points):
        return list(points)
    by_chance = chance(*key)
    edges = _edges(len(points), count)
    return [points[by_chance.randrange(low, high)] for low, high in itertools.pairwise(edges)]


def pick_named(groups: Mapping[Name, Sequence[Point]], count: int, *key: object) -> list[tuple[Name, Point]]:
    """COUNT of the (group, point), of each group in turn as many; all where every one is wanted.

    What is picked of a group hangs on the points themselves and not on their places: where runs differ a little in
    what they do, because they wait for something more shortly, one point more or less leaves the others as they are.
    """
    found: list[tuple[Name, Point]] = []
    for (name, points), (low, high) in zip(groups.items(), itertools.pairwise(_edges(count, len(groups))), strict=True):
        by_chance = sorted(points, key=lambda point: chance(*key, name, point).random())
        found += [(name, point) for point in (points if EVERY else by_chance[: high - low])]
    return found


def _edges(length: int, parts: int) -> list[int]:
    """Where as many parts of a length begin, and its end."""
    return [length * n // parts for n in range(parts + 1)]


def share(points: Sequence[Point], part: int) -> list[Point]:
    """The points that are for part PART of PARTS."""
    return list(points[part::PARTS])
