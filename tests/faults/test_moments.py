"""What comes from outside at any moment: a closed terminal, a second run, a clock that is set back."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest
from sandbox import Result
from sandbox.patience import LONGEST
from scripts.nodes import TARGETS

from . import sample
from .table import LOCAL, hand_over
from .test_calls import ended_well
from .test_killed import cells
from .trials import Trial, points_of, trial

pytestmark = [pytest.mark.sandbox, pytest.mark.faults]

CLOSED, TWO, CLOCK = "the terminal closed", "two runs at the same moment", "the clock set back"
SAMPLE = {
    CLOSED: dict(zip(LOCAL, (3, 2), strict=True)),
    TWO: dict(zip(LOCAL, (2, 2), strict=True)),
    CLOCK: dict(zip(LOCAL, (2, 2), strict=True)),
}


def moments(role: str, target: str) -> list[float]:
    """Seconds after the start of a run of some two seconds."""
    return [n / 20 for n in range(1, 40)]


def close_terminal(tried: Trial, after: float) -> None:
    """The terminal of a run goes away, as when a window is closed or a line drops; then the run is over in time."""
    try:
        tried.apply(tty=True, timeout=after / LONGEST)
    except subprocess.TimeoutExpired:
        end = time.monotonic() + 100
        while tried.box.run(["pgrep", "-f", f"^dash {tried.path} apply"]).status == 0:
            assert time.monotonic() < end, "the run has not ended"
            time.sleep(0.1)


def run_twice(tried: Trial, after: float) -> None:
    """The second run is refused while the first one is at work, and comes to nothing new after it."""
    found: list[Result] = []
    threads = [threading.Thread(target=lambda: found.append(tried.apply())) for _ in range(2)]
    for thread in threads:
        thread.start()
        # By the same time both have begun, or the first one is at work.
        time.sleep(after / 10)
    for thread in threads:
        thread.join()
    refused = [done for done in found if done.status == 78]
    assert sorted(done.status for done in found) in ([0, 0], [0, 78]), [str(done) for done in found]
    assert all("another run of a pvegen script is under way" in done.stdout for done in refused)


DATE = r"""#!/usr/bin/dash
# The clock goes back by an hour, or by years, when it has been asked for the N-th time.
calls=0
[ ! -r /dev/shm/dates ] || read -r calls </dev/shm/dates
calls=$((calls + 1))
printf '%s\n' "$calls" >/dev/shm/dates
[ "$calls" -gt {after} ] || exec /usr/bin/date "$@"
case $*" " in
    *-d* | *--date* | *-r* | *-s* | *--set*) exec /usr/bin/date "$@" ;;
    *) exec /usr/bin/date -d '{back}' "$@" ;;
esac
"""


def set_back(tried: Trial, after: float) -> None:
    """A run under a clock that jumps: it ends well, or says what is wrong."""
    back = ("1 hour ago", "2000-01-01")[int(after * 20) % 2]
    tried.box.put("/usr/sbin/date", DATE.replace("{after}", str(int(after * 2))).replace("{back}", back), 0o755)
    done = tried.apply()
    tried.box.remove("/usr/sbin/date")
    if done.status:
        ended_well(done, back)


DISTURB = {CLOSED: close_terminal, TWO: run_twice, CLOCK: set_back}


@pytest.mark.parametrize(("row", "column", "part"), cells(*DISTURB))
def test_what_comes_at_a_moment(row: str, column: str, part: int, request: pytest.FixtureRequest) -> None:
    points, mine = points_of(row, column, part, SAMPLE[row][column], moments)
    for role, target, after in mine:
        with trial(role, target) as tried:
            DISTURB[row](tried, after)
            tried.finish(f"{row}: {after} s: {role} {target}", booted=True)
    hand_over(request, row, column, points, len(mine), part, sample.PARTS)


@pytest.mark.parametrize("target", TARGETS)
def test_a_clock_that_is_far_back_is_refused(target: str) -> None:
    with trial("alone", target) as tried:
        tried.box.put("/usr/sbin/date", DATE.replace("{after}", "0").replace("{back}", "2000-01-01"), 0o755)
        done = tried.apply()
        assert done.status == 78 and "before this Proxmox VE existed" in done.stdout, done
