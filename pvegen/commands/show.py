"""`pvegen show`: a description with all that is derived filled in, a description again."""

from __future__ import annotations

import json
import sys

from pvegen import description
from pvegen.commands.mistakes import tell
from pvegen.shown import shown
from pvegen.target import Targets


def show(file: str, *, targets: str | None, form: str) -> int:
    """Print it as TOML (with comments) or JSON on standard output; mistakes go to standard error."""
    known = Targets(targets)
    loaded = description.load_all([] if file == description.DEFAULT else [file], known)
    code = tell(loaded, "text", strict=False, stream=sys.stderr)
    view = loaded[0].view
    if code or view is None:
        return code
    made = shown(view, known)
    if form == "json":
        print(json.dumps(made.data, indent=2))
        return 0
    from pvegen import annotated

    print(annotated.dumps(made.data, made.notes), end="")
    return 0
