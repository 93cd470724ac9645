"""A node that goes wrong by its name, by an example that is taken for a cluster, by its clock: mended or refused."""

import re
import time

import pytest
from scripts import support
from scripts.nodes import ANSWERS, members

from .advice import follow
from .cluster import Lab
from .conftest import MakeLab
from .descriptions import description
from .node import Node
from .states import prepared

pytestmark = pytest.mark.lab

STUB = "/etc/corosync/corosync.conf"
LOOPS = {
    "of its own": "127.0.0.1 localhost\n127.0.1.1 pve1.example.org pve1\n",
    "localhost's": "127.0.0.1 localhost pve1\n10.0.0.11 pve1.example.org pve1\n::1 pve1\n",
}
# facts: "4.x looks only at the FIRST getaddrinfo answer, 8.0.2+ at all": the first kind is none for p11.
CASES = [("alt-p8", "localhost's"), ("alt-p8", "of its own"), ("alt-p11", "of its own")]


def steps(nodes: Lab, *names: str) -> None:
    """Applies the steps of these names, where pve1's script has them."""
    for step in names:
        if f"step_{step}()" in nodes.scripts["pve1"]:
            nodes.apply("pve1", "--only", step).expect(0)


@pytest.mark.both_targets
@pytest.mark.parametrize(("target", "line"), CASES)
def test_the_own_name_is_an_address_of_the_loopback(lab: MakeLab, target: str, line: str) -> None:
    """The own name on an address of the loopback: pmxcfs does not start; apply puts it right."""
    nodes = lab(description(target, 1))
    node = nodes["pve1"]
    node.put("/etc/hosts", LOOPS[line])
    node.run("systemctl restart pve-cluster")
    assert not node.exists("/etc/pve/local")
    steps(nodes, "bridge", "names", "stub", "services")
    assert node.run("getent ahosts pve1 | awk '{ print $1 }' | sort -u").stdout == "10.0.0.11\n"
    node.run("test -L /etc/pve/local && systemctl is-active pve-cluster").check()
    assert "127.0.0.1 localhost" in node.read("/etc/hosts")


@pytest.mark.target("alt-p8")
def test_a_stray_configuration_before_the_first_start(lab: MakeLab) -> None:
    """The package's corosync.conf before the first start of pve-cluster: removed, and taken for nobody's cluster."""
    nodes = lab(description("alt-p8", 2), names=["pve1"])
    node = nodes["pve1"]
    assert node.exists(STUB)
    steps(nodes, "bridge", "names", "stub", "services")
    node.run("test -L /etc/pve/local").check()
    assert not node.exists(STUB) and not node.exists("/etc/pve/corosync.conf")


@pytest.mark.target("alt-p8")
def test_a_stray_configuration_that_was_imported(lab: MakeLab) -> None:
    """The package's corosync.conf taken for a cluster by pve-cluster: refused; the advice followed, then apply."""
    nodes = lab(description("alt-p8", 2), names=["pve1"])
    node = nodes["pve1"]
    node.run("printf '10.0.0.11 pve1.localdomain pve1\\n' >>/etc/hosts; systemctl start pve-cluster").check()
    assert node.exists("/etc/pve/corosync.conf")
    node.until_settled()  # corosync, which pve-cluster wants, comes after it
    before = pictured(node)
    done = nodes.apply("pve1").expect(78)
    assert "an example was taken for a cluster's configuration" in str(done.failures)
    assert pictured(node) == before
    follow(node, done, "systemctl stop pve-cluster corosync; pmxcfs -l")
    assert not node.exists("/etc/pve/corosync.conf")
    nodes.apply("pve1").expect(0)
    nodes.until_whole("pve1")


def pictured(node: Node) -> object:
    """What is on the node's disk where scripts write, and how its units stand."""
    units = node.run("systemctl list-units --all --type=service --plain --no-legend | cut -d' ' -f1-4").check().stdout
    return node.tree("/etc", "/root", support.STATE), units


# The clock ----------------------------------------------------------------------------------------------------------

FAKETIME = "$(find /usr/lib -name libfaketime.so.1)"
by_faketime = pytest.mark.standin("libfaketime: the clock")


def off_by(node: Node, days: int) -> None:
    """From now on, for every process that starts, the node's clock is off by so many days."""
    node.put("/etc/faketimerc", f"{days:+}d\n")
    node.run(f"echo {FAKETIME} >/etc/ld.so.preload").check()
    assert abs(ahead(node)) > 86400


def in_step(node: Node) -> None:
    """The clock is right again."""
    node.run("rm /etc/ld.so.preload").check()
    assert abs(ahead(node)) < 60


def ahead(node: Node) -> int:
    """By how many seconds the node's clock is ahead of this machine's."""
    return int(node.run("date +%s").check().stdout) - int(time.time())


@by_faketime
@pytest.mark.target("alt-p11")
def test_a_clock_that_was_ahead_when_the_cluster_was_created(lab: MakeLab) -> None:
    """The clock two days ahead at create, then right: refused as set back; the advice followed, the cluster is fine."""
    nodes = lab(description("alt-p11", 2), names=["pve1"])
    node = nodes["pve1"]
    off_by(node, 2)
    nodes.apply("pve1").expect(0)
    in_step(node)
    done = nodes.apply("pve1").expect(78)
    assert "the clock is more than a day before the last run" in str(done.failures)
    follow(node, done, "rm /var/log/pvegen/")
    assert nodes.apply("pve1").expect(0).changes == 0
    node.reboot()
    nodes.until_whole("pve1")
    nodes.verify("pve1").expect(0)


@by_faketime
@pytest.mark.parametrize("days", [2, -2], ids=["ahead", "behind"])
@pytest.mark.target("alt-p11")
def test_a_clock_that_is_off_before_the_join(lab: MakeLab, days: int) -> None:
    """The joiner's clock two days off: refused before anything is added; with the clock right it joins."""
    nodes = lab(description("alt-p11", 2), prepared)
    node = nodes["pve2"]
    nodes.until_whole("pve1")
    off_by(node, days)
    nodes.call("pve1", "admit").expect(0)
    done = nodes.apply("pve2", answers=ANSWERS)
    if days < 0:
        assert done.status == 78 and "the clock is more than a day before the last run" in done.stdout, done
    else:
        assert done.status == 1 and re.search(r"this node's clock is 17\d{4} s away from that of pve1", done.stdout), (
            done
        )
    assert list(members(nodes["pve1"])) == ["pve1"]
    in_step(node)
    if days > 0:
        follow(node, nodes.apply("pve2").expect(78), "rm /var/log/pvegen/")
    nodes.apply("pve2", answers=ANSWERS, timeout=200).expect(0)
    nodes.until_whole()
