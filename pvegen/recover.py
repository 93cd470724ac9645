"""Go on after a mistake of TOML's grammar, so that one report tells all of them.

A mistake that is contained in its line is mended as far as that is certain (text
gets its quotes, a list its bracket), else its key gets the value BROKEN, which is told no more about.
Line numbers stay, so that later mistakes are at their places in the original.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from pvegen import syntax
from pvegen.convert import AGAIN, BROKEN, SEVERAL
from pvegen.mistakes import Mistake
from pvegen.source import Place, Source

# Each mistake costs one more reading of the whole: so many at most, and of so many characters.
_MOST = 150
_MOST_READ = 64 * 1024 * 1024
_PAIR = re.compile(r"\s*([A-Za-z0-9_-]+)\s*[=:]")
_HEADER = re.compile(r"\s*(\[{1,2})\s*([A-Za-z0-9_.-]+)[\s\]]*(?:#.*)?")
_NO_EQUALS = re.compile(r"\s*([A-Za-z0-9_-]+)\s*:?\s*(\S.*)")
_CONTAINED = frozenset({"PVE022", "PVE023", "PVE025", "PVE026", "PVE027", "PVE031", "PVE034", "PVE035"})


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
    left = min(_MOST, _MOST_READ // max(len(source.text or ""), 1))
    while True:
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
        better = {} if place is None else _mend(lines, mistake)
        if not better or place is None:
            break
        if len(mistakes) >= left:
            mistakes.append(Mistake("PVE036", source, place=place, facts={"count": len(mistakes)}))
            break
        for row, line in better.items():
            lines[row] = line
            mended[row + 1] = place if row + 1 == place.line else Place(row + 1, 1, row + 1, len(source.lines[row]) + 1)
    return Recovered(None, source, mistakes)


def _mend(lines: list[str], mistake: Mistake) -> dict[int, str]:
    """Rows and the lines that parse in their places; none where the mistake may reach further."""
    place = mistake.place
    assert place is not None
    row = place.line - 1
    if mistake.code == "PVE027" and "until" in mistake.facts:
        return _close(lines, row, int(mistake.facts["until"]))
    if mistake.code == "PVE021" and (header := _HEADER.fullmatch(lines[row])):
        return _part(lines, row, header[2])
    line = _mend_line(lines[row], mistake)
    return {} if line is None else {row: line}


def _close(lines: list[str], row: int, until: int) -> dict[int, str]:
    """Close the list that opens in a row after the last item before another one."""
    last = max(number for number in range(row, until) if lines[number].split("#")[0].strip())
    return {last: lines[last].split("#")[0] + "]"}


def _part(lines: list[str], row: int, name: str) -> dict[int, str]:
    """Tell apart tables of one name: those that may stand several times get double brackets, others another name."""
    headers = [_HEADER.fullmatch(line) for line in lines]
    same = [number for number, header in enumerate(headers) if header and header[2] == name]
    if name in SEVERAL:
        return {number: f"[[{name}]]" for number in same}
    *table, last = name.split(".")
    return {row: "[" + ".".join([*table, f'"{AGAIN * (same.index(row) + 1)}{last}"']) + "]"}


def _mend_line(line: str, mistake: Mistake) -> str | None:
    """A line that parses in the place of one that does not; None where the mistake may reach beyond the line."""
    place = mistake.place
    assert place is not None
    before, after = line[: place.column - 1], line[place.end_column - 1 :]
    if mistake.code in ("PVE032", "PVE033") and "\\" not in mistake.facts["right"]:
        return before + str(mistake.facts["right"]) + after
    if mistake.code == "PVE028" and (header := _HEADER.fullmatch(line)):
        return header[1] + header[2] + header[1].replace("[", "]")
    if mistake.code not in (*_CONTAINED, "PVE021") or not _contained(line):
        return None
    if certain := next(filter(_parses, _guesses(line, mistake)), None):
        return certain
    if pair := _PAIR.match(line) or (_NO_EQUALS.match(line) if mistake.code == "PVE026" else None):
        return "" if mistake.code == "PVE021" else f"{pair[1]} = {BROKEN.isoformat()}"
    return "" if mistake.code == "PVE026" else None


def _guesses(line: str, mistake: Mistake) -> Iterator[str]:
    """What a line was meant to be, where one thing is missing or another character stands for it."""
    if mistake.code == "PVE022" and "#" not in line:
        yield from (line.rstrip() + quote for quote in "\"'")
    if mistake.code == "PVE035":
        yield str(mistake.facts["right"])
    if mistake.code == "PVE026" and (found := _NO_EQUALS.match(line)):
        yield f"{found[1]} = {found[2]}"


def _parses(line: str) -> bool:
    try:
        return bool(tomllib.loads(line))
    except (ValueError, RecursionError):
        return False


def _contained(line: str) -> bool:
    """Whether a line opens nothing that a later one would close."""
    return not any(line.count(a) != line.count(b) for a, b in ("[]", "{}")) and '"""' not in line and "'''" not in line
