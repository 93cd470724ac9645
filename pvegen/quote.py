"""Text by type: what is shell, what is data, and how data gets into shell.

A plain `str` is data. It enters a script only through `word` or `heredoc`,
which quote it; what they return is `Sh`, shell text. Data in a script stands
between two marks until the very end, so that two scripts that differ in their
data alone can be told from scripts that differ in their text (`shape`).
"""

from __future__ import annotations

import ipaddress
import re
import textwrap
from string import Formatter
from typing import Any

# Private-use characters; no description can hold them (PVE checks its characters).
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKED = re.compile(f"{_OPEN}(.*?){_CLOSE}", re.DOTALL)

# Whole-line comments, but not those that speak to ShellCheck.
_COMMENT = re.compile(r"^[ \t]*#(?! *shellcheck).*\n", re.MULTILINE)

# What every POSIX shell takes as one plain word, and people read without quotes.
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,][A-Za-z0-9_./:@%+,-]*")
_ADDRESSES = (
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Interface, ipaddress.IPv6Interface,
)  # fmt: skip
_VARIABLE = re.compile(r"\$(?:[a-z_][a-z0-9_]*|\*|[0-9])|\$\{[^{}]*\}")


class Sh(str):
    """Shell text: goes into a script as it stands."""

    __slots__ = ()


class Data(str):
    """Text of the description: never anything but data, whatever it holds."""

    __slots__ = ()


def data(value: Any) -> Any:
    """A value for a template: every text in it, at any depth, is made `Data`.

    Raises TypeError for what a template has no business with.
    """
    if value is None or isinstance(value, (bool, int, Sh)):
        return value
    if isinstance(value, dict):
        return {name: data(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [data(item) for item in value]
    if isinstance(value, (str, *_ADDRESSES)):
        return Data(value)
    raise TypeError(f"{type(value).__name__} is not for templates")


def word(value: object) -> Sh:
    """Quote one piece of data as one shell word; a list becomes several words.

    Raises TypeError for what has no meaning in a shell, ValueError for text that
    no shell can carry.
    """
    if isinstance(value, Sh):
        return value
    if isinstance(value, bool) or value is None:
        raise TypeError(f"{value!r} has no meaning as a shell word")
    if isinstance(value, (list, tuple)):
        return Sh(" ".join(word(item) for item in value))
    return Sh(_OPEN + quoted(str(value)) + _CLOSE)


def quoted(text: str) -> str:
    """The text as one shell word, bare where it can be."""
    _refuse_controls(text)
    if _BARE.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def string(text: str) -> Sh:
    """The text as one word that is always in quotes, for variables and messages."""
    _refuse_controls(text)
    return Sh(_OPEN + "'" + text.replace("'", "'\\''") + "'" + _CLOSE)


def heredoc(text: str) -> Sh:
    """A here-document of the text, nothing in it expanded; ends with its delimiter line."""
    if text and not text.endswith("\n"):
        raise ValueError("a here-document ends with a line break")
    _refuse_controls(text.replace("\n", "").replace("\t", ""))
    end = "END"
    while end in text.split("\n"):
        end += "_"
    return Sh(f"<<'{end}'\n{_OPEN}{text}{_CLOSE}{end}")


class Expansion(str):
    """Text of a snippet with shell variables in it, which the shell is to expand."""

    __slots__ = ()


def message(template: str, values: dict[str, object]) -> Sh:
    """A message of the catalogue as one shell word.

    `{name}` in the template is data; where the value is an `Expansion`, its shell
    variables stay alive and the word is in double quotes.
    """
    parts: list[tuple[str, str]] = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(("text", literal))
        if name is not None:
            value = values[name]
            if isinstance(value, (list, tuple)):
                value = ", ".join(map(str, value))
            parts.append(("variable" if isinstance(value, Expansion) else "data", str(value)))
    for _, text in parts:
        _refuse_controls(text)
    if not any(kind == "variable" for kind, _ in parts):
        return Sh("'" + "".join(_in_single(kind, text) for kind, text in parts) + "'")
    return Sh('"' + "".join(_in_double(kind, text) for kind, text in parts) + '"')


def comment(text: str) -> Sh:
    """The text as comment lines of at most 78 columns; a list keeps its lines."""
    _refuse_controls(text.replace("\n", ""))
    lines = []
    for paragraph in text.splitlines():
        lines += textwrap.wrap(paragraph, 76, break_long_words=False, break_on_hyphens=False) or [""]
    return Sh("\n".join(f"# {line}".rstrip() for line in lines))


def _in_single(kind: str, text: str) -> str:
    text = text.replace("'", "'\\''")
    return _data(text) if kind == "data" else text


def _data(text: str) -> str:
    return _OPEN + text + _CLOSE


def _in_double(kind: str, text: str) -> str:
    """One part of a message in double quotes; only shell variables stay alive in it."""
    if kind == "text":
        return _escape(text)
    if kind == "data":
        return _data(_escape(text))
    done, last = "", 0
    for found in _VARIABLE.finditer(text):
        done += _escape(text[last : found.start()]) + found.group()
        last = found.end()
    return done + _escape(text[last:])


def _escape(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _refuse_controls(text: str) -> None:
    """Text with control characters or our own marks is a fault of the checks."""
    for character in text:
        if ord(character) < 32 or ord(character) == 127 or character in (_OPEN, _CLOSE):
            raise ValueError(f"control character {character!r} in {text!r}")


def plain(marked: str) -> str:
    """The script itself: the text without the marks."""
    return marked.replace(_OPEN, "").replace(_CLOSE, "")


def shape(marked: str) -> str:
    """The text with every piece of data replaced by its kind of quoting, and without
    comments: what ShellCheck could find in one script of a shape, it finds in all."""
    text = _MARKED.sub(lambda found: _OPEN + _kind(found.group(1)) + _CLOSE, marked)
    return _COMMENT.sub("", text)


def _kind(data: str) -> str:
    """How a piece of data stands in the script; what ShellCheck could see of it."""
    if data.endswith("\n"):
        return "lines"
    if not data:
        return "empty"
    return "quoted" if data.startswith("'") else "bare"
