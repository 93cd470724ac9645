"""The table of faults in docs/safety.md: what each test hands over, put together and compared at the end of a run.

A test says what it has done by `hand_over`; pytest carries that from the workers to the controller, which at the end
has the table if every cell of it was run whole and passed. A part of the tests alone writes and compares nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from . import sample

PAGE = Path(__file__).resolve().parents[2] / "docs" / "safety.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
COLUMNS = ("local, etcnet", "local, ifupdown2", "first node", "joiner")
LOCAL = COLUMNS[:2]
ROWS: dict[str, tuple[str, ...]] = {
    "killed before a command, run again": COLUMNS,
    "power lost before a command, booted, run again": COLUMNS,
    "ENOSPC, EIO, EROFS, EACCES on a call that writes": COLUMNS,
    "a full disk": LOCAL,
    "a command fails": COLUMNS,
    "a command prints nonsense": COLUMNS,
    "a command hangs": COLUMNS,
    "TERM, INT, HUP before a command": COLUMNS,
    "the terminal closed": LOCAL,
    "two runs at the same moment": LOCAL,
    "the clock set back": LOCAL,
}
"""Kinds of faults, and what each is tried on."""
SECTION = """\
## Faults, injected and survived

Written by the tests themselves (`pytest --renew tests/faults`). Each point is a run of a whole
`apply` on a fresh node with one fault in it. Survived means: it ended in bounded time with exit
status 0, 1 or 78 or by the signal; it said what was wrong; each file was the old one or the new
one; and the next run ended with the very tree of an undisturbed run, the administrator's own
files in it, nothing left over, `verify` content.

"""


@dataclass
class Cell:
    """One cell: the points there are, those tried, and of how many parts which ones have come in."""

    points: int = 0
    tried: int = 0
    parts: int = 0
    seen: set[int] = field(default_factory=set)


def hand_over(
    request: pytest.FixtureRequest, row: str, column: str, points: int, tried: int, part: int, of: int
) -> None:
    """Tells what a test has tried and seen survived: part PART of OF of a cell that has so many points."""
    assert column in ROWS[row]
    request.node.user_properties.append(("faults", json.dumps([row, column, points, tried, part, of])))


class Collector:
    """Takes what the tests hand over, on the controller alone."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], Cell] = defaultdict(Cell)
        self.said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" or not report.passed:
            return
        for name, value in report.user_properties:
            if name == "faults":
                row, column, points, tried, part, of = json.loads(str(value))
                cell = self.cells[row, column]
                cell.points, cell.parts = max(cell.points, points), of
                cell.tried += tried
                cell.seen.add(part)

    def is_whole(self) -> bool:
        """Whether every cell was run, all parts of it, and survived."""
        wanted = {(row, column) for row, columns in ROWS.items() for column in columns}
        return wanted == {name for name, cell in self.cells.items() if len(cell.seen) == cell.parts}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.is_whole():
            return
        old = PAGE.read_text("utf-8") if PAGE.exists() else ""
        if not sample.is_usual():
            self.said = drawn(self.cells, {})
            return
        new = put_into(old, drawn(self.cells, counts_of(old)))
        if new == old:
            return
        if session.config.getoption("--renew") and not os.environ.get("CI"):
            PAGE.write_text(new, "utf-8")
            self.said = f"{PAGE.name}: written anew"
        else:
            self.said = f"the table in docs/{PAGE.name} is stale; renew it: pytest --renew tests/faults\n{new}"
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.said:
            terminalreporter.section("faults")
            terminalreporter.write_line(self.said)


def drawn(cells: dict[tuple[str, str], Cell], before: dict[tuple[str, str], int]) -> str:
    """The table as Markdown. A count of points that is near the one BEFORE is left as that: loops that wait vary."""
    lines = [f"| Fault (tried of all points; seed {sample.SEED}) | {' | '.join(COLUMNS)} |", "|---" * 5 + "|"]
    total = tried = 0
    for row, columns in ROWS.items():
        words = []
        for column in COLUMNS:
            if column not in columns:
                words.append("")
                continue
            cell = cells[row, column]
            points = steady(cell.points, before.get((row, column)))
            total, tried = total + points, tried + cell.tried
            words.append(f"{cell.tried} of {points}")
        lines.append(f"| {row} | {' | '.join(words)} |")
    lines += ["", f"In all {tried} of {total}, and all of them survived. `make faults` tries every point."]
    return "\n".join(lines) + "\n"


def steady(now: int, before: int | None) -> int:
    """A count of points, or the one written before where the two are as good as the same."""
    return before if before is not None and abs(now - before) <= max(3, before // 2) else now


def counts_of(page: str) -> dict[tuple[str, str], int]:
    """The counts of points in the table of a page."""
    found = {}
    for line in page.partition(BEGIN)[2].partition(END)[0].splitlines():
        row, *words = [word.strip() for word in line.strip("|").split("|")]
        for column, word in zip(COLUMNS, words, strict=False):
            if count := re.fullmatch(r"\d+ of (\d+)", word):
                found[row, column] = int(count[1])
    return found


def put_into(page: str, table: str) -> str:
    """The page with the table between its two marks; the section, the page where there is none."""
    if BEGIN not in page:
        page = (page.rstrip("\n") + "\n\n" if page else "# Safety\n\n") + f"{SECTION}{BEGIN}\n{END}\n"
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{table}{END}{rest.partition(END)[2]}"
