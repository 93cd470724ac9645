"""The texts of all mistakes, `messages/<language>.toml`, and a mistake's text made from them.

Read only when there is something to say. A language is one more file; what it
lacks is said in English.
"""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache
from typing import Any, NamedTuple

from pvegen.mistakes import Mistake, Sample, Where, Word

_MESSAGES = os.path.join(os.path.dirname(__file__), "messages")
_LONGEST = 120


class Entry(NamedTuple):
    """One code: its title, what is wrong and what to do (with {facts}), and the long explanation."""

    code: str
    title: str
    what: str
    do: str
    explain: str


class Catalogue:
    """Every text in one language; a code's entry is parsed when it is asked for.

    texts: of the catalogues, the first one being asked first.
    """

    def __init__(self, texts: list[str]) -> None:
        self._parts = [_parts(text) for text in texts]
        heads = [tomllib.loads(parts.pop("")) for parts in self._parts]
        self.words: dict[str, str] = {}
        self.report: dict[str, Any] = {}
        self.build: dict[str, str] = {}
        self.call: dict[str, str] = {}
        self.targets: dict[str, Any] = {}
        self.show: dict[str, str] = {}
        self.runbook: dict[str, str] = {}
        self.bundle: dict[str, str] = {}
        self.review: dict[str, str] = {}
        self.receipts: dict[str, str] = {}
        for head in reversed(heads):
            self.words |= head.get("words", {})
            self.report |= head.get("report", {})
            self.build |= head.get("build", {})
            self.call |= head.get("call", {})
            self.targets |= head.get("targets", {})
            self.show |= head.get("show", {})
            self.runbook |= head.get("runbook", {})
            self.bundle |= head.get("bundle", {})
            self.review |= head.get("review", {})
            self.receipts |= head.get("receipts", {})

    @property
    def codes(self) -> list[str]:
        """All codes, in the catalogue's order."""
        return list(self._parts[-1])

    @cache  # noqa: B019 - there is one catalogue
    def entry(self, code: str) -> Entry:
        """The texts of a code; KeyError for an unknown one."""
        found: dict[str, str] = {}
        for parts in reversed(self._parts):
            if code in parts:
                found |= tomllib.loads(parts[code])[code]
        if not found:
            raise KeyError(code)
        return Entry(code, **found)

    def count(self, name: str, number: int) -> str:
        """ "3 errors": a counted word in its right form."""
        forms: list[str] = self.report[name]
        import gettext

        return forms[gettext.c2py(self.report["plural"])(number)].format(n=number)

    def say(self, template: str, mistake: Mistake) -> str:
        """A text with the mistake's facts filled in."""
        facts = {name: self._fact(value, mistake) for name, value in mistake.facts.items()}
        return template.format_map(facts)

    def _fact(self, value: object, mistake: Mistake) -> str:
        if isinstance(value, Sample):
            return value
        if isinstance(value, Word):
            return self.words[value]
        if isinstance(value, Where):
            line = mistake.source.place_of(value.path, value.part).line
            return self.words["line"].format(n=line)
        if isinstance(value, list | tuple):
            return ", ".join(self._fact(item, mistake) for item in value)
        return visible(_shortened(value))


def _shortened(value: object) -> str:
    """A value as text of bearable length."""
    try:
        text = str(value)
    except ValueError:  # an integer of more digits than Python prints
        text = hex(value)[:_LONGEST] if isinstance(value, int) else "?"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def visible(text: str) -> str:
    """The text with whatever a terminal would obey or hide made visible: \\x1b, \\u202e."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def languages() -> list[str]:
    """The languages that there is a catalogue of."""
    return sorted(name.removesuffix(".toml") for name in os.listdir(_MESSAGES) if name.endswith(".toml"))


@cache
def load(language: str | None = None) -> Catalogue:
    """The catalogue of a language, by default the environment's (LC_ALL, LC_MESSAGES, LANG)."""
    language = language or _wanted()
    wanted = [language] if language != "en" and language in languages() else []
    return Catalogue([_read(name) for name in [*wanted, "en"]])


def _parts(text: str) -> dict[str, str]:
    """A catalogue's text by code, and under "" what stands before the first."""
    found = {}
    name, start = "", 0
    for header in re.finditer(r"^\[(PVE\d{3})\]$", text, re.MULTILINE):
        found[name] = text[start : header.start()]
        name, start = header[1], header.start()
    return found | {name: text[start:]}


def _wanted() -> str:
    stated = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or "en"
    return stated[:2].lower()


def _read(language: str) -> str:
    with open(os.path.join(_MESSAGES, f"{language}.toml"), encoding="utf-8") as stream:
        return stream.read()
