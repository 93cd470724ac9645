"""Characters that no name, address or other text of a description can hold.

Every text lands in shell, in configuration files and in DNS, where only plain
ASCII is safe. What looks right and is not (a Cyrillic letter in a Latin name)
is told letter by letter.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

# No blank or hyphen first, no blank last, no quotes, dollar, back-tick or backslash, ASCII only.
_PLAIN = re.compile(r"(?![ -])[ !#%&(-\[\]^_a-~]*(?<! )")

# Letters that look like Latin ones. Cyrillic, then Greek.
_LOOK_ALIKE = dict(zip(
    "акмтсԁеԍһіјӏорԛѕԝхуАВСЕНІЈКМОРЅТХУаοναрτΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "akmtcdeghijlopqswxyABCEHIJKMOPSTXYaovaptABEZHIKMNOPTYX",
    strict=True,
))
_INVISIBLE = re.compile("[\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u2000-\u200f\u2028-\u202f"
                        "\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]")
_LINE_BREAK = re.compile("[\n\r\v\f\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Fault(NamedTuple):
    """What is wrong with a text: code, facts for its message, and which characters."""

    code: str
    facts: dict[str, Any]
    inside: tuple[int, int]


def fault(text: str) -> Fault | None:
    """The worst thing about a text's characters, or None where all are plain. The empty text is one too."""
    if text and _PLAIN.fullmatch(text) and "PRIVATE KEY" not in text:
        return None
    if not text:
        return Fault("PVE132", {}, (0, 0))
    if "PRIVATE KEY" in text:
        return Fault("PVE131", {}, (0, len(text)))
    for code, pattern in (("PVE121", _LINE_BREAK), ("PVE120", _CONTROL), ("PVE128", _INVISIBLE)):
        if found := pattern.search(text):
            return Fault(code, _named(found[0]) | {"place": found.start() + 1}, found.span())
    return _foreign(text) or _shell(text)


def _shell(text: str) -> Fault | None:
    """What means something to a shell or a program: quotes, $, back-ticks, backslashes, blanks, a hyphen first."""
    for code, characters in (("PVE123", "$"), ("PVE124", "`"), ("PVE125", "\\"), ("PVE122", "\"'")):
        for place, character in enumerate(text):
            if character in characters:
                return Fault(code, {"character": character, "place": place + 1}, (place, place + 1))
    if text.startswith("-"):
        return Fault("PVE126", {"value": text}, (0, 1))
    bare = text.strip()
    start = 0 if text != text.lstrip() else len(text.rstrip())
    end = len(text) - len(text.lstrip()) if start == 0 else len(text)
    return Fault("PVE127", {"bare": bare}, (start, end))


def _foreign(text: str) -> Fault | None:
    """Letters that are not ASCII: a name with look-alikes put right, or the first that has no likeness."""
    foreign = [place for place, character in enumerate(text) if not character.isascii()]
    if not foreign:
        return None
    strange = [place for place in foreign if text[place] not in _LOOK_ALIKE]
    place = (strange or foreign)[0]
    facts = _named(text[place]) | {"place": place + 1}
    if strange:
        return Fault("PVE130", facts, (place, place + 1))
    facts |= {"latin": _LOOK_ALIKE[text[place]], "right": latin(text), "count": len(foreign)}
    return Fault("PVE129", facts, (place, place + 1))


def latin(text: str) -> str:
    """The text with every letter that looks like a Latin one made that."""
    return "".join(_LOOK_ALIKE.get(character, character) for character in text)


def _named(character: str) -> dict[str, Any]:
    """A character for a message: itself, its number and its Unicode name."""
    import unicodedata

    point = f"U+{ord(character):04X}"
    return {"character": character, "point": point, "name": unicodedata.name(character, point)}
