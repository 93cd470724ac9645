"""One node's life in each shell: look, apply, apply again, look, verify; and the calls that only tell."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable

import pytest
from sandbox import SHELLS

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


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("system", support.TEXTS)
def test_life_of_a_node(make: Make, system: str, shell: str, same_in_all_shells: Compare) -> None:
    # Whether p11's pveproxy has failed yet, without a name for its node, is a matter of milliseconds.
    box = make(support.TEXTS[system], held=["pveproxy"])
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

    before = support.picture(box)
    same_in_all_shells("check again", support.check(box, shell=shell).expect(0))
    same_in_all_shells("verify", support.verify(box, shell=shell).expect(0))
    assert support.untouched(before, support.picture(box)) == []
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
