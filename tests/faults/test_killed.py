"""A run that dies before any of its commands: the next one ends where an undisturbed one does, nothing lost.

strace makes the script die before its N-th command. Commands and subshells are counted apart (vfork, clone).
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from sandbox import diff_trees
from scripts.nodes import TARGETS, trash

from . import sample
from .table import COLUMNS, ROWS, hand_over
from .trials import ADMINS, Trial, commands, end_state, points_of, trial

pytestmark = [pytest.mark.sandbox, pytest.mark.faults]

KILLED, CUT, SIGNAL = (
    "killed before a command, run again",
    "power lost before a command, booted, run again",
    "TERM, INT, HUP before a command",
)
SAMPLE = {
    KILLED: dict(zip(COLUMNS, (8, 6, 2, 2), strict=True)),
    CUT: dict(zip(COLUMNS, (4, 3, 2, 2), strict=True)),
    SIGNAL: dict(zip(COLUMNS, (4, 3, 2, 2), strict=True)),
}
STATUS = {"HUP": 129, "INT": 130, "TERM": 143}
FORKS = "/dev/shm/forks"
"""Where strace writes the calls of the kind before one of which a run is sent a signal."""


def killed(tried: Trial, point: tuple[str, int], signal: str = "KILL") -> Any:
    """Runs apply until the script is about to make a command, and is sent the signal there."""
    call, n = point
    words = ["strace", "-qq", "-o", FORKS, "-e", f"trace={call}", "-e", f"inject={call}:signal={signal}:when={n}"]
    return tried.apply(*words)


def cells(*rows: str) -> list[Any]:
    """The parameters (row, column, part) of every cell of the rows."""
    return [
        pytest.param(row, column, part, id=f"{row.split(',')[0]}-{column}-{part}".replace(" ", "_"))
        for row in rows
        for column in ROWS[row]
        for part in range(sample.PARTS)
    ]


@pytest.mark.parametrize(("row", "column", "part"), cells(KILLED, CUT))
def test_dead_before_any_command(row: str, column: str, part: int, request: pytest.FixtureRequest) -> None:
    """Where the power is lost the node boots first, with what is on its disk."""
    points, mine = points_of(row, column, part, SAMPLE[row][column], commands)
    for role, target, point in mine:
        with trial(role, target) as tried:
            died = killed(tried, point)
            # A run that waits for something more shortly may end before it comes to its last commands.
            made = tried.box.read(FORKS).count(f"{point[0]}(")
            assert died.status == 137 or (died.status == 0 and made < point[1]), (point, made, died)
            if row == CUT:
                tried.box.power_cut()
            tried.finish(f"{row}: {role} {target} {point}", booted=row == CUT)
    hand_over(request, row, column, points, len(mine), part, sample.PARTS)


@pytest.mark.parametrize(("row", "column", "part"), cells(SIGNAL))
def test_a_signal_before_any_command(row: str, column: str, part: int, request: pytest.FixtureRequest) -> None:
    """The run says so and ends with the status of the signal, or where it must not be broken off goes on to its end."""
    points, mine = points_of(row, column, part, SAMPLE[row][column], commands)
    for role, target, point in mine:
        name = sample.chance(row, column, point).choice(sorted(STATUS))
        with trial(role, target) as tried:
            before = end_state(tried.box)
            done = killed(tried, point, name)
            why = f"{name}: {role} {target} {point}"
            # Before the run has caught its signals it has done nothing, and may end without a word.
            assert done.status in (0, STATUS[name]), (why, done)
            if done.status and diff_trees(before, end_state(tried.box)):
                assert re.search(r"^Bail out! interrupted", done.stdout, re.M), (why, done)
            assert [path for path in trash(tried.box) if path.endswith(".pvegen")] == [], why
            tried.finish(why)
    hand_over(request, row, column, points, len(mine), part, sample.PARTS)


@pytest.mark.parametrize("target", TARGETS)
def test_a_hang_up_after_the_network_was_switched_stops_nothing(target: str) -> None:
    """The login that the switch has cut may be given up by sshd minutes later, when pvecm has long been at work."""
    with trial("first", target) as tried:
        done = killed(tried, commands("first", target)[-40], "HUP")
        assert done.status == 0 and "pvecm create" in done.stdout, done
        tried.finish("hang-up after the switch")


@pytest.mark.parametrize("target", TARGETS)
def test_killed_again_and_again_it_gets_to_the_end(target: str) -> None:
    """Each run dies a little later than the one before."""
    with trial("alone", target) as tried:
        for point in commands("alone", target)[60 :: 1 if sample.EVERY else 20]:
            killed(tried, point)
        tried.finish("many deaths")


@pytest.mark.parametrize("target", TARGETS)
def test_what_stood_there_first_is_kept_as_it_was(target: str) -> None:
    """The administrator's files outlive many deaths, or what they were is in the copies of the very first state."""
    with trial("alone", target) as tried:
        before = {path: tried.box.read(path) for path in ADMINS if tried.box.exists(path)}
        for point in commands("alone", target)[80::45]:
            killed(tried, point)
        tried.finish("many deaths")
        tried.apply().check()
        copies = "/var/lib/pvegen/alone/first"
        for path, text in before.items():
            assert tried.box.read(f"{copies}{path}" if tried.box.exists(copies + path) else path) == text, path
