"""The known word that is nearest to one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(word: str, known: Sequence[str], likeness: float = 0.6) -> str | None:
    """The most similar of the known words, small and large letters being alike; None if none is similar.

    likeness: from 0 to 1, how alike the two must be.
    """
    by_fold = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=likeness)
    return by_fold[found[0]] if found else None
