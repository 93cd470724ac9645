"""The network of a node as files: what etcnet and ifupdown2 are to read.

Facts of etcnet's files: facts, "etcnet" and "Measured on real pvecm"; of
ifupdown2: interfaces(5) of ifupdown2 and "Network: which subsystem owns vmbr0".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Any, NamedTuple

from pvegen.derive import Interface, NodeView, View

IFACES = "/etc/net/ifaces"

# The kernel's numbers of the bonding modes (Documentation/networking/bonding).
BOND_MODES = {
    "balance-rr": 0, "active-backup": 1, "balance-xor": 2, "broadcast": 3, "802.3ad": 4, "balance-tlb": 5,
    "balance-alb": 6,
}  # fmt: skip


@dataclass(eq=False, repr=False)
class Directory:
    """One interface's directory of etcnet.

    files: name -> lines, in the order of writing; absent: files that must not be
    there; moved: files that are taken over from the port, moved_from; forgotten:
    files that go where an earlier description had them written.
    """

    interface: Interface
    path: str
    files: dict[str, list[str]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    moved_from: str = ""
    keep: bool = False
    forgotten: list[str] = field(default_factory=list)


def resolver(view: View) -> list[str]:
    """Lines of a resolv.conf; none where the description states no name servers."""
    network = view.description.network
    if not network.nameservers:
        return []
    search = network.search or (view.description.cluster.domain,)
    return ["search " + " ".join(search)] + [f"nameserver {server}" for server in network.nameservers]


def etcnet(view: View, node: NodeView, facts: dict[str, Any]) -> list[Directory]:
    """The directories of all interfaces of a node: upper ones first.

    The main bridge comes before its port, so that addresses arrive in the bridge's
    directory before they leave the port's; `options`, without which etcnet passes a
    directory over, is the last file of each.
    """
    return [_directory(view, node, interface, facts) for interface in reversed(node.interfaces)]


def _directory(view: View, node: NodeView, interface: Interface, facts: dict[str, Any]) -> Directory:
    made = Directory(interface, f"{IFACES}/{interface.name}", keep=interface.keep)
    if interface.kind == "bridge" and facts["bridge_options"] == "brctl":
        made.files["brctl"] = ["stp AUTO off", "setfd AUTO 0"]
    if interface.mtu:
        made.files["iplink"] = [f"mtu {interface.mtu}"]
    else:
        made.forgotten.append("iplink")
    own = {
        # An address on anything but TYPE=eth gets no broadcast address by itself.
        "ipv4address": _ipv4address(interface),
        "ipv6address": [str(interface.address6)] if interface.address6 else [],
        "ipv4route": [f"default via {interface.gateway}"] if interface.gateway and not interface.keep else [],
        "ipv6route": [f"default via {interface.gateway6}"] if interface.gateway6 else [],
        "resolv.conf": resolver(view) if interface.main else [],
    }
    port = interface.lowers[0] if interface.main and interface.lowers else ""
    for name, lines in own.items():
        if lines:
            made.files[name] = lines
        elif port and (name == "resolv.conf" or interface.keep):
            made.moved.append(name)
        else:
            made.absent.append(name)
    made.moved_from = f"{IFACES}/{port}"
    if port == "" or not made.moved:
        made.moved = []
    main_port = node.main.lowers[:1] == (interface.name,)
    if main_port:
        # What the bridge takes over has left by then: not ours to remove.
        taken = [name for name in made.absent if (name == "resolv.conf" and not resolver(view)) or node.main.keep]
        made.absent = [name for name in made.absent if name not in taken]
    made.files["options"] = _options(interface, facts)
    return made


def _ipv4address(interface: Interface) -> list[str]:
    """The lines of `ipv4address`; a network of two addresses has no broadcast address.

    The word is written whole: etcnet adds it itself on Ethernet interfaces, unless it stands there.
    """
    if interface.address is None:
        return []
    return [f"{interface.address} broadcast +" if interface.address.network.prefixlen < 31 else str(interface.address)]


def _options(interface: Interface, facts: dict[str, Any]) -> list[str]:
    """The `options` file of an interface."""
    host = " ".join(interface.lowers)
    lines = [
        "BOOTPROTO=@method@" if interface.keep else "BOOTPROTO=static",
        "CONFIG_WIRELESS=no",
        "CONFIG_IPV4=yes",
    ]
    if interface.address6 or interface.gateway6:
        lines.append("CONFIG_IPV6=yes")
    elif interface.keep:
        lines.append("CONFIG_IPV6=@ipv6@")
    if interface.lowers or interface.kind == "bridge":
        lines.append(f"HOST='{host}'")
    lines.append("ONBOOT=yes")
    kind = {"nic": "eth", "bond": "bond", "vlan": "vlan", "bridge": "bri"}[interface.kind]
    lines.append(f"TYPE={kind}")
    if interface.kind == "bond":
        options = f"miimon={interface.bond_miimon}"
        if interface.bond_hash:
            options += f" xmit_hash_policy={interface.bond_hash}"
        lines += [f"BONDMODE={BOND_MODES[interface.bond_mode]}", f"BONDOPTIONS='{options}'"]
    if interface.kind == "vlan":
        lines.append(f"VID={interface.vlan_id}")
    if interface.kind == "bridge" and facts["bridge_options"] == "options":
        lines.append("BRIDGE_OPTIONS='stp_state 0 forward_delay 0'")
    return lines


def interfaces_file(view: View, node: NodeView) -> list[str]:
    """Our stanzas of /etc/network/interfaces; `@method@` and `@options@` are taken
    over on the node where the address is kept."""
    lines: list[str] = []
    lowers = {lower for interface in node.interfaces for lower in interface.lowers}
    for interface in node.interfaces:
        if lines:
            lines.append("")
        lines += _stanza(view, interface, interface.name in lowers)
    return lines


# What a pve-common that needs the mirror knows an option by, and by nothing else: an option
# by another name is none of the bridge's or bond's. Nor does it take a length behind an
# address. Its INotify.pm of 2013 has these alone; the names of today came after 5.0-34 of 2018,
# for ifupdown2 (pve-common's changelog).
_OF_THE_MIRROR = {
    "bridge-ports": "bridge_ports", "bridge-stp": "bridge_stp", "bridge-fd": "bridge_fd", "bond-slaves": "slaves",
    "bond-miimon": "bond_miimon", "bond-mode": "bond_mode", "bond-xmit-hash-policy": "bond_xmit_hash_policy",
}  # fmt: skip


def mirror_file(view: View, node: NodeView) -> list[str]:
    """Our stanzas of /etc/network/interfaces, as a pve-common before 4.0.63 reads them."""
    return [line for today in interfaces_file(view, node) for line in _of_the_mirror(today)]


def _of_the_mirror(line: str) -> list[str]:
    """One line of today's as the lines that it was then."""
    option, _, value = line.strip().partition(" ")
    if option == "address":
        address = ip_interface(value)
        mask = address.netmask if address.version == 4 else address.network.prefixlen
        return [f"\taddress {address.ip}", f"\tnetmask {mask}"]
    return [line.replace(option, _OF_THE_MIRROR[option], 1)] if option in _OF_THE_MIRROR else [line]


