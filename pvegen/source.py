"""The text of a description, and where in it each key and value stands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """A stretch of the text: lines and columns from 1, columns in characters, the end not included."""

    line: int
    column: int
    end_line: int
    end_column: int


class Source:
    """One description's text.

    name: how messages call the file; text: None where the file could not be read;
    parsed: what was parsed in its place, line by line the same but for the lines in
    mended, whose values stand at the places given there.
    """

    def __init__(
        self, name: str, text: str | None, parsed: str | None = None, mended: Mapping[int, Place] | None = None
    ) -> None:
        self.name = name
        self.text = text
        self._parsed = text if parsed is None else parsed
        self._mended = mended or {}
        self._stated: dict[Path, tuple[Path, Path]] = {}

    @property
    def is_mended(self) -> bool:
        """Whether what was parsed is not quite the text, so that there is a mistake already."""
        return bool(self._mended)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return (self.text or "").split("\n")

    def place_of(self, path: Path, part: str = "value", inside: tuple[int, int] | None = None) -> Place:
        """Where a key or value stands; for a table that is its header.

        part: "key" or "value"; inside: the characters of a string's value that are
        meant, from 0, the end not included. What stands nowhere (a key that is left
        out) is looked for in the tables around it, at last at the file's start.
        """
        path = self._as_stated(path)
        while path not in self._positions:
            if not path:
                return Place(1, 1, 1, 1)
            path, part, inside = path[:-1], "value", None
        key, value = self._positions[path]
        place = self._in_characters(key if part == "key" else value)
        if part == "value" and place.line in self._mended:
            return self._mended[place.line]
        return place if inside is None else self._narrow(place, inside)

    def has(self, path: Path) -> bool:
        """Whether a key or table stands in the text."""
        return self._as_stated(path) in self._positions

    def take_for(self, meant: Path, table: Path, *parts: str | int) -> None:
        """Let a path mean what stands elsewhere in a table that it is in: there at these parts."""
        self._stated[meant] = table, parts

    def _as_stated(self, path: Path) -> Path:
        for length in range(len(path), 0, -1) if self._stated else ():
            if found := self._stated.get(path[:length]):
                table, parts = found
                return (*self._as_stated(table), *parts, *path[length:])
        return path

    @cached_property
    def _positions(self) -> dict[Path, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]]:
        # Only a mistake needs positions, and only they need the second parser.
        from pvegen import positions

        return positions.index(self._parsed or "")

    def _in_characters(self, stretch: tuple[int, int, int, int]) -> Place:
        """Rows from 0 and columns in bytes, as the parser counts, to a Place."""
        row, start, end_row, end = stretch
        return Place(row + 1, self._column(row, start), end_row + 1, self._column(end_row, end))

    def _column(self, row: int, byte: int) -> int:
        line = self.lines[row].encode() if row < len(self.lines) else b""
        return len(line[:byte].decode(errors="replace")) + 1

    def _narrow(self, place: Place, inside: tuple[int, int]) -> Place:
        """A part of a string; the whole one where its spelling is not its value (escapes, several lines)."""
        raw = self.lines[place.line - 1][place.column - 1 : place.end_column - 1]
        if place.line != place.end_line or "\\" in raw or raw.startswith(('"""', "'''")):
            return place
        offset = place.column + (1 if raw.startswith(('"', "'")) else 0)
        return Place(place.line, offset + inside[0], place.line, offset + inside[1])
