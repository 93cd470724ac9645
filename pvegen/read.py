"""Read a description: file -> bytes -> text -> TOML data, or the mistake that stops it."""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from typing import Any

from pvegen.mistakes import Mistake, Word
from pvegen.source import Place, Source

LIMIT = 1024 * 1024
# tomllib needs memory for the square of a dotted key's parts.
_MOST_DOTS = 1000
_BOM = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """The file is no TOML text; mistakes: why, at least one."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__(*(mistake.code for mistake in mistakes))
        self.mistakes = list(mistakes)


def read(name: str) -> tuple[Source, dict[str, Any], list[Mistake]]:
    """The text, the data and the mistakes of grammar of a file; "-" is standard input.

    Unreadable if there is no text, or no data can be made of it.
    """
    data = _standard_input() if name == "-" else _file(name)
    source = Source("<stdin>" if name == "-" else name, None)
    text = _text(source, data)
    return _toml(Source(source.name, text), text)


def _fail(code: str, source: Source, place: Place | None = None, **facts: Any) -> Unreadable:
    """The exception for a mistake of the file, at a place of its text if it has one."""
    return Unreadable(Mistake(code, source, part="value" if place else "file", place=place, facts=facts))


def _standard_input() -> bytes:
    source = Source("<stdin>", None)
    if sys.stdin is None:  # closed: <&-
        raise _fail("PVE002", source, file=source.name, reason=Word("closed"))
    try:
        data = sys.stdin.buffer.read(LIMIT + 1)
    except OSError as error:
        raise _fail("PVE002", source, file=source.name, reason=error.strerror or str(error)) from None
    if len(data) > LIMIT:
        raise _fail("PVE005", source, limit=LIMIT)
    return data


def _file(name: str) -> bytes:
    """The bytes of a regular file of at most LIMIT bytes; nothing else is opened, a FIFO would wait for ever."""
    source = Source(name, None)
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise _fail("PVE003", source, file=name)
        if not stat.S_ISREG(mode):
            raise _fail("PVE004", source, file=name, kind=_kind(mode))
        with open(name, "rb") as stream:
            data = stream.read(LIMIT + 1)
    except FileNotFoundError:
        raise _fail("PVE001", source, file=name) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _fail("PVE002", source, file=name, reason=reason) from None
    if len(data) > LIMIT:
        raise _fail("PVE005", source, limit=LIMIT)
    return data


def _kind(mode: int) -> Word:
    if stat.S_ISFIFO(mode):
        return Word("fifo")
    return Word("socket" if stat.S_ISSOCK(mode) else "device")


def _text(source: Source, data: bytes) -> str:
    """The text, if it is UTF-8 with plain line ends and something in it."""
    if data.startswith(_BOM):
        shown = Source(source.name, data[3:].decode(errors="backslashreplace").replace("\r\n", "\n"))
        raise _fail("PVE007", shown, Place(1, 1, 1, 1), file=source.name)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(source, data, error.start) from None
    for wrong, code in (("\0", "PVE010"), ("\r\n", "PVE008"), ("\r", "PVE013")):
        if wrong in text:
            split = Source(source.name, text.replace("\r\n", "\n").replace("\r", "\n"))
            raise _fail(code, split, _first(text, wrong), file=source.name)
    return text


def _first(text: str, wrong: str) -> Place:
    """The first of some character, in a text whose lines end in "\\n" or "\\r\\n"."""
    before = text[: text.index(wrong)]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Place(line, column, line, column + 1)


def _not_utf8(source: Source, data: bytes, start: int) -> Unreadable:
    begin = data.rfind(b"\n", 0, start) + 1
    line = data.count(b"\n", 0, start) + 1
    column = len(data[begin:start].decode()) + 1
    shown = Source(source.name, data.decode(errors="backslashreplace").replace("\r\n", "\n"))
    return _fail(
        "PVE006", shown, Place(line, column, line, column + 4),
        byte=f"0x{data[start]:02x}", at=start - begin + 1, file=source.name,
    )


def _endless_key(line: str) -> bool:
    return line.count(".") > _MOST_DOTS and not line.lstrip().startswith("#")


def _toml(source: Source, text: str) -> tuple[Source, dict[str, Any], list[Mistake]]:
    """The data; Unreadable for what is no TOML at all, and for what states nothing."""
    if text.count(".") > _MOST_DOTS and any(_endless_key(line) for line in text.split("\n")):
        raise _fail("PVE029", source)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError):
        from pvegen.recover import recover

        recovered = recover(source)
        if recovered.data is None:
            raise Unreadable(*recovered.mistakes) from None
        return recovered.source, recovered.data, recovered.mistakes
    if not data:
        raise _fail("PVE009", source, file=source.name)
    return source, data, []
