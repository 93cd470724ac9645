"""One node's life in each shell: look, apply, apply again, look, verify; and the calls that only tell."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable

import pytest
from faults import sample
from faults.trials import Trial, end_state, trial, undisturbed
from sandbox import SHELLS, Sandbox, diff_trees
from sandbox.requirements import require
from sandbox.systems import UNPACKED

from . import support
from .conftest import Make
from .support import Run

pytestmark = pytest.mark.sandbox

WRONG_CALLS = [["aply"], ["check", "apply"], ["--only"], ["--only", "nosuch"], ["--from", "BRIDGE"], ["--force"], [""]]
STEPS = {
    "alt-p8": "host time bridge mirror names ssh trust rrdcached stub services root-login create manager",
    "alt-p11": "host time bridge names ssh trust services root-login create manager",
}
Compare = Callable[[str, Run], None]


@pytest.fixture
def same_in_all_shells(system: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Compare:
    """compare(call, run): fails where an earlier shell had another exit status or output; times do not count.

    The first shell's output stands in a folder that all workers of pytest share.
    """
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent

    def compare(call: str, run: Run) -> None:
        name = hashlib.sha256(f"{system} {call}".encode()).hexdigest()
        mine = folder / f"{name}.{worker_id}"
        mine.write_text(f"exit status {run.status}\n{support.neutral(run.stdout)}", "utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(mine, folder / name)
        assert mine.read_text("utf-8") == (folder / name).read_text("utf-8")

    return compare


def with_applets_first(box: Sandbox) -> str:
    """The node's busybox is one whose shell takes its own "rpm", "ip" and others before the system's; its name."""
    path = UNPACKED / "busybox-static/bin/busybox"
    unpacked = "busybox-static has to be unpacked below .debian, as .ci/run does it"
    require("tests of a busybox with its own commands", None if path.exists() else unpacked)
    box.put("/usr/bin/busybox", path.read_bytes(), 0o755)
    assert box.run("command -v sed", shell="busybox").stdout == "sed\n"
    return "busybox"


@pytest.mark.parametrize("shell", [*SHELLS, "busybox-static"])
@pytest.mark.parametrize("system", support.TEXTS)
def test_life_of_a_node(make: Make, system: str, shell: str, same_in_all_shells: Compare) -> None:
    # Whether p11's pveproxy has failed yet, without a name for its node, is a matter of milliseconds.
    box = make(support.TEXTS[system], held=["pveproxy"])
    if shell == "busybox-static":
        shell = with_applets_first(box)
    before = support.picture(box)

    box.forget_calls()
    run = support.check(box, shell=shell).expect(2)
    same_in_all_shells("check", run)
    assert run.tap.failures() == [] and run.tap.bail is None
    assert run.changes == len(run.tap.todo()) > 10
    assert support.untouched(before, support.picture(box)) == []
    assert support.unit_calls(box) == []

    run = support.apply(box, shell=shell).expect(0)
    same_in_all_shells("apply", run)
    assert run.failures == []
    assert "quorate" in box.read("/etc/pve/.members")
    head, _, logged = box.read(f"{support.LOG}/mypve.log").lstrip().partition("\n")
    assert head.endswith(" pve1 apply") and run.stdout.endswith(logged) and "# Done. " in logged

    before = support.picture(box, skip=[support.LOG])
    box.forget_calls()
    run = support.apply(box, shell=shell).expect(0)
    same_in_all_shells("apply again", run)
    assert run.changes == 0
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
    assert support.unit_calls(box) == []

    before = support.picture(box, skip=[support.LOG])
    same_in_all_shells("check again", support.check(box, shell=shell).expect(0))
    same_in_all_shells("verify", support.verify(box, shell=shell).expect(0))
    # Beside its receipt.
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
    assert support.unit_calls(box) == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("system", support.TEXTS)
def test_calls_that_only_tell(make: Make, system: str, shell: str, same_in_all_shells: Compare) -> None:
    box = make(support.TEXTS[system], held=["pve-cluster", "pveproxy"])
    before = support.picture(box)
    box.forget_calls()

    listed = support.run(box, "steps", shell=shell, tap=False).expect(0)
    same_in_all_shells("steps", listed)
    assert " ".join(line.split()[0] for line in listed.stdout.splitlines()) == STEPS[system]

    usage = support.run(box, "help", shell=shell, tap=False).expect(0)
    same_in_all_shells("help", usage)
    assert support.run(box, "--help", shell=shell, tap=False).expect(0).stdout == usage.stdout
    assert all(f"sh pve1.sh {call} " in usage.stdout for call in ("check", "apply", "verify", "steps", "help"))

    for words in WRONG_CALLS:
        wrong = support.run(box, *words, shell=shell, tap=False)
        assert (wrong.status, wrong.stdout) == (64, ""), f"{words}: {wrong}"
        assert wrong.stderr.endswith(usage.stdout) and wrong.stderr.count("\n") == usage.stdout.count("\n") + 1
        same_in_all_shells(" ".join(words), Run(wrong.status, wrong.stderr, ""))

    assert support.untouched(before, support.picture(box)) == []
    assert box.calls() == []


@pytest.mark.parametrize("system", support.TEXTS)
def test_no_call_at_all_is_check(make: Make, system: str) -> None:
    box = make(support.TEXTS[system], held=["pve-cluster", "pveproxy"])
    assert support.run(box).expect(2).stdout == support.check(box).expect(2).stdout


# Disturbed, in the shells that tests/faults, where it is dash's turn, leave out -------------------------------------

OTHERS = [shell for shell in SHELLS if shell not in ("dash", "bash")]
FORKS = "clone,clone3,fork,vfork"
STATUS = {"HUP": 129, "INT": 130, "TERM": 143}


def death(tried: Trial, n: int, signal: str = "KILL") -> int:
    """Sends the signal when the shell makes its N-th process of a kind; gives the exit status of the run."""
    words = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject={FORKS}:signal={signal}:when={n}"]
    done = tried.apply(*words)
    status = STATUS.get(signal, 137)
    assert done.status in (0, status), (n, done)
    if done.status and signal != "KILL":
        assert re.search("^Bail out! interrupted", done.stdout, re.M), done
    return done.status


def killed(tried: Trial, n: int) -> None:
    death(tried, n)


def signalled(tried: Trial, n: int) -> None:
    death(tried, n, sorted(STATUS)[n % 3])


def on_a_full_disk(tried: Trial, n: int) -> None:
    tried.box.fill_disk(4096 * (n % 24))
    done = tried.apply()
    tried.box.empty_disk()
    assert done.status in (0, 1, 78), done
    assert done.status == 0 or re.search("^Bail out! .", done.stdout, re.M), done


def with_a_file_that_cannot_be_renamed(tried: Trial, n: int) -> None:
    moves = "rename,renameat,renameat2"
    words = [
        "strace",
        "-f",
        "-D",
        "-qq",
        "--seccomp-bpf",
        "-o",
        "/dev/null",
        "-P",
        "/etc/hosts",
        "-e",
        f"trace={moves}",
    ]
    before = tried.box.read("/etc/hosts")
    done = tried.apply(*words, "-e", f"inject={moves}:error={('EIO', 'ENOSPC')[n % 2]}")
    assert done.status == 1 and "cannot write /etc/hosts" in done.stdout, done
    assert tried.box.read("/etc/hosts") == before


def twice_at_once(tried: Trial, n: int) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(tried.apply().status)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) in ([0, 0], [0, 78])


def on_another_host(tried: Trial, n: int) -> None:
    before = tried.box.changes()
    tried.box.run("hostname elsewhere").check()
    done = tried.apply()
    assert done.status == 78 and "this host is elsewhere" in done.stdout, done
    assert diff_trees(before, tried.box.changes()) == []
    tried.box.run("hostname pve1").check()


DISTURBED = [killed, signalled, on_a_full_disk, with_a_file_that_cannot_be_renamed, twice_at_once, on_another_host]


@pytest.mark.parametrize("shell", OTHERS)
@pytest.mark.parametrize("disturb", DISTURBED, ids=lambda disturb: disturb.__name__)
def test_a_disturbed_run(shell: str, disturb: Callable[[Trial, int], None]) -> None:
    """Once in each shell, or more often where every point is wanted; the end is that of dash, undisturbed."""
    chance = sample.chance("shells", shell, disturb.__name__)
    for _ in range(12 if sample.EVERY else 1):
        with trial("alone", chance.choice(sorted(support.TEXTS))) as tried:
            tried.shell = shell
            disturb(tried, chance.randrange(25, 60))
            tried.finish(f"{disturb.__name__} in {shell}", booted=True)


@pytest.mark.parametrize("shell", OTHERS)
def test_the_end_state_is_the_same(shell: str) -> None:
    with trial("alone", "alt-p8") as tried:
        tried.shell = shell
        assert tried.apply().status == 0
        assert diff_trees(undisturbed("alone", "alt-p8"), end_state(tried.box)) == []
