"""`pvegen build`: descriptions to node scripts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pvegen import description
from pvegen.commands.mistakes import tell


def build(
    files: Sequence[str], output: Path, *, check: bool, lint: bool, snippets: Path | None, strict: bool, form: str
) -> int:
    """Report mistakes (as text on standard error) and stop at 1, or build; the exit status."""
    loaded = description.load_all(files)
    if code := tell(loaded, form, strict=strict, stream=sys.stderr if form == "text" else sys.stdout):
        return code
    from pvegen.build import build as build_views

    return build_views([one.view for one in loaded if one.view], output, check=check, lint=lint, snippets=snippets)
