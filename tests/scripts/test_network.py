"""The network as the description has it: files, the running kernel, and the same after a reboot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sandbox import Sandbox
from sandbox.patience import LONGEST

from . import support
from .nodes import TARGETS, Nodes, description

pytestmark = pytest.mark.sandbox

NICS = {"eth0": ["10.0.0.251/24"], "eth1": [], "eth2": []}
# Several bridges, one of them without a port; IPv6 beside IPv4; a larger MTU; a plain NIC for a second link.
RICH = """
address6 = "fd00::251/64"
[[node.bridge]]
name = "vmbr1"
port = "eth1"
address = "10.1.0.251/24"
mtu = 9000
[[node.bridge]]
name = "vmbr2"
[[node.interface]]
name = "eth2"
address = "10.2.0.251/24"
"""


def one(target: str, own: str = "", **more: str) -> str:
    """A description of one local node."""
    return description(target, [own], **more)


@contextmanager
def node(target: str, text: str, nics: dict[str, Sequence[str]] | None = None) -> Iterator[Nodes]:
    """pve1 with its script and further NICs; only the network's step is of interest."""
    with Nodes(text, ["pve1"], nics=nics or NICS, key=False) as nodes:
        yield nodes


def bridge(nodes: Nodes, call: str = "apply") -> support.Run:
    return nodes.call("pve1", call, "--only", "bridge")


def addresses(box: Sandbox) -> dict[str, list[str]]:
    """{interface: addresses with prefix length} as `ip -j` says, without loopback and what IPv6 makes by itself."""
    found = json.loads(box.run("ip -j addr show").check().stdout)
    return {
        link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"]
        for link in found
        if link["ifname"] != "lo"
    }


def links(box: Sandbox) -> dict[str, tuple[str | None, int]]:
    """{interface: (its bridge, its MTU)}."""
    found = json.loads(box.run("ip -j link show").check().stdout)
    return {link["ifname"]: (link.get("master"), link["mtu"]) for link in found if link["ifname"] != "lo"}


def default_routes(box: Sandbox) -> list[tuple[str, str]]:
    found = json.loads(box.run("ip -j route show default").check().stdout)
    return [(route["gateway"], route["dev"]) for route in found]


def rich_state(box: Sandbox) -> None:
    assert addresses(box) == {
        "eth0": [],
        "eth1": [],
        "eth2": ["10.2.0.251/24"],
        "vmbr0": ["10.0.0.251/24", "fd00::251/64"],
        "vmbr1": ["10.1.0.251/24"],
        "vmbr2": [],
    }
    found = links(box)
    assert found["eth0"] == ("vmbr0", 1500) and found["eth1"] == ("vmbr1", 9000) and found["eth2"] == (None, 1500)
    assert found["vmbr1"][1] == 9000
    assert default_routes(box) == [("10.0.0.1", "vmbr0")]


@pytest.mark.parametrize("target", TARGETS)
def test_bridges_mtu_ipv6_and_a_plain_nic_are_as_described_also_after_a_reboot(target: str) -> None:
    with node(target, one(target, RICH)) as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        rich_state(box)
        assert bridge(nodes).expect(0).changes == 0
        box.reboot()
        rich_state(box)
        assert bridge(nodes, "verify").expect(0)
        assert bridge(nodes).expect(0).changes == 0


@pytest.mark.parametrize("target", TARGETS)
def test_an_address_that_changes_in_the_description_changes_on_the_node(target: str) -> None:
    with node(target, one(target)) as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        nodes.rebuild(one(target, 'address = "10.0.0.77/24"'))
        assert bridge(nodes, "check").status == 2
        assert addresses(box)["vmbr0"] == ["10.0.0.251/24"]
        assert bridge(nodes).expect(0).changes > 0
        assert addresses(box)["vmbr0"] == ["10.0.0.77/24"]
        assert default_routes(box) == [("10.0.0.1", "vmbr0")]
        box.reboot()
        assert addresses(box)["vmbr0"] == ["10.0.0.77/24"]


def test_ipv6_beside_a_main_bridge_without_it_is_no_reason_to_refuse() -> None:
    """What the description itself has written for another interface is not somebody else's."""
    own = """
[[node.interface]]
name = "eth2"
address = "10.2.0.251/24"
address6 = "fd00:2::NN/64"
"""
    with node("alt-p8", one("alt-p8", own.replace("NN", "251"))) as nodes:
        bridge(nodes).expect(0)
        nodes.rebuild(one("alt-p8", own.replace("NN", "252")))
        assert bridge(nodes, "check").expect(2).changes > 0


