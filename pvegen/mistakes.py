"""What a mistake in a description is. The texts stand in the catalogue, `messages/`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pvegen.source import Path, Place, Source


def is_warning(code: str) -> bool:
    """Whether a code is a warning's: those from PVE900 on are, all others are errors."""
    return code >= "PVE9"


@dataclass(eq=False)
class Mistake:
    """One mistake: its code, where it is, and the facts that its text needs.

    path: what of the description it is about; part: "key" or "value" of it, or
    "file" for the file as a whole; inside: characters of a string's value;
    place: where it is, for text that could not be read as TOML and has no paths.
    """

    code: str
    source: Source
    path: Path = ()
    part: str = "value"
    inside: tuple[int, int] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    place: Place | None = None

    @property
    def is_warning(self) -> bool:
        """Whether it lets a build go on."""
        return is_warning(self.code)


@dataclass(frozen=True)
class Where:
    """A fact that names another place of the same file: its text is the line's number."""

    path: Path
    part: str = "value"


class Word(str):
    """A fact whose text stands in the catalogue's [words]."""

    __slots__ = ()


class Sample(str):
    """A fact that is pvegen's own text, of one line or several: shown as it stands."""

    __slots__ = ()


def has_errors(mistakes: Iterable[Mistake], strict: bool = False) -> bool:
    """Whether there is one that stops a build; when strict, a warning is one."""
    return any(strict or not mistake.is_warning for mistake in mistakes)
