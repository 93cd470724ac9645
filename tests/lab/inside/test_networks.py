"""Networks of built scripts on a kernel that has bonds, VLANs and bridges that filter them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox import Sandbox

from lab.waiting import until

from . import found, wanted
from .cluster import Cluster
from .networks import BRIEF, USUAL, tried

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("vm")]


# Emulation takes minutes for each network, so that only some go through everything.
brought_up = pytest.mark.parametrize("cluster", tried(*USUAL, *BRIEF), indirect=True)
through_all = pytest.mark.parametrize("cluster", tried(*USUAL), indirect=True)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The nodes of a network, on which the script's step of the network has run."""
    with Cluster(request.param) as made:
        for done in made.on_all("apply"):
            done.expect(0)
        yield made


@brought_up
def test_kernel_has_what_the_description_states(cluster: Cluster) -> None:
    """`apply` brings up bonds, VLANs and bridges as the description states them."""
    for name in cluster.node:
        cluster.as_described(name)


@brought_up
def test_frames_pass(cluster: Cluster) -> None:
    """Frames pass bonds, VLANs and bridges, large ones where the description says so; guests' in their VLANs alone."""
    assert cluster.unreached() == []
    for number, passes in cluster.network.guests.items():
        assert guest_reaches(cluster.node["pve1"], number, 60 if passes else 4) == passes


@through_all
def test_cable_of_a_bond_may_be_cut(cluster: Cluster) -> None:
    """A cable of each bond is cut, and everything is reached over the other."""
    links = wanted.links(cluster.network.text, "pve1")
    for bond in [name for name, link in links.items() if link.get("kind") == "bond"]:
        first, second = (nic for nic, link in links.items() if link["master"] == bond)
        for nic in (first, second):
            cluster.switch.cable("pve1", nic, plugged=False)
            assert not found.links(cluster.node["pve1"])[nic]["up"]
            assert cluster.unreached() == []
            cluster.switch.cable("pve1", nic, plugged=True)
            until_whole(cluster.node["pve1"], bond)


def until_whole(box: Sandbox, bond: str) -> None:
    """Until both NICs of a bond are in use; with LACP, in one aggregator with a partner."""

    def is_whole() -> bool:
        status = box.run(f"cat /proc/net/bonding/{bond}").check().stdout
        return status.count("MII Status: up") == 3 and ("802.3ad" not in status or "Number of ports: 2" in status)

    until(is_whole, f"both NICs of {bond} are in use")


WRONG = {
    "lacp-etcnet": ("ip link set eth1 nomaster", "eth1 is one of the NICs of bond0"),
    "lacp": ("ip link set eth3 nomaster", "eth3 is one of the NICs of bond1"),
    "tagged-etcnet": (
        "ip link del vlan60; ip link add link eth2 name vlan60 up type vlan id 61",
        "vlan60 is VLAN 60 of bond0",
    ),
    "tagged": ("ip link set eth1 nomaster", "eth1 is one of the NICs of bond0"),
    "aware": ("ip link set vmbr0 type bridge vlan_filtering 0", "vmbr0 is VLAN-aware"),
}
"""What is done to a network, and what `verify` then says; by its name, and where it differs by what manages it."""


@through_all
def test_what_somebody_took_apart_is_seen_and_mended(cluster: Cluster) -> None:
    """A NIC out of its bond, a VLAN of another number, a bridge that filters no more: seen by `verify`, mended by `apply`."""
    kind = cluster.name.partition("-")[0]
    wrong, seen = WRONG.get(f"{kind}-{cluster.manager}", WRONG[kind])
    cluster.node["pve1"].run(wrong).check()
    assert seen in cluster.call("pve1", "verify").expect(1).failures
    assert cluster.call("pve1", "apply").expect(0).changes > 0
    cluster.as_described("pve1")


def guest_reaches(box: Sandbox, number: int, seconds: int) -> bool:
    """Whether a guest whose port on vmbr0 is in a VLAN gets an answer from the switch within that time."""
    subnet = number // 10
    box.run("ip link add tap100i0 type veth peer name guest && ip link set tap100i0 master vmbr0 up").check()
    box.run("ip link set guest up && bridge vlan del vid 1 dev tap100i0").check()
    box.run(f"bridge vlan add vid {number} pvid untagged dev tap100i0").check()
    box.run(f"ip addr add 10.{subnet}.0.251/24 dev guest").check()
    answered = box.run(f"ping -c 1 -w {seconds} 10.{subnet}.0.1").status == 0
    box.run("ip link del guest").check()
    return answered


@brought_up
def test_apply_again_changes_nothing(cluster: Cluster) -> None:
    """`apply` again finds nothing to do."""
    for done in cluster.on_all("apply"):
        assert done.expect(0).changes == 0


@through_all
def test_kernel_has_it_after_a_reboot(cluster: Cluster) -> None:
    """After a reboot the network is as described, and `verify` says so."""
    cluster.reboot()
    for name in cluster.node:
        cluster.as_described(name)
    for done in cluster.on_all("verify"):
        done.expect(0)


@through_all
def test_description_that_changes_changes_the_kernel(cluster: Cluster) -> None:
    """Another mode of a bond, or other VLANs of a bridge, are brought about on a network that runs."""
    cluster.carry(cluster.network.then)
    for done in cluster.on_all("apply"):
        assert done.expect(0).changes > 0
    for name in cluster.node:
        cluster.as_described(name)
    assert cluster.unreached() == []
