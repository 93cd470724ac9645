"""The catalogue: every code complete, and found by the quick way of reading as by the whole one."""

from __future__ import annotations

import re
import string
import tomllib
from pathlib import Path

import pytest

import pvegen
from pvegen import catalogue

PACKAGE = Path(pvegen.__file__).parent
WHOLE = tomllib.loads((PACKAGE / "messages" / "en.toml").read_text("utf-8"))
CODES = [code for code in WHOLE if code.startswith("PVE")]


def test_codes_read_one_by_one_are_those_of_the_whole_file() -> None:
    texts = catalogue.load("en")
    assert texts.codes == CODES
    assert {code: texts.entry(code)._asdict() for code in CODES} == {
        code: {"code": code, **WHOLE[code]} for code in CODES
    }


@pytest.mark.parametrize("code", CODES)
def test_every_text_is_there(code: str) -> None:
    entry = WHOLE[code]
    assert set(entry) == {"title", "what", "do", "explain"}
    assert entry["what"].endswith((".", "?", "said}", "{circle}.")) or "{" in entry["what"]
    assert len(entry["explain"].split()) > 15
    assert max(len(line) for line in entry["explain"].splitlines()) <= 90


def test_every_code_that_is_used_is_in_the_catalogue_and_the_other_way_round() -> None:
    used = {c for path in PACKAGE.rglob("*.py") for c in re.findall(r'"(PVE\d{3})"', path.read_text("utf-8"))}
    assert used == set(CODES)


@pytest.mark.parametrize("language", catalogue.languages())
def test_every_language_uses_the_facts_of_the_english_text(language: str) -> None:
    other = catalogue.load(language)
    for code in CODES:
        for name in ("what", "do"):
            assert fields(getattr(other.entry(code), name)) <= fields(WHOLE[code]["what"]) | fields(WHOLE[code]["do"])


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_numbers_of_any_length_can_be_shown() -> None:
    from pvegen.mistakes import Mistake
    from pvegen.source import Source

    mistake = Mistake("PVE113", Source("x", ""), facts={"value": 16**6000, "text": "\x1b[2J" + "x" * 500})
    shown = catalogue.load("en").say("{value} {text}", mistake)
    assert len(shown) < 300
    assert "\x1b" not in shown


def test_a_second_language_falls_back_to_english() -> None:
    english = (PACKAGE / "messages" / "en.toml").read_text("utf-8")
    both = catalogue.Catalogue(['[report]\nerror = "ошибка"\n\n[PVE101]\ntitle = "неизвестный ключ"\n', english])
    assert both.report["error"] == "ошибка"
    assert both.report["warning"] == "warning"
    assert both.entry("PVE101").title == "неизвестный ключ"
    assert both.entry("PVE101").what == WHOLE["PVE101"]["what"]
    assert both.codes == CODES
