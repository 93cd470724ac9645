"""Waiting for what comes about by itself: looked for again and again, never slept through."""

import time
from collections.abc import Callable

from sandbox.patience import LONGEST


def until(holds: Callable[[], object], what: str, limit: float = 60, *, every: float = 0.2) -> float:
    """Waits until HOLDS gives something true; gives the seconds it took, AssertionError with WHAT after LIMIT s.

    Where all takes longer (sandbox.patience) the limit is as much longer.
    """
    limit *= LONGEST
    start = time.monotonic()
    while not holds():
        waited = time.monotonic() - start
        assert waited < limit, f"not so within {limit:g} s: {what}"
        time.sleep(every)
    return time.monotonic() - start


def stays(holds: Callable[[], object], what: str, seconds: float, *, every: float = 0.5) -> None:
    """Sees that HOLDS stays true for that long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert holds(), f"no longer so: {what}"
        time.sleep(every)
