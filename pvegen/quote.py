"""Text by type: what is shell, what is data, and how data gets into shell.

A plain `str` is data. It enters a script only through `word`, `string`, `heredoc`,
`message` or `comment`, which quote it; what they return is `Sh`, shell text. Data in
a script stands between two marks until the very end, so that two scripts that differ
in their data alone can be told from scripts that differ in their text (`shape`).
"""

from __future__ import annotations

import ipaddress
import re
from string import Formatter
from typing import Any

# Private-use characters, which `_refuse_unprintable` keeps out of all data.
_OPEN, _CLOSE, _REMARK = "\ue000", "\ue001", "\ue002"
_MARKED = re.compile(f"{_REMARK}[^\n]*|{_OPEN}(.*?){_CLOSE}", re.DOTALL)

# What every POSIX shell takes as one plain word, and people read without quotes.
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
_RESERVED = frozenset((
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
    "namespace", "repeat", "select", "then", "time", "until", "while",
))  # fmt: skip
_ADDRESSES = (
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Interface, ipaddress.IPv6Interface,
)  # fmt: skip
_WORDS = (str, int, *_ADDRESSES)
_VARIABLE = re.compile(r"\$(?:[a-z_][a-z0-9_]*|[*0-9])|\$\{[a-z_][a-z0-9_]*[^{}$`\"\\]*\}")
_NAMES = re.compile(r"[A-Za-z0-9_ -]*")

# Data of these characters tells ShellCheck nothing, whichever of them it is; in a
# here-document that is so for all of ASCII, but for what is like its last line.
_UNREMARKABLE = re.compile(r"[A-Za-z0-9 _./:@%+,=\t-]*")
_LIKE_THE_END = re.compile(r"^\s*END", re.MULTILINE)

_WIDTH = 76
# "  name   what it is": a line of a listing, up to its last column.
_LISTING = re.compile(r" +(?:(?:\S| \S)+ {2,})?")


class Sh(str):
    """Shell text: goes into a script as it stands."""

    __slots__ = ()


class Data(str):
    """Text of the description: never anything but data, whatever it holds."""

    __slots__ = ()


class Expansion(str):
    """Text of a snippet with shell variables in it, which the shell is to expand."""

    __slots__ = ()


