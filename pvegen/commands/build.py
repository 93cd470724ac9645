"""`pvegen build`: descriptions to node scripts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pvegen import description
from pvegen.commands.mistakes import tell
from pvegen.target import Targets


def build(
    files: Sequence[str], output: Path, *, check: bool, lint: bool, snippets: Path | None, targets: str | None,
    strict: bool, form: str,
) -> int:
    """Report mistakes and stop at 1, or build; the exit status.

    For people the report stands on standard error and what was built on standard
    output; a report for machines has standard output to itself, and is never left out.
    """
    known = Targets(targets)
    loaded = description.load_all(files, known)
    report, said = (sys.stderr, sys.stdout) if form == "text" else (sys.stdout, sys.stderr)
    if code := tell(loaded, form, strict=strict, stream=report, always=form != "text"):
        return code
    from pvegen.build import build as build_views

    views = [one.view for one in loaded if one.view]
    return build_views(views, output, check=check, lint=lint, snippets=snippets, said=said, targets=known)
