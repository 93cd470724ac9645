"""Which line of which snippet printed a line.

Behind its own text a snippet prints a mark, which is taken out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

# Private-use characters, as in `quote`, and others than there.
_MARK = re.compile("\ue003(.*?):([0-9]+)\ue004")


class Line(NamedTuple):
    """A line that was printed: its text, and the snippet and the line there, from 1, that printed it."""

    text: str
    snippet: str
    number: int


class Marks(Extension):
    """For an environment whose templates are to print marks."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """The template, with a mark behind each piece of its text; lines are counted as they stand in the file."""
        for token in stream:
            if token.type == "data":
                *whole, rest = token.value.split("\n")
                marked = [f"{text}{_mark(stream.name, token.lineno + i)}\n" for i, text in enumerate(whole)]
                marked.append(rest + _mark(stream.name, token.lineno + len(whole)) if rest.strip() else rest)
                yield Token(token.lineno, "data", "".join(marked))
            else:
                yield token


def _mark(snippet: str | None, number: int) -> str:
    return f"\ue003{snippet}:{number}\ue004"


def read(marked: str) -> list[Line]:
    """The lines of a text with marks.

    A line is of the snippet's line that printed its first piece of text; what a value holds is of that which
    printed the value.
    """
    found: list[Line] = []
    waiting: list[str] = []
    for line in marked.split("\n"):
        first = _MARK.search(line)
        waiting.append(_MARK.sub("", line))
        if first:
            found += [Line(text, first[1], int(first[2])) for text in waiting]
            waiting = []
    return found


def aligned(texts: Iterable[str], printed: list[Line]) -> list[Line]:
    """What printed each text: those among what was printed, in order. It ends before one that was not."""
    found: list[Line] = []
    rest = iter(printed)
    for text in texts:
        line = next((line for line in rest if line.text == text), None)
        if line is None:
            break
        found.append(line)
    return found
