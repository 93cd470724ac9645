"""Clusters from built scripts, on nodes that were just installed."""

import re

import pytest
from scripts.nodes import ANSWERS, TARGETS, known_to_pve

from pvegen.receipts import table
from pvegen.receipts.picture import Built, put_together
from pvegen.receipts.read import parse

from .cluster import Lab
from .conftest import MakeLab
from .descriptions import description, many
from .node import Node
from .states import formed, fresh, prepared

pytestmark = pytest.mark.lab

target = pytest.mark.parametrize("target", TARGETS)


def is_whole_and_described(lab: Lab) -> None:
    """Everything that a formed cluster has to be, seen on each node and from each to each."""
    lab.until_whole()
    for name, node in lab.node.items():
        lab.verify(name).expect(0)
        assert "Quorate:          Yes" in node.run("corosync-quorumtool -s").stdout
        for other in lab.node:
            assert node.run(["getent", "hosts", other]).check().stdout.split()[0] == address_of(lab, other)
            if other != name:
                passes_into(node, other, address_of(lab, other))
        port = node.run("ip -o link show master vmbr0").check().stdout
        assert re.search(r": eth0(@\w+)?: .* state UP", port), port
        assert node.run("cat /sys/class/net/vmbr0/bridge/forward_delay").check().stdout.strip() == "0"
        page = "curl -ks -o /dev/null -w '%{http_code}' https://127.0.0.1:8006/"
        assert node.run(page).stdout == "200"


def address_of(lab: Lab, name: str) -> str:
    return str(lab.view_of(name).main.address.ip)


def passes_into(node: Node, name: str, address: str) -> None:
    """Root gets from the node into another one by key, by name and address, and its ticket comes along."""
    for where in (name, address):
        words = ["ssh", "-o", "BatchMode=yes", *known_to_pve(node, name), where, 'echo "$(hostname) $LC_PVE_TICKET"']
        done = node.run(words, env={"LC_PVE_TICKET": "ticket"})
        assert done.stdout == f"{name} ticket\n", str(done)


def receipts_say_so(lab: Lab) -> None:
    """What verify has left on each node is told to be a complete cluster, its clocks compared."""
    found = [
        parse(name, node.run("cat /var/log/pvegen/*.verify.receipt").stdout.encode()) for name, node in lab.node.items()
    ]
    built = Built(found[0].cluster, list(lab.node), {one.node: one.script for one in found}, {})
    picture = put_together(found, built)
    assert picture.complete, table.text(picture, built)
    for one in found:
        others = set(lab.node) - {one.node}
        assert set(one.members or ()) == set(lab.node) and one.quorate and set(one.clocks) == others
        assert one.reach == dict.fromkeys(others, True)


def starts(node: Node) -> str:
    """When each unit of the node was started, and by which process it runs."""
    show = "systemctl show -p Id -p ExecMainStartTimestampMonotonic -p MainPID $(systemctl list-units --type=service --plain --no-legend | cut -d' ' -f1)"
    return node.run(show).check().stdout


def changes_nothing(lab: Lab) -> None:
    """A second apply changes nothing and restarts nothing anywhere."""
    before = {name: starts(node) for name, node in lab.node.items()}
    for name in lab.node:
        assert lab.call(name, "check").status == 0
        assert lab.apply(name).expect(0).changes == 0
    assert {name: starts(node) for name, node in lab.node.items()} == before


@target
def test_one_node(lab: MakeLab, target: str) -> None:
    """One node alone."""
    nodes = lab(description(target, 1), fresh, key=False)
    node = nodes["pve1"]
    nodes.call("pve1", "check").expect(2)
    nodes.apply("pve1").expect(0)
    nodes.verify("pve1").expect(0)
    changes_nothing(nodes)
    node.reboot()
    nodes.verify("pve1").expect(0)


@target
def test_from_fresh_nodes_to_a_cluster(lab: MakeLab, target: str) -> None:
    """Two fresh nodes: check, apply in order, verify, apply again."""
    nodes = lab(description(target, 2), fresh, key=False)
    for name in nodes.node:
        nodes.call(name, "check").expect(2)
    nodes.apply("pve1").expect(0)
    nodes.prepare("pve2")
    nodes.join("pve2")
    is_whole_and_described(nodes)
    changes_nothing(nodes)


@target
def test_three_nodes_come_back(lab: MakeLab, target: str) -> None:
    """Three nodes: whole and as described; whole again by itself after a reboot of each, and of all at once."""
    nodes = lab(description(target, 3), formed)
    is_whole_and_described(nodes)
    changes_nothing(nodes)
    for name in nodes.node:
        nodes[name].reboot()
        nodes.until_whole()
    for name in nodes.node:
        nodes[name].stop()
    nodes.start(*nodes.node)
    is_whole_and_described(nodes)
    receipts_say_so(nodes)
    changes_nothing(nodes)


def is_cut(node: Node) -> bool:
    """Whether corosync sees one of its links cut."""
    return "disconnected" in node.run("corosync-cfgtool -s").check().stdout


def sees_five(node: Node) -> bool:
    """Whether corosync is in the quorum, with the votes of five nodes."""
    said = node.run("corosync-quorumtool -s").stdout
    return "Quorate:          Yes" in said and "Total votes:      5" in said


@pytest.mark.target("alt-p11")
def test_five_nodes_with_two_links(lab: MakeLab) -> None:
    """Five nodes with two links: whole, and in the quorum with either link cut."""
    nodes = lab(many("alt-p11", 5), formed)
    is_whole_and_described(nodes)
    for nic in ("eth1", "eth0"):
        nodes["pve3"].unplug(nic)
        nodes.until(lambda: is_cut(nodes["pve3"]), "corosync sees that a link is cut")
        # Those at the other end of the link that was plugged in last may see it later.
        nodes.until(lambda: sees_five(nodes["pve3"]), "all five are in the quorum over the other link")
        assert is_cut(nodes["pve3"])
        nodes["pve3"].plug(nic)
        nodes.until(lambda: not is_cut(nodes["pve3"]), "corosync sees that it is back")
    nodes.until_whole()


@target
def test_a_node_added_later_through_another_member(lab: MakeLab, target: str) -> None:
    """A sixth node added later, through another member than the first."""
    nodes = lab(many(target, 5), formed)
    nodes.until_whole()
    nodes.rebuild(many(target, 6, 'joins = "pve4"'))
    for name in ("pve1", "pve2", "pve3", "pve4", "pve5"):
        nodes.apply(name).expect(0)
    nodes.add("pve6")
    nodes.prepare("pve6")
    nodes.call("pve4", "admit").expect(0)
    nodes.apply("pve6", answers=ANSWERS).expect(0)
    is_whole_and_described(nodes)
    changes_nothing(nodes)


@target
def test_nothing_is_left_of_a_check(lab: MakeLab, target: str) -> None:
    """`check` on nodes that are ready to join changes nothing and restarts nothing."""
    nodes = lab(description(target, 2), prepared)
    before = starts(nodes["pve2"])
    assert nodes.call("pve2", "check").status == 2
    assert starts(nodes["pve2"]) == before
