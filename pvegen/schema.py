"""The JSON Schema (draft 2020-12) of a description, made from the model."""

from __future__ import annotations

import tomllib
from typing import Any

from pvegen.kinds import Kind, ListOf
from pvegen.model import REQUIRED, Description, Key, Table
from pvegen.target import Targets, shipped


def schema(targets: Targets | None = None) -> dict[str, Any]:
    """The whole schema: what of a description can be told without looking at two keys at once.

    targets: those there are, by default pvegen's own.
    """
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pvegen: description of a Proxmox VE cluster, format 1",
        **_table(Description),
    }
    made["properties"]["cluster"]["properties"]["target"]["enum"] = (targets or shipped()).names()
    return made


def _table(kind: type[Table]) -> dict[str, Any]:
    required = [name for name, key in kind.KEYS.items() if key.default is REQUIRED]
    found: dict[str, Any] = {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": {name: _key(key) for name, key in kind.KEYS.items()},
        "additionalProperties": False,
    }
    return found | ({"required": required} if required else {})


def _key(key: Key) -> dict[str, Any]:
    if isinstance(key.kind, type):
        inner = _table(key.kind)
        if not key.many:
            return inner | {"description": key.doc}
        least = {"minItems": 1} if key.default is REQUIRED else {}
        return {"type": "array", "description": key.doc, "items": inner, **least}
    found = _value(key.kind) | {"description": key.doc}
    if key.default is not REQUIRED and key.default is not None:
        found["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    return found | {"examples": [tomllib.loads(f"example = {key.example}")["example"]]}


def _value(kind: Kind | ListOf) -> dict[str, Any]:
    if isinstance(kind, ListOf):
        least = {"minItems": kind.at_least} if kind.at_least else {}
        return {"type": "array", "items": _value(kind.item), "uniqueItems": True, **least}
    return {"type": kind.base, **kind.schema}
