"""docs/safety.md says what the scripts refuse, each row with the tests that guard it.

pytest tests/test_safety.py --renew     writes its table anew
"""

from __future__ import annotations

import re

from scripts import traps

FACTS = {"N": 10, "I": 2, "T": 1, "H": 2, "S": 8, "R": 2, "C": 3, "V": 6, "K": 12}
"""How many items each letter has, of those that were found in the wiki's commands."""


def test_every_item_has_its_row() -> None:
    named = [f"{letter}{number}" for letter, count in FACTS.items() for number in range(1, count + 1)]
    assert [name for name in traps.items() if not name.startswith("B")] == named
    assert all(set(item) == {"wrong", "ours"} for item in traps.items().values())
    assert {re.sub(r"\d+$", "", name) for name in traps.items()} == {*FACTS, "B"}


def test_every_item_has_a_test() -> None:
    assert [name for name in traps.items() if name not in traps.guards()] == []


def test_no_test_is_marked_with_what_there_is_not() -> None:
    assert set(traps.guards()) - set(traps.items()) == set()


def test_the_page_is_as_it_would_be_written(renew: bool) -> None:
    page = traps.PAGE.read_text("utf-8")
    if renew:
        page = traps.renewed(page)
        traps.PAGE.write_text(page, "utf-8")
    assert page == traps.renewed(page), "renew it: pytest tests/test_safety.py --renew"
