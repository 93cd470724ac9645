"""What scenarios of clusters that go wrong share: a run that goes on meanwhile, and doing what a message says.

What a message says is done literally: the commands are taken out of what the script printed. See `ADVICE`.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox import Tree, diff_trees
from sandbox.machine import Result
from sandbox.patience import LONGEST
from scripts.nodes import ANSWERS, members
from scripts.support import Run

from .cluster import Lab
from .conftest import MakeLab
from .descriptions import description
from .node import Node
from .states import prepared

JOIN_LIMIT = 300


def hasty(lab: Lab, quorum: int = 15) -> None:
    """Carries scripts that wait less long for the quorum, to nodes of a description that has no limits."""
    lab.rebuild(lab.text.replace("[network]", f"[limits]\nquorum = {quorum}\n[network]", 1))


def three(target: str) -> str:
    """The description that all these scenarios share, so that its states are made once."""
    return description(target, 3)


def ready(make: MakeLab, target: str, *only: str, admit: bool = True) -> Lab:
    """The state `prepared`, with its nodes ONLY: pve1 in its quorum, and open to others' passwords if ADMIT."""
    lab = make(three(target), prepared, only=only)
    lab.until_whole("pve1")
    if admit:
        lab.call("pve1", "admit").expect(0)
    return lab


class Going:
    """A run of a node's script that goes on while the test does other things."""

    def __init__(self, lab: Lab, name: str, **options: object) -> None:
        options = {"answers": ANSWERS, "timeout": JOIN_LIMIT, **options}
        pool = ThreadPoolExecutor(1)
        self._future: Future[Run] = pool.submit(lambda: lab.apply(name, **options))
        pool.shutdown(wait=False)

    def goes(self) -> bool:
        return not self._future.done()

    def wait(self, seconds: float) -> None:
        """Waits until it has ended, no longer than that."""
        wait([self._future], seconds)

    def ended(self) -> Run:
        """How it ended, when it has."""
        return self._future.result(JOIN_LIMIT * LONGEST)

    def cut(self) -> None:
        """Waits until it is over on a node that has lost its power: what it was then is no matter."""
        self._future.exception(60 * LONGEST)


def help_of(run: Run) -> str:
    """The help of the first failure of a run, printed on a terminal or not."""
    found = re.search(r"^ *help: \|\n +(.*)", run.stdout, re.MULTILINE)
    assert found is not None, str(run)
    return found[1]


# Doing what a message says ------------------------------------------------------------------------------------------


@dataclass
class Advice:
    """Commands in a help text; where: the group that names the node, none for the node of the run itself.

    holds: whether the text's own "if" is so, for (the node of the run, the node named).
    """

    pattern: str
    holds: Callable[[Node, Node], bool] = field(default=lambda _here, _there: True)


def _waits(_here: Node, there: Node) -> bool:
    return "Quorate:          Yes" not in there.run("pvecm status").stdout


def _is_listed(here: Node, there: Node) -> bool:
    return f" {here.name}" in there.run("pvecm nodes").stdout or f"name: {here.name}\n" in there.read(
        "/etc/pve/corosync.conf"
    )


def _is_gone(here: Node, there: Node) -> bool:
    return not _is_listed(here, there)


CLEAN = r"then clean it, here: (?P<here>systemctl stop .+?); and apply again"
ADVICE = (
    Advice(r"on (?P<node>\w+), (?P<there>sh \S+ admit)"),
    Advice(r"On (?P<node>\w+): (?P<there>pvecm delnode \w+); then apply here again"),
    Advice(r"See on (?P<node>\w+): pvecm status\. If it waits .*: (?P<there>pvecm expected 1)", _waits),
    Advice(r"without quorum, on the member: (?P<there>pvecm expected 1), then apply", _waits),
    Advice(r"Where \w+ is listed, there: (?P<there>pvecm delnode \w+)\.", _is_listed),
    Advice(r"(?:If the others no longer list .*)" + CLEAN, _is_gone),
    Advice(r"If it was taken out .*" + CLEAN),
    Advice(r"Then move what it has left away here: (?P<here>systemctl .+)$"),
    Advice(r"or on (?P<node>\w+): (?P<there>rm -r \S+)"),
    Advice(r"here: (?P<here>ssh-keygen -R \S+)"),
    Advice(r"^(?P<here>systemctl stop .*)$"),
)


def follow(lab: Lab, name: str, text: str) -> list[str]:
    """Does what a help text says that the script of the node NAME has printed; gives the commands."""
    done = []
    for advice in ADVICE:
        found = re.search(advice.pattern, text)
        if found is None:
            continue
        groups = found.groupdict()
        member = groups.get("node") or lab.member(name)
        if not advice.holds(lab[name], lab[member]):
            continue
        node = lab[name] if "here" in groups else lab[member]
        command = groups.get("here") or groups["there"]
        said(node, command)
        done.append(f"{node.name}: {command}")
    return done


def said(node: Node, command: str) -> Result:
    """Runs a command as it was printed; pvecm's exit statuses mean nothing."""
    result = node.run(command, cwd="/root", timeout=120)
    return result if command.startswith("pvecm") else result.check()


def mend(lab: Lab, name: str, rounds: int = 6, patience: float = 60 * LONGEST) -> list[str]:
    """Applies a node's script, doing what it says to do, until it ends well; gives what had to be done.

    rounds: in how many something may have to be done; patience: seconds for what was done to show, such as pmxcfs
    that hears of its quorum later than corosync has it.
    """
    done: list[str] = []
    end = time.monotonic() + patience
    while rounds and time.monotonic() < end:
        run = lab.apply(name, answers=ANSWERS, timeout=JOIN_LIMIT)
        if run.status == 0:
            return done
        assert run.status in (1, 78), str(run)
        if now := follow(lab, name, help_of(run)):
            rounds -= 1
            done += now
            end = time.monotonic() + patience
        else:
            time.sleep(1)
    raise AssertionError(f"{name} is not mended after {done}\n{run}")


@contextmanager
def untouched(node: Node) -> Iterator[None]:
    """Nothing on the node's disk that a script may change is another thing at the end of the with statement."""
    before = _disk(node)
    yield
    assert diff_trees(before, _disk(node)) == []


def _disk(node: Node) -> Tree:
    return node.tree("/etc", "/root", "/var/lib/pvegen", "/var/lib/pve-cluster/config.db", skip=["/etc/pve"])


# Looking ------------------------------------------------------------------------------------------------------------


def is_alone(lab: Lab, name: str = "pve1") -> None:
    """The member is in the quorum, and lists nobody but itself."""
    lab.until(lambda: members(lab[name]) == {name: True}, f"{name} is alone")
    lab.until(lambda: lab.whole(name), f"{name} is in the quorum")


def is_unjoined(node: Node) -> None:
    """Nothing of a cluster is on the node."""
    for path in ("/etc/corosync/authkey", "/etc/corosync/corosync.conf", "/etc/pve/corosync.conf"):
        assert not node.exists(path), path


def both_in(lab: Lab, *names: str) -> None:
    """The nodes are a whole cluster, and their scripts say so."""
    lab.until_whole(*names)
    for name in names:
        lab.verify(name).expect(0)