def _stanza(view: View, interface: Interface, is_lower: bool) -> list[str]:
    """The stanzas of one interface; is_lower: whether another one stands on it."""
    method = "@method@" if interface.keep else "static" if interface.address else "manual"
    # As PVE itself writes it: a NIC without address is brought up by what stands on it, but the MTU of its stanza
    # only with the stanza; nor does classic ifupdown give it to what a VLAN stands on.
    bare = is_lower and interface.kind == "nic" and method == "manual" and not interface.mtu
    lines = [] if bare else [f"auto {interface.name}"]
    lines.append(f"iface {interface.name} inet {method}")
    if interface.keep:
        lines.append("@options@")
    elif interface.address:
        lines.append(f"\taddress {interface.address}")
        if interface.gateway:
            lines.append(f"\tgateway {interface.gateway}")
    lines += [f"\t{option}" for option in _link_options(interface)]
    if interface.mtu:
        lines.append(f"\tmtu {interface.mtu}")
    if interface.main:
        lines += _name_servers(view)
    if interface.address6:
        lines += ["", f"iface {interface.name} inet6 static", f"\taddress {interface.address6}"]
        if interface.gateway6:
            lines.append(f"\tgateway {interface.gateway6}")
    return lines


def _name_servers(view: View) -> list[str]:
    """Name servers as resolvconf's hook of ifupdown2 takes them: one line of all."""
    lines = resolver(view)
    if not lines:
        return ["@dns@"]
    servers = [line.split(" ", 1)[1] for line in lines[1:]]
    return ["\tdns-nameservers " + " ".join(servers), "\tdns-" + lines[0]]


