"""`pvegen check`: every mistake of descriptions."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pvegen import description
from pvegen.commands.mistakes import tell
from pvegen.target import Targets


def check(files: Sequence[str], *, targets: str | None, strict: bool, form: str) -> int:
    """Report on standard output; 1 if a description has an error (or, when strict, a warning)."""
    return tell(description.load_all(files, Targets(targets)), form, strict=strict, stream=sys.stdout, always=True)
