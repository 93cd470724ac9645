"""TOML with comments: data as tomli_w writes it, and below each table's header what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tomli_w

from pvegen.source import Path

Notes = Mapping[Path, list[str]]


def dumps(data: Mapping[str, Any], notes: Notes) -> str:
    """The text of a document; notes: a table's path -> its comments, each one line."""
    return "\n".join(_table((), "", data, notes)).strip("\n") + "\n"


def _table(path: Path, header: str, data: Mapping[str, Any], notes: Notes) -> Iterator[str]:
    """The lines of a table and of those in it."""
    if header:
        yield from ("", header)
    yield from (f"# {note}" for note in notes.get(path, ()))
    inner = {name: value for name, value in data.items() if _holds_tables(value)}
    values = {name: value for name, value in data.items() if name not in inner}
    if values:
        yield tomli_w.dumps(values).rstrip("\n")
    for name, value in inner.items():
        full = ".".join(part for part in (*path, name) if isinstance(part, str))
        if isinstance(value, dict):
            yield from _table((*path, name), f"[{full}]", value, notes)
            continue
        for number, item in enumerate(value):
            yield from _table((*path, name, number), f"[[{full}]]", item, notes)


def _holds_tables(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
