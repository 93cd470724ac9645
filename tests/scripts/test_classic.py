"""Classic ifupdown, which PVE 6 was installed with: what of it the switch has to know, and where it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sandbox import diff_trees

from . import support
from .nodes import Nodes
from .test_network import addresses, default_routes, one
from .test_switch import SILENT, bridge, clean, files, network

pytestmark = pytest.mark.sandbox

HOTPLUG = """\
auto lo
iface lo inet loopback

allow-hotplug eth0
iface eth0 inet static
\taddress 10.0.0.251
\tnetmask 255.255.255.0
\tgateway 10.0.0.1

auto eth1
iface eth1 inet static
\taddress 10.9.0.1/24
"""
"""As Debian's installer has it: a cable brings eth0 up, not the boot; eth1 is nobody's business here."""


@contextmanager
def node(text: str) -> Iterator[Nodes]:
    with Nodes(text, ["pve1"], key=False, system="pve-6", nics={"eth0": ["10.0.0.251/24"], "eth1": []}) as nodes:
        yield nodes


def plug_in(nodes: Nodes) -> None:
    """Debian's own installation, the cable of eth0 plugged in."""
    box = nodes["pve1"]
    box.run("ifdown -a --exclude=lo").check()
    box.put("/etc/network/interfaces", HOTPLUG)
    box.run("ifup -a && ifup eth0").check()
    assert addresses(box) == {"eth0": ["10.0.0.251/24"], "eth1": ["10.9.0.1/24"]}


def refused(nodes: Nodes, why: str) -> None:
    box = nodes["pve1"]
    before, disk = network(box), files(box)
    assert why in str(bridge(nodes).expect(78).failures)
    assert network(box) == before
    assert [str(c) for c in diff_trees(disk, files(box))] == []


def test_what_a_cable_has_brought_up_goes_over_to_the_bridge() -> None:
    with node(one("pve-6")) as nodes:
        plug_in(nodes)
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        wanted = {"eth0": [], "eth1": ["10.9.0.1/24"], "vmbr0": ["10.0.0.251/24"]}
        assert addresses(box) == wanted and default_routes(box) == [("10.0.0.1", "vmbr0")]
        clean(box)
        box.reboot()
        assert addresses(box) == wanted
        assert bridge(nodes).expect(0).changes == 0


def test_what_a_cable_has_brought_up_comes_back() -> None:
    """Its address, and that ifupdown knows of it."""
    with node(support.changed(one("pve-6"), SILENT)) as nodes:
        plug_in(nodes)
        box = nodes["pve1"]
        before, disk, state = network(box), files(box), sorted(box.run("ifquery --state").stdout.split())
        bridge(nodes, "--confirm-within", "3").expect(1)
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []
        assert sorted(box.run("ifquery --state").stdout.split()) == state
        clean(box)


def test_without_bridge_utils_no_bridge_is_promised() -> None:
    with node(one("pve-6", 'address = "10.0.0.77/24"')) as nodes:
        nodes["pve1"].remove("/etc/network/if-pre-up.d/bridge")
        refused(nodes, "classic ifupdown brings up bridges")


BOND = """
nic = "bond0"
[[node.bond]]
name = "bond0"
nics = ["eth0", "eth1"]
"""


def test_without_ifenslave_no_bond_is_promised() -> None:
    with node(one("pve-6", BOND)) as nodes:
        nodes["pve1"].remove("/etc/network/if-pre-up.d/ifenslave")
        refused(nodes, "classic ifupdown brings up bonds")


VLAN = """
[[node.vlan]]
parent = "eth1"
id = 60
name = "{name}"
"""


def test_without_its_package_no_named_vlan_is_promised() -> None:
    with node(one("pve-6", VLAN.format(name="vlan60"))) as nodes:
        nodes["pve1"].remove("/etc/network/if-pre-up.d/vlan")
        refused(nodes, "classic ifupdown brings up VLANs that are called vlanID")


@pytest.mark.parametrize("name", ["storage", "vlan060"])
def test_vlan_that_nothing_makes_is_not_promised(name: str) -> None:
    with node(one("pve-6", VLAN.format(name=name))) as nodes:
        refused(nodes, "classic ifupdown brings up VLANs under the names of the description")


def test_vlans_of_a_bridge_are_not_promised() -> None:
    with node(one("pve-6", network="vlan_aware = true")) as nodes:
        refused(nodes, "classic ifupdown brings up the VLAN-aware bridge")


def test_a_state_that_cannot_be_read_is_a_reason_to_refuse() -> None:
    """What is up would be left up, and its address be on two interfaces."""
    with node(one("pve-6", 'address = "10.0.0.77/24"')) as nodes:
        box = nodes["pve1"]
        box.run("rm /usr/sbin/ifquery").check()
        refused(nodes, "ifquery --state says what classic ifupdown has brought up")
