"""What follows from a description: every node with all that it leaves unsaid filled in.

Runs on any description that could be read, right or wrong: the checks look at
what is derived here, and so see what the scripts would be made of. Each part
carries the path of the table that it comes from, for messages that point there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from pvegen.model import Bond, Bridge, Description, Node

Path = tuple[str | int, ...]

# Bond modes that spread traffic by a hash (Documentation/networking/bonding: xmit_hash_policy).
HASHING_MODES = frozenset({"802.3ad", "balance-xor", "balance-tlb"})

# corosync has links 0 to 7 (facts: names and limits); what is beyond is refused by the target.
MOST_LINKS = 8

# What an interface has that nobody gave another, in bytes.
ETHERNET_MTU = 1500


@dataclass(eq=False, repr=False)
class Interface:
    """One interface of a node, as it will be.

    kind: "nic", "bond", "vlan" or "bridge"; path: its table in the description
    (a NIC that is only mentioned has the path of the mention). mtu: bytes, None
    where the system's stays; mtu_stated: whether the description says it. lowers: names of the interfaces
    below it (ports, bonded NICs, a VLAN's parent).
    """

    kind: str
    name: str
    path: Path
    address: ipaddress.IPv4Interface | None = None
    address6: ipaddress.IPv6Interface | None = None
    gateway: ipaddress.IPv4Address | None = None
    gateway6: ipaddress.IPv6Address | None = None
    mtu: int | None = None
    lowers: tuple[str, ...] = ()
    keep: bool = False
    main: bool = False
    vlan_id: int | None = None
    vlan_aware: bool = False
    vlans: str = ""
    bond_mode: str = ""
    bond_miimon: int = 0
    bond_hash: str = ""
    mtu_stated: bool = False


@dataclass(eq=False, repr=False)
class Link:
    """A node's end of a corosync link: number, own address, priority or None."""

    number: int
    address: Any
    priority: int | None


@dataclass(eq=False, repr=False)
class NodeView:
    """One node with everything derived.

    interfaces: lower ones before those that stand on them; creates: whether the
    node creates the cluster; member: the name of the node it joins, else None;
    joined_by: the names of those that join it; host_address: what names resolve
    to (None where only DNS knows it); links: empty where the node's own address
    is the only link.
    """

    index: int
    name: str
    fqdn: str
    node: Node
    path: Path
    interfaces: list[Interface]
    creates: bool
    member: str | None
    host_address: ipaddress.IPv4Address | None
    links: list[Link] = field(default_factory=list)
    joined_by: list[str] = field(default_factory=list)

    @property
    def main(self) -> Interface:
        """The main bridge."""
        return next(i for i in self.interfaces if i.main)

    def interface(self, name: str) -> Interface | None:
        """The interface of that name, if the node has one."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Interface]:
        return {interface.name: interface for interface in reversed(self.interfaces)}


@dataclass(eq=False, repr=False)
class View:
    """A description with everything derived: the source of the plan and of `pvegen show`."""

    description: Description
    nodes: list[NodeView]

    @property
    def is_cluster(self) -> bool:
        """Whether there is a cluster to form: one node alone is a local installation."""
        return len(self.nodes) > 1

    def node(self, name: str) -> NodeView | None:
        """The node of that name, if there is one."""
        return next((n for n in self.nodes if n.name == name), None)


def derive(description: Description) -> View:
    """Fill in all that the description leaves unsaid."""
    first = description.node[0].name if description.node else ""
    numbers = link_numbers(description)
    nodes = []
    for index, node in enumerate(description.node):
        creates = index == 0
        host = node.hosts_address
        if host is None and node.address != "keep":
            host = node.address.ip
        view = NodeView(
            index=index,
            name=node.name,
            fqdn=f"{node.name}.{description.cluster.domain}",
            node=node,
            path=("node", index),
            interfaces=list(_interfaces(description, index, node)),
            creates=creates,
            member=None if creates else (node.joins or first),
            host_address=host,
        )
        view.links = _links(description, numbers, view)
        nodes.append(view)
    joined: dict[str | None, list[str]] = {}
    for view in nodes:
        joined.setdefault(view.member, []).append(view.name)
    for view in nodes:
        view.joined_by = joined.get(view.name, [])
    return View(description, nodes)


def order_of_running(nodes: list[NodeView]) -> list[NodeView]:
    """The nodes in an order in which each joins a member that is there; what cannot join comes last."""
    joiners: dict[str | None, list[NodeView]] = {}
    for node in nodes:
        joiners.setdefault(None if node.creates else node.member, []).append(node)
    order = joiners.pop(None, [])
    for node in order:
        order += joiners.pop(node.name, [])
    return [*order, *(node for waiting in joiners.values() for node in waiting)]


def link_numbers(description: Description) -> list[int]:
    """The number of each `[[link]]`: as stated, else the next free one from 1."""
    taken = {link.number for link in description.link}
    free = (number for number in count(1) if number not in taken)
    return [next(free) if link.number is None else link.number for link in description.link]


def addresses_in(view: NodeView, network: Any) -> list[Any]:
    """The node's own addresses (without prefix) that lie in a network."""
    found = []
    for interface in view.interfaces:
        for address in (interface.address, interface.address6):
            if address is not None and address.version == network.version and address.ip in network:
                found.append(address.ip)
    return found


def _links(description: Description, numbers: list[int], view: NodeView) -> list[Link]:
    """The node's ends of all links; nothing where there is only the node's own address."""
    if not description.link:
        return []
    links = []
    if 0 not in numbers and view.host_address is not None:
        links.append(Link(0, view.host_address, None))
    for number, link in zip(numbers[:MOST_LINKS], description.link, strict=False):
        for address in addresses_in(view, link.network)[:1]:
            links.append(Link(number, address, link.priority))
    return sorted(links, key=lambda link: link.number)


def _interfaces(description: Description, index: int, node: Node) -> Iterator[Interface]:
    """All interfaces of a node, lower ones first."""
    network = description.network
    here: Path = ("node", index)
    uppers = list(_uppers(description, here, node))
    own = {bond.name for bond in node.bond}
    bonds: list[tuple[Path, Bond]] = [(("network", "bond", i), b) for i, b in enumerate(network.bond)]
    bonds = [(path, bond) for path, bond in bonds if bond.name not in own]
    bonds += [((*here, "bond", i), b) for i, b in enumerate(node.bond)]
    lower = [_bond(path, bond) for path, bond in bonds]
    above = _above(uppers)
    for made in lower:
        _settle_mtu(made, above)
    yield from _nics(here, node, lower + uppers)
    yield from lower
    vlans = [u for u in uppers if u.kind == "vlan"]
    bridges = [u for u in uppers if u.kind == "bridge"]
    names = {bridge.name for bridge in bridges}
    yield from [vlan for vlan in vlans if vlan.lowers[0] not in names]
    yield from bridges
    yield from [vlan for vlan in vlans if vlan.lowers[0] in names]


def _uppers(description: Description, here: Path, node: Node) -> Iterator[Interface]:
    """The main bridge, further bridges and VLANs, in the order of the description."""
    network = description.network
    nic = node.nic or network.nic
    mtu = node.mtu or network.mtu
    yield Interface(
        "bridge", node.bridge_name or network.bridge_name, here,
        address=None if node.address == "keep" else node.address, address6=node.address6,
        gateway=node.gateway or network.gateway, gateway6=node.gateway6 or network.gateway6,
        mtu=mtu, mtu_stated=mtu is not None, lowers=(nic,) if nic else (), keep=node.address == "keep", main=True,
        vlan_aware=network.vlan_aware if node.vlan_aware is None else node.vlan_aware,
        vlans=node.vlans or network.vlans,
    )
    for i, bridge in enumerate(node.bridge):
        yield _bridge((*here, "bridge", i), bridge)
    for i, vlan in enumerate(node.vlan):
        yield Interface(
            "vlan", vlan.name or f"{vlan.parent}.{vlan.id}", (*here, "vlan", i), address=vlan.address,
            address6=vlan.address6, mtu=vlan.mtu, mtu_stated=vlan.mtu is not None, lowers=(vlan.parent,),
            vlan_id=vlan.id,
        )


def _bridge(path: Path, bridge: Bridge) -> Interface:
    return Interface(
        "bridge", bridge.name, path, address=bridge.address, address6=bridge.address6, mtu=bridge.mtu,
        mtu_stated=bridge.mtu is not None, lowers=(bridge.port,) if bridge.port else (),
        vlan_aware=bridge.vlan_aware, vlans=bridge.vlans,
    )


def _bond(path: Path, bond: Bond) -> Interface:
    policy = bond.hash_policy or ("layer2+3" if bond.mode in HASHING_MODES else "")
    return Interface(
        "bond", bond.name, path, lowers=tuple(bond.nics), bond_mode=bond.mode, bond_miimon=bond.miimon,
        bond_hash=policy, mtu=bond.mtu, mtu_stated=bond.mtu is not None,
    )


def _above(interfaces: list[Interface]) -> dict[str, list[Interface]]:
    """What stands on each interface, by its name."""
    above: dict[str, list[Interface]] = {}
    for interface in interfaces:
        for lower in interface.lowers:
            above.setdefault(lower, []).append(interface)
    return above


def _settle_mtu(lower: Interface, above: dict[str, list[Interface]]) -> None:
    """Let an interface that states no MTU have what the largest of those on it needs.

    A bridge or VLAN without an MTU takes that of what it stands on, so that the
    others, which are not to change with it, get the one that they have.
    """
    uppers = above.get(lower.name, ())
    if lower.mtu is not None or all(_needed_mtu(upper, above) is None for upper in uppers):
        return
    for upper in uppers:
        upper.mtu = _needed_mtu(upper, above) or ETHERNET_MTU
    lower.mtu = max(upper.mtu or ETHERNET_MTU for upper in uppers)


def _needed_mtu(interface: Interface, above: dict[str, list[Interface]]) -> int | None:
    """The MTU that an interface states, or what stands on it where it is a VLAN that only passes frames on."""
    stated = []
    # A wrong description can hold a circle.
    seen = set()
    todo = [interface]
    for current in todo:
        if current.mtu is not None:
            stated.append(current.mtu)
        elif current.kind == "vlan" and current.name not in seen:
            seen.add(current.name)
            todo += above.get(current.name, ())
    return max(stated, default=None)


def _nics(here: Path, node: Node, others: list[Interface]) -> Iterator[Interface]:
    """The plain NICs: those with a table of their own, and those that something stands on."""
    nics = [
        Interface(
            "nic", stated.name, (*here, "interface", i), address=stated.address, address6=stated.address6,
            mtu=stated.mtu, mtu_stated=stated.mtu is not None,
        )
        for i, stated in enumerate(node.interface)
    ]
    known = {interface.name for interface in [*nics, *others]}
    for other in others:
        for lower in other.lowers:
            if lower not in known:
                known.add(lower)
                nics.append(Interface("nic", lower, other.path))
    above = _above(others)
    for nic in nics:
        _settle_mtu(nic, above)
        yield nic
