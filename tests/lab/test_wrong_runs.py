"""Runs that are taken back, killed and begun again, or carried by the very network that they switch."""

import re
from functools import partial

import pytest
from sandbox import diff_trees
from sandbox.patience import LONGEST
from sandbox.trees import Tree
from scripts import support
from scripts.nodes import TARGETS

from .cluster import Lab
from .conftest import MakeLab
from .moments import there
from .node import Node
from .switching import Administrator, clean, kill_run, network, on_the_nic

pytestmark = pytest.mark.lab

target = pytest.mark.parametrize("target", TARGETS)
# What services write for themselves, and what stays on purpose: the log.
OTHERS = (
    "/etc/pve", "/etc/resolv.conf", "/etc/iproute2", "/etc/network/ifstatenew", "/root/.ssh/known_hosts",
    "/etc/machine-id", "/etc/.pwd.lock",
)  # fmt: skip


def disk(node: Node) -> Tree:
    """What stands where the script writes, without what is no work of it."""
    return node.tree("/etc", "/root", support.STATE, skip=OTHERS)


def units(nodes: Lab) -> dict[str, str]:
    """How each unit of the script stands: enabled or not, running or not."""
    names = re.search(r"^unit_names='(.*)'", nodes.scripts["pve1"], re.M)
    assert names
    show = f"for u in {names[1]}; do echo $u $(systemctl is-enabled $u 2>&1) $(systemctl is-active $u); done"
    text = nodes["pve1"].run(show).stdout
    return {line.split()[0]: line.split(" ", 1)[1] for line in text.splitlines()}


@target
def test_rollback_before_joining(lab: MakeLab, target: str) -> None:
    """rollback of a node in no cluster: files, network and units as found, on real systemd; apply works again."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    if target == "alt-p11":
        # It was failing at boot, without a name for its node: five times over, or for ever where that takes ten seconds.
        node.run("systemctl stop pve-cluster; systemctl reset-failed").check()
    node.until_settled()
    before, stood, net = disk(node), units(nodes), network(node)
    nodes.apply("pve1").expect(0)
    assert network(node) != net
    nodes.call("pve1", "rollback", timeout=150).expect(0)
    changes = diff_trees(before, disk(node))
    assert changes == [], [(str(c), c.before, c.after) for c in changes]
    assert network(node) == net
    assert units(nodes) == stood
    clean(node)
    assert not node.exists(support.STATE)
    node.reboot()
    assert network(node) == net
    nodes.carry("pve1")
    nodes.apply("pve1").expect(0)
    nodes.verify("pve1").expect(0)


# Where a run is killed: a file that is there from then on.
POINTS = (
    "/var/lib/pvegen/mypve/index", "/run/pvegen/network", "/var/lib/pvegen/mypve/first/etc/hosts", "/etc/pve/local",
)  # fmt: skip


@target
def test_killed_and_run_again(lab: MakeLab, target: str) -> None:
    """apply killed at its first file, in the switch of the network, at the names and at pmxcfs: led on by the next."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    for path in POINTS:
        node.run("setsid sh /root/pve1.sh apply >/run/said 2>&1 &").check()
        nodes.until(partial(there, node, path), path)
        kill_run(node)
    nodes.apply("pve1", timeout=150).expect(0)
    clean(node)
    nodes.verify("pve1").expect(0)
    assert nodes.apply("pve1").expect(0).changes == 0


@target
def test_through_ssh_over_the_network_that_is_switched(lab: MakeLab, target: str) -> None:
    """apply through ssh over the interface that becomes the bridge's port: the session sees it to its end."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    with Administrator(nodes) as admin, admin.start("sh /root/pve1.sh apply") as login:
        said, _ = login.communicate(timeout=200 * LONGEST)
    assert login.returncode == 0, said
    assert "# Done. Changes:" in said and "the new one is proved and kept" in said, said
    clean(node)
    nodes.verify("pve1").expect(0)