def data(value: Any) -> Any:
    """A value for a template: every text in it, at any depth, is made `Data`.

    Raises TypeError for what a template has no business with.
    """
    if isinstance(value, str):
        return value if isinstance(value, Sh) else Data(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, dict):
        return {name: data(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [data(item) for item in value]
    if isinstance(value, _ADDRESSES):
        return Data(value)
    raise TypeError(f"{type(value).__name__} is not for templates")


def shell(value: str) -> Sh:
    """Text that a snippet puts into the script unquoted: names and blanks, nothing else.

    Raises ValueError for anything that could be more than a word to a shell.
    """
    if isinstance(value, Sh):
        return value
    if not _NAMES.fullmatch(value):
        raise ValueError(f"{value!r} cannot stand unquoted")
    return Sh(value)


def expansion(text: str) -> Expansion:
    """Text with shell variables that stay alive in a message; TypeError for text of the description."""
    if isinstance(text, Data):
        raise TypeError(f"{text!r} is data: no variable in it may come alive")
    return Expansion(text)


def word(value: object) -> Sh:
    """Quote one piece of data as one shell word; a list becomes several words.

    Raises TypeError for what has no meaning in a shell, ValueError for text that
    no shell can carry.
    """
    if isinstance(value, Sh):
        return value
    if isinstance(value, (list, tuple)):
        return Sh(" ".join(word(item) for item in value))
    if isinstance(value, bool) or not isinstance(value, _WORDS):
        raise TypeError(f"{value!r} has no meaning as a shell word")
    return Sh(_OPEN + quoted(str(value)) + _CLOSE)


def quoted(text: str) -> str:
    """The text as one shell word, bare where it can be."""
    _refuse_unprintable(text)
    if _BARE.fullmatch(text) and text not in _RESERVED:
        return text
    return _in_quotes(text)


def string(text: str) -> Sh:
    """The text as one word that is always in quotes, for variables and messages."""
    _refuse_unprintable(text)
    return Sh(_OPEN + _in_quotes(text) + _CLOSE)


def heredoc(text: str) -> Sh:
    """A here-document of the text, nothing in it expanded; ends with its delimiter line."""
    if text and not text.endswith("\n"):
        raise ValueError("a here-document ends with a line break")
    _refuse_unprintable(text.replace("\n", "").replace("\t", ""))
    end = "END"
    while end in text.split("\n"):
        end += "_"
    return Sh(f"<<'{end}'\n{_OPEN}{text}{_CLOSE}{end}")


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
        _refuse_unprintable(text)
    if not any(kind == "variable" for kind, _ in parts):
        return Sh("'" + "".join(_in_single(kind, text) for kind, text in parts) + "'")
    following = [text for _, text in parts[1:]] + [""]
    return Sh('"' + "".join(_in_double(*part, after) for part, after in zip(parts, following, strict=True)) + '"')


def comment(text: str) -> Sh:
    """The text as comment lines of at most 78 columns; a list keeps its lines."""
    _refuse_unprintable(text.replace("\n", ""))
    lines = [line for paragraph in text.split("\n") for line in _wrapped(paragraph)]
    if lines[-1] == "":
        lines.pop()
    return Sh("\n".join(f"{_REMARK}# {_no_directive(line)}".rstrip() for line in lines))


def _wrapped(paragraph: str) -> list[str]:
    """Lines of at most _WIDTH columns; those after a listing's first stand below its last column."""
    found = _LISTING.match(paragraph)
    indent = " " * min(len(found[0]) if found else 0, _WIDTH // 2)
    lines = []
    while len(paragraph) > _WIDTH:
        at = paragraph.rfind(" ", len(indent) + 1, _WIDTH + 1)
        if at < 0 and (at := paragraph.find(" ", _WIDTH)) < 0:
            break
        lines.append(paragraph[:at].rstrip())
        paragraph = indent + paragraph[at:].lstrip(" ")
    return [*lines, paragraph.rstrip()]


def _no_directive(line: str) -> str:
    """A comment line that ShellCheck cannot take for an order to it."""
    return f"- {line}" if line.lstrip(" ").startswith("shellcheck") else line


def _in_quotes(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _in_single(kind: str, text: str) -> str:
    text = text.replace("'", "'\\''")
    return _OPEN + text + _CLOSE if kind == "data" else text


def _in_double(kind: str, text: str, after: str) -> str:
    """One part of a message in double quotes; only shell variables stay alive in it.

    after: what follows, which must not become part of a variable's name.
    """
    if kind == "text":
        return _escape(text)
    if kind == "data":
        return _OPEN + _escape(text) + _CLOSE
    done, last = "", 0
    for found in _VARIABLE.finditer(text):
        done += _escape(text[last : found.start()]) + found.group()
        last = found.end()
    if text and last == len(text) and re.match("[A-Za-z0-9_]", after):
        name = re.search(r"\$([a-z_][a-z0-9_]*)$", done)
        done = f"{done[: name.start()]}${{{name[1]}}}" if name else done
    return done + _escape(text[last:])


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")


def _refuse_unprintable(text: str) -> None:
    """Text with line breaks, control or invisible characters, or our own marks is a fault of the checks."""
    if not text.isprintable():
        found = next(character for character in text if not character.isprintable())
        raise ValueError(f"character {found!r} in {text!r}")


def plain(marked: str) -> str:
    """The script itself: the text without the marks."""
    return marked.replace(_OPEN, "").replace(_CLOSE, "").replace(_REMARK, "")


def shape(marked: str) -> str:
    """The text with every piece of data replaced by how it stands there, and without what
    comments say: what ShellCheck could find in one script of a shape, it finds in all.

    Data with a character in it that could mean something to ShellCheck stands for itself.
    """
    return _MARKED.sub(_kind, marked)


def _kind(found: re.Match[str]) -> str:
    """What ShellCheck could see of one piece of data."""
    text = found.group(1)
    if text is None:
        return _REMARK
    if text.endswith("\n"):
        kind = "lines" if text.isascii() and not _LIKE_THE_END.search(text) else text
    elif len(text) > 1 and text[0] == text[-1] == "'":
        kind = ("quoted" if text != "''" else "empty") if _UNREMARKABLE.fullmatch(text[1:-1]) else text
    elif text.startswith("-") or not _UNREMARKABLE.fullmatch(text):
        kind = text
    else:
        kind = "number" if text.isdecimal() else "bare" if text else ""
    return _OPEN + kind + _CLOSE
