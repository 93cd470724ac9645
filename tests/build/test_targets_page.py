"""docs/targets.md: its table has every target, and its tests exist. Its commands: tests/pages/test_desk_pages.py."""

from __future__ import annotations

import re

import desk

from pvegen import target
from pvegen.facts import facts

PAGE = desk.ROOT / "docs" / "targets.md"
CELL = re.compile(r"-i?|[GSR]L?i?")


# ------------------------------------------------- what is verified by what


def rows() -> list[list[str]]:
    """The table's rows: the claim, a cell for each target, the tests."""
    table = PAGE.read_text("utf-8").partition("## What is verified by what")[2]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]


def test_the_table_has_every_target() -> None:
    head, _, *body = rows()
    assert head == ["Claim", *(f"`{name}`" for name in target.names()), "Where"]
    for claim, *cells, _ in body:
        assert len(cells) == len(target.names()), claim
        assert all(CELL.fullmatch(cell) for cell in cells), claim


def test_the_tables_tests_exist() -> None:
    named = {path for *_, where in rows()[2:] for path in re.findall(r"`([^`]+)`", where)}
    assert [path for path in sorted(named) if not (desk.ROOT / path).exists()] == []
    assert all(re.findall(r"`([^`]+)`", row[-1]) for row in rows()[2:])


def test_the_table_marks_what_is_inferred() -> None:
    """A claim that names facts is marked where one of them is a guess, and each guess is named by a claim."""
    inferred = {
        name: {fact.name for fact in facts(target.shipped().text(name), target.load(name).data) if fact.confidence == "inferred"}
        for name in target.names()
    }  # fmt: skip
    claimed = dict.fromkeys(target.names(), frozenset[str]())
    for claim, *cells, _ in rows()[2:]:
        known = set(re.findall(r"`([a-z]+\.[a-z_]+)`", claim))
        for name, cell in zip(target.names(), cells, strict=True):
            assert cell.endswith("i") == bool(known & inferred[name]), (claim, name)
            claimed[name] |= known
    assert {name: inferred[name] - claimed[name] for name in inferred if inferred[name] - claimed[name]} == {}
