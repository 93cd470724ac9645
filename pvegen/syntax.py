"""What tomllib says of a text that is no TOML, as mistakes that say what to do.

tomllib's message ends in the place; its words decide the code, and for two
frequent slips (text without quotes, a key stated twice) the line itself does.
"""

from __future__ import annotations

import re

from pvegen.convert import types_of
from pvegen.mistakes import Mistake
from pvegen.source import Place, Source

# The first words of tomllib's messages (CPython, Lib/tomllib/_parser.py) -> code.
_CODES = (
    ("Cannot overwrite a value", "PVE021"),
    ("Cannot declare", "PVE021"),
    ("Cannot mutate immutable namespace", "PVE021"),
    ("Cannot redefine namespace", "PVE021"),
    ("Duplicate inline table key", "PVE021"),
    ("Illegal character '\\n'", "PVE022"),
    ("Found invalid character '\\n'", "PVE022"),
    ("Unterminated string", "PVE022"),
    ('Expected "\'"', "PVE022"),
    ('Expected "\'\'\'"', "PVE022"),
    ("Illegal character", "PVE024"),
    ("Found invalid character", "PVE024"),
    ("Unescaped '\\'", "PVE025"),
    ("Invalid hex value", "PVE025"),
    ("Escaped character", "PVE025"),
    ("Expected '=' after a key", "PVE026"),
    ("Unclosed array", "PVE027"),
    ("Unclosed inline table", "PVE027"),
    ("Expected ']' at the end", "PVE028"),
    ("Expected ']]' at the end", "PVE028"),
    ("Invalid date or datetime", "PVE023"),
    ("Invalid value", "PVE023"),
    ("Expected newline", "PVE031"),
)
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
# key = text without quotes, up to a comment
_BARE = re.compile(r"""\s*([A-Za-z0-9_-]+)\s*=\s*([^\s"'\[{#=][^"'#=]*?)\s*(?:\#.*)?\Z""")
# What word processors and phones make of a quote.
_TYPOGRAPHIC = "“”„‟‘’‚‛«»‹›"
_TO_PLAIN = str.maketrans(dict.fromkeys(_TYPOGRAPHIC, '"'))
_TRUTH = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
# What begins something new, so that a list above it was left open.
_BEGINS = re.compile(r"\s*(?:[A-Za-z0-9_-]+\s*=|\[{1,2}\s*[A-Za-z_][A-Za-z0-9_.-]*\s*\])")
_STRINGS_AND_COMMENTS = re.compile(r""""(?:[^"\\]|\\.)*"|'[^']*'|\#.*""")


def explain(source: Source, error: Exception) -> Mistake:
    """The mistake behind an exception of tomllib's (ValueError, RecursionError) for this text."""
    if isinstance(error, RecursionError) or "nested" in str(error):
        return Mistake("PVE029", source, part="file")
    words = str(error)
    found = _PLACE.search(words)
    if found is None:
        return Mistake("PVE030", source, part="file")
    words = words[: found.start()]
    place = _place(source, found)
    code = next((code for start, code in _CODES if words.startswith(start)), "PVE020")
    if code in ("PVE023", "PVE031", "PVE027") and (opening := _left_open(source, place)):
        return Mistake("PVE027", source, place=opening, facts={"until": place.line - 1})
    if code in ("PVE023", "PVE031"):
        found_there = _typographic(source, place) or _bare_text(source, place)
        return found_there or Mistake(code, source, place=place)
    if code == "PVE021":
        return _repeated(source, place)
    if code == "PVE027":
        place = _opening(source, place)
    return Mistake(code, source, place=place, facts={"said": words})


def _place(source: Source, found: re.Match[str]) -> Place:
    """One character, as tomllib names it; past the end it is the end of the last line with something on it."""
    if found[1]:
        return Place(int(found[1]), int(found[2]), int(found[1]), int(found[2]) + 1)
    lines = (source.text or "").rstrip().split("\n")
    return Place(len(lines), len(lines[-1]) + 1, len(lines), len(lines[-1]) + 2)


def _opening(source: Source, place: Place) -> Place:
    """The bracket that opens the value in which a place is."""
    for row in range(place.line - 1, -1, -1):
        line = source.lines[row] if row < place.line - 1 else source.lines[row][: place.column - 1]
        if found := re.search(r"=\s*([\[{])", line):
            return Place(row + 1, found.start(1) + 1, row + 1, found.end(1) + 1)
    return place


def _bare_text(source: Source, place: Place) -> Mistake | None:
    """The mistake of a line whose value only lacks its quotes."""
    line = source.lines[place.line - 1]
    bare = _BARE.match(line)
    if bare is None or len(line) > 1000:
        return None
    key, value = bare[1], bare[2]
    start, end = bare.span(2)
    place = Place(place.line, start + 1, place.line, end + 1)
    types = types_of(key)
    truth = _TRUTH.get(value.lower())
    if truth and (value.lower() in ("true", "false") or "boolean" in types):
        return Mistake("PVE033", source, place=place, facts={"key": key, "value": value, "right": truth})
    if types == {"integer"}:
        return Mistake("PVE034", source, place=place, facts={"key": key, "value": value})
    right = f'["{value}"]' if types == {"array"} else f'"{value}"'
    return Mistake("PVE032", source, place=place, facts={"key": key, "value": value, "right": right})


def _typographic(source: Source, place: Place) -> Mistake | None:
    """The mistake of a line whose quotes are typographic ones, and what it is with plain ones."""
    line = source.lines[place.line - 1]
    if line[place.column - 1 : place.column] not in tuple(_TYPOGRAPHIC) or len(line) > 1000:
        return None
    facts = {"character": line[place.column - 1], "right": line.split("#")[0].translate(_TO_PLAIN).strip()}
    return Mistake("PVE035", source, place=place, facts=facts)


def _left_open(source: Source, place: Place) -> Place | None:
    """The bracket of a list above that is still open where something else begins."""
    if not _BEGINS.match(source.lines[place.line - 1]):
        return None
    depth = 0
    for row in range(place.line - 2, -1, -1):
        line = source.lines[row]
        bare = _STRINGS_AND_COMMENTS.sub(lambda found: " " * len(found[0]), line)
        depth += bare.count("[") - bare.count("]")
        if depth > 0 and (found := re.search(r"=\s*(\[)", bare)):
            return Place(row + 1, found.start(1) + 1, row + 1, found.end(1) + 1)
        if _BEGINS.match(line):
            return None
    return None


def _repeated(source: Source, place: Place) -> Mistake:
    """A key or table that stands twice: where it does so, and where it stands first."""
    from pvegen import positions

    again = positions.repeated(source.text or "")
    if again is None:
        return Mistake("PVE020", source, place=place, facts={"said": ""})
    path, (row, _, _, _) = again
    line = source.lines[row]
    start = len(line) - len(line.lstrip())
    first = source.place_of(path, "key")
    key = ".".join(str(part) for part in path if isinstance(part, str))
    place = Place(row + 1, start + 1, row + 1, len(line[start:].split("=")[0].split("#")[0].rstrip()) + start + 1)
    return Mistake("PVE021", source, place=place, facts={"key": key, "first": first.line})
