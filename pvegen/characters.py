"""Characters that no name, address or other text of a description can hold.

Every text lands in shell, in configuration files and in DNS, where only plain
ASCII is safe. What looks right and is not (a Cyrillic letter in a Latin name)
is told letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# No blank or hyphen first, no blank last, no quotes, dollar, back-tick or backslash, ASCII only.
_PLAIN = re.compile(r"(?![ -])[ !#%&(-\[\]^_a-~]*(?<! )")

# Letters that look like Latin ones. Cyrillic, then Greek.
_LOOK_ALIKE = dict(zip(
    "акмтсԁеԍһіјӏорԛѕԝхуАВСЕНІЈКМОРЅТХУаοναрτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "akmtcdeghijlopqswxyABCEHIJKMOPSTXYaovaptABEZHIKMNOPTYX",
    strict=True,
))
_INVISIBLE = re.compile("[\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u2000-\u200f\u202a-\u202f"
                        "\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]")
_LINE_BREAK = re.compile("[\n\r\v\f\x85\u2028\u2029]")
# Line breaks are told as such.
_CONTROL = re.compile("[\x00-\x09\x0e-\x1f\x7f-\x84\x86-\x9f]")


class Fault(NamedTuple):
    """What is wrong with a text: code, facts for its message, and which characters."""

    code: str
    facts: dict[str, Any]
    inside: tuple[int, int]


def faults(text: str) -> list[Fault]:
    """What is wrong with a text's characters, the first of each kind; the empty text is a fault too."""
    if text and _PLAIN.fullmatch(text) and "PRIVATE KEY" not in text:
        return []
    if not text:
        return [Fault("PVE132", {}, (0, 0))]
    if "PRIVATE KEY" in text:
        return [Fault("PVE131", {}, (0, len(text)))]
    found: list[Fault] = []
    for code, pattern in (("PVE121", _LINE_BREAK), ("PVE120", _CONTROL), ("PVE128", _INVISIBLE)):
        if match := pattern.search(text):
            found.append(Fault(code, _named(match[0]) | {"place": match.start() + 1}, match.span()))
    return [*found, *_foreign(text), *_shell(text)]


def _shell(text: str) -> Iterator[Fault]:
    """What means something to a shell or a program: quotes, $, back-ticks, backslashes, blanks, a hyphen first."""
    for code, characters in (("PVE123", "$"), ("PVE124", "`"), ("PVE125", "\\"), ("PVE122", "\"'")):
        place = next((place for place, character in enumerate(text) if character in characters), None)
        if place is not None:
            yield Fault(code, {"character": text[place], "place": place + 1}, (place, place + 1))
    if text.startswith("-"):
        yield Fault("PVE126", {"value": text}, (0, 1))
    bare = text.strip(" ")
    if bare != text:
        start = 0 if text.startswith(" ") else len(text.rstrip(" "))
        end = len(text) - len(text.lstrip(" ")) if start == 0 else len(text)
        yield Fault("PVE127", {"bare": bare}, (start, end))


def _foreign(text: str) -> Iterator[Fault]:
    """Letters that are not ASCII: a name with look-alikes put right, or the first that has no likeness."""
    foreign = [place for place, character in enumerate(text) if not character.isascii() and not _told(character)]
    if not foreign:
        return
    strange = [place for place in foreign if text[place] not in _LOOK_ALIKE]
    place = (strange or foreign)[0]
    facts = _named(text[place]) | {"place": place + 1}
    if strange:
        yield Fault("PVE130", facts, (place, place + 1))
        return
    facts |= {"latin": _LOOK_ALIKE[text[place]], "right": latin(text), "count": len(foreign)}
    yield Fault("PVE129", facts, (place, place + 1))


def _told(character: str) -> bool:
    """Whether it is one of those that are told as what they do rather than as letters."""
    return any(pattern.match(character) for pattern in (_LINE_BREAK, _CONTROL, _INVISIBLE))


def latin(text: str) -> str:
    """The text with every letter that looks like a Latin one made that."""
    return "".join(_LOOK_ALIKE.get(character, character) for character in text)


def _named(character: str) -> dict[str, Any]:
    """A character for a message: itself, its number and its Unicode name."""
    import unicodedata

    point = f"U+{ord(character):04X}"
    return {"character": character, "point": point, "name": unicodedata.name(character, point)}
