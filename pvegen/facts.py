"""A target's file as facts: what each says, how sure it is, and where it is from.

Every fact's line ends with a comment that has its source in brackets, such as
`corosync = 3   # knet, unicast [read: ALT specs]`. What a fact is worth is the worst of
its marks: one that rests on a guess is a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# How sure a fact is, from the worst to the best: not seen anywhere, stated by a document,
# read in the program's own source, tried on a real system.
CONFIDENCES = ("inferred", "doc", "read", "tried")

_HEADER = re.compile(r"\[\s*([A-Za-z0-9_-]+)\s*\]")
_KEY = re.compile(r"([A-Za-z0-9_-]+)\s*=")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"' r"|'[^']*'|#.*|[\[\]{}]")
_MARK = re.compile(rf"\[((?:{'|'.join(CONFIDENCES)})\b[^\]]*)\]")
_PART = re.compile(rf";\s*(?=(?:{'|'.join(CONFIDENCES)})\b)")


class Mark(NamedTuple):
    """One source of a fact: how sure it makes it, and which it is ("" where none is named)."""

    confidence: str
    source: str

    def __str__(self) -> str:
        return f"{self.confidence}: {self.source}" if self.source else self.confidence


class Fact(NamedTuple):
    """One fact.

    line: where the file has it, 0 where that was not found; remark: what the comment says
    beside the marks.
    """

    section: str
    key: str
    value: Any
    line: int
    marks: tuple[Mark, ...]
    remark: str

    @property
    def name(self) -> str:
        """Section and key, as people write them."""
        return f"{self.section}.{self.key}"

    @property
    def confidence(self) -> str:
        """The worst of the marks; "" where there is none."""
        return min((mark.confidence for mark in self.marks), key=CONFIDENCES.index, default="")

    @property
    def source(self) -> str:
        """All marks as one text."""
        return "; ".join(map(str, self.marks))


def facts(text: str, data: dict[str, Any]) -> list[Fact]:
    """The facts of a target's file, in its order; text: the file's, data: what TOML makes of it."""
    found = {(section, key): (line, comment) for section, key, line, comment in _lines(text)}
    return [
        _fact(section, key, value, *found.get((section, key), (0, "")))
        for section, table in data.items()
        if isinstance(table, dict)
        for key, value in table.items()
    ]


def _fact(section: str, key: str, value: Any, line: int, comment: str) -> Fact:
    parts = [part.partition(":") for inner in _MARK.findall(comment) for part in _PART.split(inner)]
    marks = tuple(Mark(confidence.strip(), source.strip()) for confidence, _, source in parts)
    remark = " ".join(_MARK.sub("", comment).split()).strip(" ;,").replace(" ;", ";")
    return Fact(section, key, value, line, marks, remark)


def _lines(text: str) -> Iterator[tuple[str, str, int, str]]:
    """Section, key, line and comment of each fact; its value may go over several lines."""
    section, key, line, depth = "", "", 0, 0
    comments: list[str] = []
    for number, content in enumerate(text.splitlines(), 1):
        if depth == 0:
            if key:
                yield section, key, line, " ".join(comments)
            start = content.strip()
            if header := _HEADER.match(start):
                section = header[1]
            named = _KEY.match(start)
            key, line, comments = named[1] if named else "", number, []
        if key:
            for token in _TOKEN.findall(content):
                depth += (token in ("[", "{")) - (token in ("]", "}"))
                if token.startswith("#"):
                    comments.append(token.lstrip("# "))
    if key:
        yield section, key, line, " ".join(comments)


def shown(value: Any) -> str:
    """A value in one line, as TOML writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        items = ", ".join(f"{key} = {shown(item)}" for key, item in value.items())
        return f"{{ {items} }}" if items else "{}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float) else str(value)
