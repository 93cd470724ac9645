"""Go on after a mistake of TOML's grammar, so that one report tells all of them.

A mistake that is contained in its line is mended as far as that is certain (text
gets its quotes), else its key gets the value BROKEN, which is told no more about.
Line numbers stay, so that later mistakes are at their places in the original.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, NamedTuple

from pvegen import syntax
from pvegen.convert import BROKEN
from pvegen.mistakes import Mistake
from pvegen.source import Place, Source

_MOST = 50
_PAIR = re.compile(r"\s*([A-Za-z0-9_-]+)\s*[=:]")
_HEADER = re.compile(r"\s*(\[{1,2})\s*([A-Za-z0-9_.-]+)[\s\]]*(?:#.*)?")
_CONTAINED = frozenset({"PVE022", "PVE023", "PVE025", "PVE026", "PVE031"})


class Recovered(NamedTuple):
    """data: None where there was no going on; source: that of the whole file, knowing what was mended."""

    data: dict[str, Any] | None
    source: Source
    mistakes: list[Mistake]


def recover(source: Source) -> Recovered:
    """The data of a text that is no TOML, and all that is wrong with its grammar."""
    lines = list(source.lines)
    mistakes: list[Mistake] = []
    mended: dict[int, Place] = {}
    while len(mistakes) < _MOST:
        text = "\n".join(lines)
        try:
            return Recovered(tomllib.loads(text), Source(source.name, source.text, text, mended), mistakes)
        except (ValueError, RecursionError) as error:
            mistake = syntax.explain(Source(source.name, text), error)
        mistake.source = source
        place = mistake.place
        if place is not None and place.line in mended:
            break
        mistakes.append(mistake)
        better = None if place is None else _mend(lines[place.line - 1], mistake)
        if better is None or place is None:
            break
        lines[place.line - 1] = better
        mended[place.line] = place
    return Recovered(None, source, mistakes)


def _mend(line: str, mistake: Mistake) -> str | None:
    """A line that parses in the place of one that does not; None where the mistake may reach beyond the line."""
    place = mistake.place
    assert place is not None
    before, after = line[: place.column - 1], line[place.end_column - 1 :]
    if mistake.code == "PVE032" and "\\" not in mistake.facts["value"]:
        return f'{before}"{mistake.facts["value"]}"{after}'
    if mistake.code == "PVE033":
        return before + str(mistake.facts["value"]) + after
    if mistake.code == "PVE028" and (header := _HEADER.fullmatch(line)):
        return header[1] + header[2] + header[1].replace("[", "]")
    pair = _PAIR.match(line)
    if pair is None or not _contained(line):
        return None
    if mistake.code == "PVE021":
        return ""
    return f"{pair[1]} = {BROKEN.isoformat()}" if mistake.code in _CONTAINED else None


def _contained(line: str) -> bool:
    """Whether a line opens nothing that a later one would close."""
    return not any(line.count(a) != line.count(b) for a, b in ("[]", "{}")) and '"""' not in line and "'''" not in line