@pytest.mark.trap("B12")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("port", ["tap100i0", "veth101i0", "fwpr102p0"])
def test_a_bridge_with_guests_on_it_is_not_taken_down(target: str, port: str) -> None:
    with node(target, one(target)) as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        box.run(f"ip link add {port} type veth peer name peer0 && ip link set {port} master vmbr0 up").check()
        # Nothing changes: nothing goes down.
        assert bridge(nodes).expect(0).changes == 0
        nodes.rebuild(one(target, 'address = "10.0.0.77/24"'))
        before = support.picture(box, skip=[support.LOG])
        refused = bridge(nodes).expect(78)
        assert f"guests are plugged into vmbr0: {port}" in str(refused.failures)
        assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
        assert addresses(box)["vmbr0"] == ["10.0.0.251/24"] and links(box)[port][0] == "vmbr0"


@pytest.mark.parametrize("target", TARGETS)
def test_a_gateway_with_a_link_local_address_is_asked_on_the_bridge(target: str) -> None:
    """As a router of IPv6 has it; on another interface that address would be another machine's."""
    text = one(target, RICH.replace("[[", 'gateway6 = "fe80::1"\n[[', 1))
    with node(target, text) as nodes:
        nodes.switch.ip("address add fe80::1/64 dev sw0 nodad")
        bridge(nodes).expect(0)
        bridge(nodes, "verify").expect(0)
        nodes.switch.ip("address del fe80::1/64 dev sw0")
        nodes["pve1"].run("ip neigh flush all; ip -6 neigh flush all")
        assert "gateway fe80::1 answers" in bridge(nodes, "verify").expect(1).failures


SOON = ("--confirm-within", str(3 * LONGEST))


@pytest.mark.parametrize("target", TARGETS)
def test_a_gateway_that_does_not_answer_ends_the_run_with_a_hint(target: str) -> None:
    text = one(target).replace('gateway = "10.0.0.1"', 'gateway = "10.0.0.9"')
    with node(target, text, {"eth0": ["10.0.0.251/24"]}) as nodes:
        stopped = nodes.apply("pve1", "--only", "bridge", *SOON).expect(1)
        assert "Seen last: gateway 10.0.0.9 answers" in stopped.stdout
        assert "Is the cable in the right port" in stopped.stdout
        nodes.switch.ip("address add 10.0.0.9/24 dev sw0")
        bridge(nodes).expect(0)


@pytest.mark.parametrize("target", TARGETS)
def test_a_cable_that_is_cut_is_told_and_the_next_run_goes_on(target: str) -> None:
    with node(target, one(target), {"eth0": ["10.0.0.251/24"]}) as nodes:
        nodes.switch.cable("pve1", "eth0", plugged=False)
        stopped = nodes.apply("pve1", "--only", "bridge", *SOON).expect(1)
        # The installer's bridge of alt-p11 is as described already, but for the marks around its stanza.
        assert "vmbr0 has a carrier" in stopped.stdout, str(stopped)
        nodes.switch.cable("pve1", "eth0", plugged=True)
        bridge(nodes).expect(0)


@pytest.mark.parametrize("target", TARGETS)
def test_a_bridge_that_was_taken_down_by_hand_is_brought_up_again(target: str) -> None:
    with node(target, one(target)) as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        box.run("ip addr flush dev vmbr0").check()
        seen = bridge(nodes, "verify")
        assert seen.status == 1 and "vmbr0 has 10.0.0.251/24" in seen.failures
        assert bridge(nodes).expect(0).changes > 0
        assert addresses(box)["vmbr0"] == ["10.0.0.251/24"]


@pytest.mark.parametrize("target", TARGETS)
def test_an_address_left_on_the_port_is_taken_off(target: str) -> None:
    """Both would answer for the same network, and the node would reach nobody."""
    with node(target, one(target)) as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        box.run("ip addr add 10.0.0.251/24 dev eth0").check()
        assert "eth0 has no address of its own" in bridge(nodes, "verify").failures
        bridge(nodes)
        assert addresses(box)["eth0"] == [], "the port still has an address"


@pytest.mark.parametrize("target", TARGETS)
def test_an_interface_of_somebody_elses_stays(target: str) -> None:
    """A NIC that the description does not name keeps its configuration and its address."""
    with node(target, one(target), {"eth0": ["10.0.0.251/24"], "eth1": ["10.9.0.1/24"]}) as nodes:
        box = nodes["pve1"]
        holder = "vmbr1" if target == "alt-p11" else "eth1"
        assert addresses(box)[holder] == ["10.9.0.1/24"]
        bridge(nodes).expect(0)
        assert addresses(box)[holder] == ["10.9.0.1/24"]
        box.reboot()
        assert addresses(box)[holder] == ["10.9.0.1/24"]


# What this kernel has not: compared as text ---------------------------------------------------------------------------

