"""The runtime's shell functions: a script gets those that it can reach, and no others."""

from __future__ import annotations

import re
from typing import NamedTuple

_FUNCTION = re.compile(r"^([a-z_][a-z0-9_]*)\(\) \{$")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_USED = re.compile(r"\$\{?#?([a-z_][a-z0-9_]*)")


class Piece(NamedTuple):
    """What a script has of one file of the runtime."""

    name: str
    text: str


class Cut(NamedTuple):
    """The runtime cut for a script: its pieces, their whole text, the variables that it reads."""

    pieces: list[Piece]
    text: str
    variables: set[str]


class File(NamedTuple):
    """One file of the runtime.

    name: the snippet; heads: text that is in no function; functions: name -> text;
    words: function -> the names that it may call.
    """

    name: str
    heads: list[str]
    functions: dict[str, str]
    words: dict[str, set[str]]


def parsed(name: str, text: str) -> File:
    """A file of the runtime, from its text."""
    parts = functions(text)
    found = {function: part for function, part in parts if function}
    heads = [part for function, part in parts if not function]
    return File(name, heads, found, {function: words(part) for function, part in found.items()})


class Runtime:
    """All functions of the runtime, for scripts to take from."""

    def __init__(self, files: list[File]) -> None:
        """files: in the order in which they are to stand."""
        self._files = files
        known = {function for file in files for function in file.functions}
        self._calls = {function: called & known for file in files for function, called in file.words.items()}
        self._cuts: dict[frozenset[str], Cut] = {}

    def cut(self, own: str) -> Cut:
        """What a script needs whose own part is given."""
        waiting = words(own) & self._calls.keys()
        reached: set[str] = set()
        while waiting:
            function = waiting.pop()
            reached.add(function)
            waiting |= self._calls[function] - reached
        key = frozenset(reached)
        if key not in self._cuts:
            self._cuts[key] = self._make(key)
        return self._cuts[key]

    def _make(self, reached: frozenset[str]) -> Cut:
        pieces = []
        for file in self._files:
            kept = [text for function, text in file.functions.items() if function in reached]
            if kept:
                text = "\n".join(part.strip("\n") + "\n" for part in file.heads + kept) + "\n"
                pieces.append(Piece(file.name, text))
        text = "".join(piece.text for piece in pieces)
        return Cut(pieces, text, variables(text))


def functions(text: str) -> list[tuple[str, str]]:
    """A runtime file as (function name, text) pairs; text that is in no function has
    the name "". A comment right above a function belongs to it."""
    parts: list[tuple[str, str]] = []
    lines: list[str] = []
    name = ""
    for line in text.splitlines(keepends=True):
        started = _FUNCTION.match(line.rstrip("\n"))
        if started and not name:
            name = started.group(1)
        lines.append(line)
        if (name and line == "}\n") or (not name and line == "\n"):
            parts.append((name, "".join(lines)))
            lines, name = [], ""
    parts.append((name, "".join(lines)))
    return [(name, text) for name, text in parts if text.strip()]


def variables(text: str) -> set[str]:
    """The variables that a text of shell reads."""
    return set(_USED.findall(text))


def words(text: str) -> set[str]:
    """All words of a text that could be names of functions, comments left out."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    return set(_NAME.findall("\n".join(lines)))
