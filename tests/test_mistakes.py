"""Every mistake has its exact text: tests/mistakes/NAME.toml gives the report NAME.txt.

pytest tests/test_mistakes.py --renew     writes the reports anew, to be read before they are committed
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pvegen import catalogue, report
from pvegen.description import load

FOLDER = Path(__file__).parent / "mistakes"
UNIT = Path(__file__).parent / "unit"
CASES = sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.mark.parametrize("case", CASES)
def test_report(case: str, renew: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    loaded = load(f"{case}.toml")
    text = report.render([(loaded.source, loaded.mistakes)])
    expected = FOLDER / f"{case}.txt"
    if renew:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


def test_no_report_without_a_description() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} <= set(CASES)


def test_every_code_is_shown_by_a_fixture_or_a_unit_test() -> None:
    shown = {code for path in FOLDER.glob("*.txt") for code in re.findall(r"PVE\d{3}", path.read_text("utf-8"))}
    tested = {code for path in UNIT.glob("test_*.py") for code in re.findall(r"PVE\d{3}", path.read_text("utf-8"))}
    assert set(catalogue.load("en").codes) - shown - tested == set()