def _link_options(interface: Interface) -> list[str]:
    """What makes the interface a bridge, a bond or a VLAN."""
    if interface.kind == "bridge":
        lines = ["bridge-ports " + (" ".join(interface.lowers) or "none"), "bridge-stp off", "bridge-fd 0"]
        if interface.vlan_aware:
            lines += ["bridge-vlan-aware yes", f"bridge-vids {interface.vlans}"]
        return lines
    if interface.kind == "bond":
        lines = [
            "bond-slaves " + " ".join(interface.lowers),
            f"bond-miimon {interface.bond_miimon}",
            f"bond-mode {interface.bond_mode}",
        ]
        return lines + ([f"bond-xmit-hash-policy {interface.bond_hash}"] if interface.bond_hash else [])
    if interface.kind == "vlan":
        return [f"vlan-raw-device {interface.lowers[0]}", f"vlan-id {interface.vlan_id}"]
    return []


class Fact(NamedTuple):
    """One thing that must be true of the running network.

    message: its text in the catalogue; values: what the text names; command: the
    runtime's function and its arguments.
    """

    message: str
    values: dict[str, object]
    command: tuple[object, ...]


def running(node: NodeView, manager: str) -> list[Fact]:
    """What must be true of a node's running network, lower interfaces first.

    manager: "etcnet" or "ifupdown2"; the latter sets no broadcast address unasked.
    """
    facts: list[Fact] = []
    above = {lower: upper for upper in node.interfaces if upper.kind == "bridge" for lower in upper.lowers}
    bonded = {lower: bond.name for bond in node.interfaces if bond.kind == "bond" for lower in bond.lowers}
    for interface in node.interfaces:
        name = interface.name
        facts.append(Fact("net.up", {"name": name}, ("is_up", name)))
        if interface.mtu:
            facts.append(Fact("net.mtu", {"name": name, "mtu": interface.mtu}, ("has_mtu", name, interface.mtu)))
        if name in above:
            upper = above[name].name
            facts.append(Fact("net.port", {"name": name, "bridge": upper}, ("is_port_of", name, upper)))
            facts.append(Fact("net.bare", {"name": name}, ("has_only_link_local", name)))
        if name in bonded:
            facts.append(Fact("net.bonded", {"name": name, "bond": bonded[name]}, ("is_bonded", name, bonded[name])))
            facts.append(Fact("net.bare", {"name": name}, ("has_only_link_local", name)))
        facts += _kind_facts(interface)
        facts += _address_facts(interface, manager)
    return facts


def _kind_facts(interface: Interface) -> list[Fact]:
    """What must be true of an interface as a bridge, a bond or a VLAN."""
    name = interface.name
    facts = []
    if interface.kind == "bridge":
        facts.append(Fact("net.delay", {"name": name}, ("has_delay", name, 0)))
    if interface.vlan_aware:
        facts.append(Fact("net.aware", {"name": name}, ("is_vlan_aware", name)))
    if interface.kind == "bond":
        mode = interface.bond_mode
        facts.append(Fact("net.bond_mode", {"name": name, "mode": mode}, ("has_bond_mode", name, mode)))
    if interface.kind == "vlan":
        values: dict[str, object] = {"name": name, "id": interface.vlan_id, "parent": interface.lowers[0]}
        facts.append(Fact("net.vlan", values, ("is_vlan", name, interface.vlan_id, interface.lowers[0])))
    return facts


def _address_facts(interface: Interface, manager: str) -> list[Fact]:
    """What must be true of an interface's addresses and routes."""
    name = interface.name
    facts = []
    if interface.keep:
        facts.append(Fact("net.any_address", {"name": name}, ("has_some_address", name)))
    for address in (interface.address, interface.address6):
        if address:
            facts.append(Fact("net.address", {"name": name, "address": address}, ("has_address", name, address)))
    if interface.address and manager == "etcnet" and interface.address.network.prefixlen < 31:
        facts.append(Fact("net.broadcast", {"name": name}, ("has_broadcast", name, interface.address)))
    for gateway in (interface.gateway, interface.gateway6):
        if gateway and not interface.keep:
            facts.append(Fact("net.route", {"name": name, "gateway": gateway}, ("has_route", gateway, name)))
    return facts
