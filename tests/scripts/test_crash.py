"""A join or a create that is cut in two by hand or by a lost node: the messages lead to the end.

Deaths before each command, failing calls and the like, on all sorts of nodes, are in tests/faults.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Sequence

import pytest
from faults.sample import EVERY
from sandbox.patience import LONGEST

from .nodes import TARGETS, Nodes, bail, description, in_quorum, members, trash
from .test_join import joined, ready, wait

pytestmark = pytest.mark.sandbox


def begin(nodes: Nodes, name: str) -> threading.Thread:
    """Starts an apply; gives when pvecm add has begun there."""
    nodes[name].forget_calls()
    thread = threading.Thread(target=lambda: swallow(nodes, name))
    thread.start()
    until_pvecm(nodes, name, "add")
    return thread


def until_pvecm(nodes: Nodes, name: str, command: str) -> None:
    """Waits until a command of pvecm's has begun there."""
    end = time.monotonic() + 30 * LONGEST
    while not [words for words in nodes[name].calls("pvecm") if words[1] == command]:
        assert time.monotonic() < end, f"pvecm {command} never began"
        time.sleep(0.02)


def swallow(nodes: Nodes, name: str) -> None:
    with contextlib.suppress(OSError, AssertionError):  # the node goes away under it
        nodes.apply(name, tap=False)


@pytest.mark.parametrize("target", TARGETS)
def test_a_script_killed_during_its_join_does_not_get_a_second_join_in_its_way(target: str) -> None:
    """pvecm goes on by itself; until its end another run is refused, and after it goes on."""
    with ready(target) as nodes:
        thread = begin(nodes, "pve2")
        nodes["pve2"].run("pkill -KILL -f '^[^ ]*dash /root/pve2.sh apply'")
        thread.join()
        again = nodes.apply("pve2", tap=False)
        if again.status:
            assert again.status == 78 and "another run of a pvegen script is under way" in again.stdout, str(again)
        wait(nodes["pve2"], "! pgrep -f 'pvecm [a]dd' >/dev/null", 30)
        nodes.apply("pve2").expect(0)
        joined(nodes)


CUTS = [(target, after) for target in TARGETS for after in (0.1, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4)]
SAMPLE = [("alt-p8", 0.1), ("alt-p8", 1.6), ("alt-p11", 0.8), ("alt-p11", 2.4)]


@pytest.mark.trap("B6")
@pytest.mark.parametrize(("target", "after"), CUTS if EVERY else SAMPLE)
def test_a_power_cut_of_the_joiner_is_led_to_the_end_by_the_messages(target: str, after: float) -> None:
    with ready(target) as nodes:
        thread = begin(nodes, "pve2")
        time.sleep(after)
        nodes["pve2"].power_off()
        thread.join()
        nodes["pve2"].boot()
        follow(nodes, "pve2")
        joined(nodes)


def follow(nodes: Nodes, name: str) -> None:
    """Applies until the node is in the cluster, and does what messages say, literally."""
    said = []
    for _ in range(6):
        done = nodes.apply(name)
        if done.status == 0:
            return
        said.append(bail(done) + " " + " ".join(done.failures))
        if left := re.search(r"what it has left away here: (.+)", done.stdout):
            nodes[name].run(left[1]).check()
        elif f"pvecm delnode {name}" in done.stdout:
            nodes["pve1"].run(f"pvecm delnode {name}")
        elif "pvecm expected 1" in done.stdout:
            nodes["pve1"].run("pvecm expected 1").check()
            wait(nodes["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
        else:
            pytest.fail(f"no way out is named:\n{done}")
    pytest.fail("no end is in sight:\n" + "\n".join(said))


@pytest.mark.parametrize("target", TARGETS)
def test_a_power_cut_of_the_first_node_during_create(target: str) -> None:
    delays: Sequence[float] = (0.1, 0.7, 1.5) if EVERY else (0.7,)
    for after in delays:
        with Nodes(description(target, 2), ["pve1"]) as nodes:
            thread = threading.Thread(target=lambda n=nodes: swallow(n, "pve1"))
            thread.start()
            until_pvecm(nodes, "pve1", "create")
            time.sleep(after)
            nodes["pve1"].power_off()
            thread.join()
            nodes["pve1"].boot()
            nodes.apply("pve1").expect(0)
            assert in_quorum(nodes["pve1"]) and members(nodes["pve1"]) == {"pve1": True}
            nodes.verify("pve1").expect(0)
            assert trash(nodes["pve1"]) == []
