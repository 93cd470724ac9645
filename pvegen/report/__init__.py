"""Reports of mistakes: what every format is made from, and the formats by name.

A format is a module with `render(report, catalogue) -> str`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pvegen.mistakes import Mistake
from pvegen.source import Place, Source

if TYPE_CHECKING:
    from pvegen.catalogue import Catalogue

FORMATS = ("text", "json", "github", "sarif")


class Finding(NamedTuple):
    """A mistake with its texts: what every format shows."""

    mistake: Mistake
    place: Place | None
    title: str
    what: str
    do: str

    @property
    def severity(self) -> str:
        """ "error" or "warning"."""
        return "warning" if self.mistake.is_warning else "error"


class Report(NamedTuple):
    """All findings, file by file and in the order of the text; strict: warnings count as errors."""

    findings: list[Finding]
    sources: list[Source]
    strict: bool = False
    colour: bool = False

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return len(self.findings) - self.errors


def render(
    checked: Iterable[tuple[Source, list[Mistake]]], form: str = "text", *, strict: bool = False, colour: bool = False
) -> str:
    """The report of several files' mistakes in one of FORMATS."""
    from pvegen import catalogue

    texts = catalogue.load()
    findings: list[Finding] = []
    sources = []
    for source, mistakes in checked:
        sources.append(source)
        findings += _findings(texts, mistakes)
    module = import_module(f"pvegen.report.{form}")
    rendered: str = module.render(Report(findings, sources, strict, colour), texts)
    return rendered


def _findings(texts: Catalogue, mistakes: list[Mistake]) -> list[Finding]:
    """One file's findings in the order of its text, none twice."""
    found: dict[tuple[Place, str, str], Finding] = {}
    for mistake in mistakes:
        entry = texts.entry(mistake.code)
        finding = Finding(
            mistake, _place(mistake), entry.title, texts.say(entry.what, mistake), texts.say(entry.do, mistake)
        )
        found.setdefault((finding.place or Place(0, 0, 0, 0), mistake.code, finding.what), finding)
    return [found[key] for key in sorted(found)]


def _place(mistake: Mistake) -> Place | None:
    if mistake.part == "file":
        return None
    return mistake.place or mistake.source.place_of(mistake.path, mistake.part, mistake.inside)


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose user has not asked for plain text (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
