"""`pvegen schema`: the JSON Schema of a description."""

from __future__ import annotations

import json

from pvegen.schema import schema as made_from_model
from pvegen.target import Targets


def schema(targets: str | None) -> int:
    """Print it. Editors take it by a first line `#:schema FILE` in the description."""
    print(json.dumps(made_from_model(Targets(targets)), indent=2))
    return 0
