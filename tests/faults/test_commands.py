"""A command that fails, hangs or prints nonsense, one at a time: never taken for success, and never for ever.

A stand-in stands before the command in the script's own PATH and misbehaves for the script alone, at its K-th call or
from it on; everybody else, systemctl's and pvecm's stand-ins too, gets the real one.
"""

from __future__ import annotations

import functools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from sandbox import Result, diff_trees
from scripts.support import Run

from . import sample
from .table import COLUMNS, hand_over
from .test_calls import ended_well, half
from .test_killed import cells
from .trials import Trial, end_state, points_of, seen, trial, undisturbed, without_notes

pytestmark = [pytest.mark.sandbox, pytest.mark.faults]

FAILS, NONSENSE, HANGS = "a command fails", "a command prints nonsense", "a command hangs"
SAMPLE = {
    FAILS: dict(zip(COLUMNS, (10, 6, 2, 2), strict=True)),
    NONSENSE: dict(zip(COLUMNS, (6, 4, 2, 2), strict=True)),
    HANGS: dict(zip(COLUMNS, (4, 3, 2, 2), strict=True)),
}
# What these print is the shell's own work on texts: nobody can tell that it is wrong.
TEXT = {"awk", "cat", "sed", "tr", "tail", "head", "grep", "cut", "sort", "uniq", "wc", "diff", "cmp", "tac", "paste"}
# These do something: nonsense is what they print while they do it.
DOERS = {
    "cp",
    "mv",
    "rm",
    "ln",
    "mkdir",
    "rmdir",
    "chmod",
    "chown",
    "sync",
    "touch",
    "tee",
    "install",
    "sleep",
    "ssh-keygen",
}
STARTERS = "timeout|setsid|nohup|env|nice"
LINE = re.compile(rf'\d+<(?:dash|{STARTERS})>\s+execve\("(/[^"]+)".*(?: = 0|<unfinished \.\.\.>)$')

Bad = tuple[str, str, str]
"""(whole path of a command, at which of its calls, "once" or "on")"""
CALLS: dict[str, Callable[[int], int]] = {
    "first": lambda count: 1,
    "third": lambda count: (count + 2) // 3,
    "two thirds": lambda count: (2 * count + 2) // 3,
    "last": lambda count: count,
}
"""The number of the call, of those that an undisturbed run counts: what waits calls more or less often."""

WRAPPER = r"""#!/usr/bin/dash
# For the script alone: it is the parent, or the parent of what starts other commands.
up=$PPID
for _ in 1 2 3; do
    line=''
    IFS= read -r line <"/proc/$up/cmdline"
    case $line in
        *{script}*) break ;;
        timeout* | setsid* | nohup* | env* | nice*) read -r _ _ _ up _ <"/proc/$up/stat" ;;
        *) exec {real} "$@" ;;
    esac
done
calls=0
[ ! -r /dev/shm/calls ] || read -r calls </dev/shm/calls
calls=$((calls + 1))
printf '%s\n' "$calls" >/dev/shm/calls
[ "$calls" {test} {at} ] || exec {real} "$@"
: >/dev/shm/bad
{bad}
"""
NOISE = r"printf '\033[31m%%$(nonsense)`x`\n\n999999 ok = { \"quorate\": 7 } \377\376 -- * ;\n'"
# With 1 these say "no".
ANSWERERS = {"grep", "cmp", "diff"}
BAD = {
    FAILS: "echo {name}: Input/output error >&2; exit {status}",
    HANGS: "exec sleep 3600",
}


@functools.cache
def calls(role: str, target: str) -> dict[str, int]:
    """How often an undisturbed run calls each command, by its whole path; services start by the same means."""

    found = Counter(match[1] for match in map(LINE.match, seen(role, target).lines) if match)
    own = re.compile(r"/(usr/)?s?bin/(?!(pmxcfs|pveproxy|corosync)$)[^/]+")
    return {path: count for path, count in sorted(found.items()) if own.fullmatch(path)}


def places(role: str, target: str, left_out: frozenset[str] = frozenset()) -> list[Bad]:
    """Every command, at its first and last call and at two between."""
    return [
        (path, at, how)
        for path, count in calls(role, target).items()
        if path.rpartition("/")[2] not in left_out
        for at in {number(count): name for name, number in reversed(CALLS.items())}.values()
        for how in ("once", "on")
    ]