BOND = """
nic = "bond0"
[[node.bond]]
name = "bond0"
nics = ["eth1", "eth2"]
mode = "802.3ad"
hash_policy = "layer2+3"
[[node.vlan]]
parent = "bond0"
id = 50
address = "10.5.0.251/24"
"""
ETCNET_BOND = {
    "/etc/net/ifaces/bond0/options": (
        "BOOTPROTO=static\nCONFIG_WIRELESS=no\nCONFIG_IPV4=yes\nHOST='eth1 eth2'\nONBOOT=yes\nTYPE=bond\n"
        "BONDMODE=4\nBONDOPTIONS='miimon=100 xmit_hash_policy=layer2+3'\n"
    ),
    "/etc/net/ifaces/bond0.50/options": (
        "BOOTPROTO=static\nCONFIG_WIRELESS=no\nCONFIG_IPV4=yes\nHOST='bond0'\nONBOOT=yes\nTYPE=vlan\nVID=50\n"
    ),
    "/etc/net/ifaces/bond0.50/ipv4address": "10.5.0.251/24 broadcast +\n",
    "/etc/net/ifaces/vmbr0/options": (
        "BOOTPROTO=static\nCONFIG_WIRELESS=no\nCONFIG_IPV4=yes\nHOST='bond0'\nONBOOT=yes\nTYPE=bri\n"
    ),
}
INTERFACES_BOND = """\
iface eth1 inet manual

iface eth2 inet manual

auto bond0
iface bond0 inet manual
	bond-slaves eth1 eth2
	bond-miimon 100
	bond-mode 802.3ad
	bond-xmit-hash-policy layer2+3
"""


def test_bond_and_vlan_of_etcnet_as_files() -> None:
    with node("alt-p8", one("alt-p8", BOND)) as nodes:
        shown = bridge(nodes, "check")
        assert shown.status == 2
        for path, text in ETCNET_BOND.items():
            point = next(p for p in shown.tap.todo() if p.description == path)
            assert "".join(line[1:] + "\n" for line in point.yaml["diff"].splitlines() if line[:1] == "+") == text, path


def test_bond_vlan_and_vlan_aware_bridge_of_ifupdown2_as_a_file() -> None:
    text = one("alt-p11", BOND, network='vlan_aware = true\nvlans = "2-100 200"')
    with node("alt-p11", text) as nodes:
        shown = bridge(nodes, "check")
        assert shown.status == 2
        diff = next(p for p in shown.tap.todo() if p.description == "/etc/network/interfaces").yaml["diff"]
        made = "".join(line[1:] + "\n" for line in diff.splitlines() if line[:1] in ("+", " "))
        assert INTERFACES_BOND in made, made
        assert "\tbridge-ports bond0\n\tbridge-stp off\n\tbridge-fd 0\n\tbridge-vlan-aware yes\n" in made
        assert "\tbridge-vids 2-100 200\n" in made
        assert "iface bond0.50 inet static\n\taddress 10.5.0.251/24\n\tvlan-raw-device bond0\n\tvlan-id 50\n" in made


SEVERAL = """
vlan_aware = true
[[node.bridge]]
name = "vmbr1"
port = "eth1"
vlan_aware = true
"""


@pytest.mark.parametrize(
    ("setting", "takes"),
    [("0", False), ("", False), ("1", True), (" = 1", True), (None, False)],
    ids=["as Debian has it", "not set", "set", "set with blanks", "no file"],
)
def test_several_vlan_aware_bridges_only_where_ifupdown2_takes_them(setting: str | None, takes: bool) -> None:
    """By itself ifupdown2 passes over all but one, and ends with status 0."""
    conf, name = "/etc/network/ifupdown2/ifupdown2.conf", "multiple_vlan_aware_bridge_support"
    with node("alt-p11", one("alt-p11", SEVERAL)) as nodes:
        if setting is None:
            nodes["pve1"].remove(conf)
        else:
            line = f"{name}{setting if '=' in setting else f'={setting}'}" if setting else ""
            nodes["pve1"].run(["sed", "-i", f"s/^{name}=.*/{line}/", conf]).check()
        seen = bridge(nodes, "check")
        refused = "ifupdown2 takes more than one VLAN-aware bridge" in str(seen.failures)
        assert (seen.status, refused) == ((2, False) if takes else (78, True)), str(seen)


# A missing NIC, another bridge's NIC ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_a_nic_that_is_not_there_is_refused(target: str) -> None:
    with node(target, one(target, 'nic = "enp9s0"')) as nodes:
        before = support.picture(nodes["pve1"], skip=[support.LOG])
        refused = bridge(nodes).expect(78)
        assert "there is no interface enp9s0" in str(refused.failures)
        assert support.untouched(before, support.picture(nodes["pve1"], skip=[support.LOG])) == []


def test_a_nic_of_another_bridge_is_refused() -> None:
    with node("alt-p8", one("alt-p8", 'nic = "eth1"')) as nodes:
        nodes["pve1"].run("ip link add other type bridge && ip link set eth1 master other").check()
        refused = bridge(nodes).expect(78)
        assert "interface eth1 belongs to another bridge or bond" in str(refused.failures)
