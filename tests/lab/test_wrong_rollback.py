"""Rollback before and after joining."""

import re

import pytest
from sandbox import Tree, diff_trees
from scripts.nodes import TARGETS

from .conftest import MakeLab
from .node import Node
from .states import formed, fresh
from .wrong import both_in, three

pytestmark = pytest.mark.lab

# What stays for the cluster, docs/node-script.md, "Rollback".
STAYS = {"names", "bridge", "ssh", "trust", "root-login", "stub", "services", "create", "join", "manager"}


# What Debian's systemd-sysv-install and ifupdown2 itself write there when they are called.
OTHERS = re.compile(r"/etc/(rc\w\.d|iproute2)/")


def files(node: Node) -> Tree:
    """All that a script may have changed on the disk."""
    tree = node.tree("/etc", "/root/.ssh", "/var/lib/pvegen", skip=["/etc/pve"])
    return {path: entry for path, entry in tree.items() if not OTHERS.match(path)}


@pytest.mark.both_targets
@pytest.mark.parametrize("target", TARGETS)
def test_before_joining(lab: MakeLab, target: str) -> None:
    """Rollback before joining: every file as first found, the node reachable; apply then starts anew."""
    nodes = lab(three(target), fresh, only=("pve1", "pve2"))
    node = nodes["pve2"]
    before = files(node)
    nodes.prepare("pve2")
    assert diff_trees(before, files(node)) != []
    nodes.call("pve2", "rollback", timeout=200).expect(0)
    assert diff_trees(before, files(node)) == []
    nodes["pve1"].run("ping -c 1 -w 15 10.0.0.12").check()
    node.reboot()
    nodes["pve1"].run("ping -c 1 -w 15 10.0.0.12").check()
    nodes.prepare("pve2")


@pytest.mark.both_targets
@pytest.mark.parametrize("target", TARGETS)
def test_after_joining(lab: MakeLab, target: str) -> None:
    """Rollback after joining: only what is the node's own goes back, the cluster stays whole; apply mends it."""
    nodes = lab(three(target), formed)
    nodes.until_whole()
    done = nodes.call("pve3", "rollback", timeout=200).expect(0)
    steps = set(re.findall(r"^# Subtest: (\S+)", done.stdout, re.MULTILINE))
    stayed = {name for name in steps if "# SKIP" in part_of(done.stdout, name)}
    assert stayed - {"rrdcached"} == steps & STAYS, str(done)  # rrdcached's unit stays too, its files do not
    assert steps - STAYS <= {"time", "mirror", "rrdcached"}, str(done)
    both = ("pve1", "pve2")
    nodes.until_whole()
    for name in both:
        nodes.verify(name).expect(0)
    nodes["pve3"].reboot()
    nodes.until_whole()
    nodes.apply("pve3").expect(0)
    both_in(nodes, *both, "pve3")


def part_of(text: str, step: str) -> str:
    """What a run printed of one step."""
    return text.partition(f"# Subtest: {step}\n")[2].partition("# Subtest: ")[0]
