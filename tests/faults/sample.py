"""Which of the many points a run of the tests tries: a fixed sample by its seed, another by PVEGEN_SEED, or all."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Sequence
from typing import TypeVar

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
    edges = [len(points) * n // count for n in range(count + 1)]
    return [points[by_chance.randrange(low, high)] for low, high in itertools.pairwise(edges)]


def share(points: Sequence[Point], part: int) -> list[Point]:
    """The points that are for part PART of PARTS."""
    return list(points[part::PARTS])
