"""Report the mistakes of loaded descriptions: what `check`, `build` and `show` have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from pvegen import errors
from pvegen.description import Loaded
from pvegen.mistakes import has_errors


def tell(loaded: Sequence[Loaded], form: str, *, strict: bool, stream: TextIO, always: bool = False) -> int:
    """Write the report to a stream; 1 if something stops a build, else 0.

    always: also where there is nothing to report.
    """
    from pvegen import report

    checked = [(one.source, one.mistakes) for one in loaded]
    if always or any(mistakes for _, mistakes in checked):
        stream.write(report.render(checked, form, strict=strict, colour=report.wants_colour(stream)))
    return errors.MISTAKES if any(has_errors(mistakes, strict) for _, mistakes in checked) else 0