def without_text(role: str, target: str) -> list[Bad]:
    return places(role, target, frozenset(TEXT))


def hanging(role: str, target: str) -> list[Bad]:
    return [place for place in places(role, target) if place[2] == "once"]


POINTS = {FAILS: places, NONSENSE: without_text, HANGS: hanging}


def spoil(tried: Trial, row: str, place: Bad) -> None:
    """Puts the stand-in where the script finds it first."""
    path, at, how = place
    name = path.rpartition("/")[2]
    real = path
    if path.startswith(("/usr/sbin/", "/sbin/")):
        # What runs from there (sshd calls its own file again when it is reloaded) finds it there after the mending, too.
        real = f"/dev/shm/real/{name}"
        keep = f"mkdir -p /usr/lib/real /dev/shm/real && cp /usr/sbin/{name} {real}"
        tried.box.run(f"{keep} && mv /usr/sbin/{name} /usr/lib/real/").check()
    noise = f'{NOISE}; exec {real} "$@"' if name in DOERS else f"{NOISE}; exit 0"
    bad = {**BAD, NONSENSE: noise}[row].replace("{name}", name)
    bad = bad.replace("{status}", "2" if name in ANSWERERS else "1")
    number = CALLS[at](calls(tried.role, tried.target)[path])
    test = "-eq" if how == "once" else "-ge"
    words = {"script": tried.path, "real": real, "test": test, "at": str(number), "bad": bad}
    text = functools.reduce(lambda text, word: text.replace(f"{{{word[0]}}}", word[1]), words.items(), WRAPPER)
    tried.box.put(f"/usr/sbin/{name}", text, 0o755)


def mend(tried: Trial, place: Bad) -> None:
    """The real command again."""
    name = place[0].rpartition("/")[2]
    tried.box.remove(f"/usr/sbin/{name}")
    tried.box.run(f"[ ! -e /usr/lib/real/{name} ] || mv /usr/lib/real/{name} /usr/sbin/; rm -rf /usr/lib/real").check()


def interrupted(tried: Trial) -> Result:
    """Runs apply; where a command of its hangs, waits a moment and types ^C until the run is over."""
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.append(tried.apply()))
    thread.start()
    while thread.is_alive() and not tried.box.exists("/dev/shm/bad"):
        time.sleep(0.05)
    for _ in range(40):
        thread.join(2)
        if not thread.is_alive():
            break
        tried.box.run(["pkill", "-INT", "-f", f"^(sleep 3600|dash {tried.path} apply)$"])
    thread.join()
    assert found, "the run has not ended"
    return found[0]


@pytest.mark.parametrize(("row", "column", "part"), cells(FAILS, NONSENSE, HANGS))
def test_a_command_that_misbehaves(row: str, column: str, part: int, request: pytest.FixtureRequest) -> None:
    points, mine = points_of(row, column, part, SAMPLE[row][column], POINTS[row])
    for role, target, place in mine:
        why = f"{row}: {place}: {role} {target}"
        with trial(role, target) as tried:
            before, untouched = tried.box.changes(), end_state(tried.box)
            spoil(tried, row, place)
            ran = interrupted(tried) if row == HANGS else tried.apply()
            mend(tried, place)
            done = Run(ran.status, ran.stdout, ran.stderr)
            now = end_state(tried.box)
            if done.status == 0:
                tried.settle()
                lost = diff_trees(without_notes(undisturbed(role, target)), without_notes(end_state(tried.box)))
                assert lost == [], (why, str(done), [(str(c), c.before, c.after) for c in lost])
            elif done.status == 130 and row == HANGS:
                # Before the run has caught its signals it has done nothing, and may end without a word.
                assert "Bail out! interrupted" in done.stdout or diff_trees(untouched, now) == [], (why, str(done))
            else:
                ended_well(done, why)
            assert half(before, undisturbed(role, target), now) == [], (why, str(done))
            tried.finish(why, booted=True)
    hand_over(request, row, column, points, len(mine), part, sample.PARTS)
