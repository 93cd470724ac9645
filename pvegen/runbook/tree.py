"""A node's interfaces in lines, each under what stands on it, and the networks that nodes share."""

from __future__ import annotations

from typing import Any, NamedTuple

from pvegen import catalogue
from pvegen.derive import Interface, NodeView, View


class Row(NamedTuple):
    """One interface where it stands.

    depth: how many interfaces are above it; name, kind; words: what it is; addresses:
    (address or what stands for one, the cluster links that end there, its network or
    None); again: it was told of further up, with all that is below it.
    """

    depth: int
    name: str
    kind: str
    words: str
    addresses: list[tuple[str, str, Any]]
    again: bool = False


class Network(NamedTuple):
    """A network that nodes have addresses in: its address, cluster links in it, (node, interface, address) of each."""

    network: Any
    links: list[int]
    ends: list[tuple[str, str, str]]


def tree(node: NodeView, *, alone: bool) -> list[Row]:
    """The interfaces of a node: the main bridge first, each with those that it stands on below it."""
    stood_on = {lower for interface in node.interfaces for lower in interface.lowers}
    tops = [interface for interface in node.interfaces if interface.name not in stood_on]
    # What stands on the main bridge comes with it.
    tops.sort(key=lambda top: not (top.main or node.main.name in top.lowers))
    rows: list[Row] = []
    seen: set[str] = set()
    todo = [(top, 0) for top in reversed(tops)]
    while todo:
        interface, depth = todo.pop()
        again = interface.name in seen
        seen.add(interface.name)
        addresses = [] if again else _addresses(node, interface, alone=alone)
        rows.append(Row(depth, interface.name, interface.kind, _words(interface, again), addresses, again))
        if not again:
            lowers = [lower for name in interface.lowers if (lower := node.interface(name))]
            todo += [(lower, depth + 1) for lower in reversed(lowers)]
    return rows


def outline(rows: list[Row]) -> list[str]:
    """The rows as lines of text, indented by what stands on them."""
    lines = []
    for row in rows:
        ends = "".join(f", {address}" + (f", {links}" if links else "") for address, links, _ in row.addresses)
        lines.append(f"{'  ' * row.depth}{row.name}: {row.words}{ends}")
    return lines


def words() -> dict[str, str]:
    """The short words of pictures. The language is the scripts' own, whatever the desk's is."""
    return catalogue.load("en").runbook


def _words(interface: Interface, again: bool) -> str:
    texts = words()
    found = [texts[interface.kind].format(id=interface.vlan_id, mode=interface.bond_mode)]
    if again:
        return f"{found[0]}, {texts['again']}"
    if interface.bond_hash:
        found.append(interface.bond_hash)
    if interface.kind == "bridge" and not interface.lowers:
        found.append(texts["no_port"])
    if interface.vlan_aware:
        found.append(texts["aware"].format(vlans=interface.vlans))
    if interface.mtu:
        found.append(texts["mtu"].format(mtu=interface.mtu))
    found += [texts["gateway"].format(gateway=g) for g in (interface.gateway, interface.gateway6) if g]
    return ", ".join(found)


def _addresses(node: NodeView, interface: Interface, *, alone: bool) -> list[tuple[str, str, Any]]:
    """What an interface has of addresses, and which cluster links end there."""
    texts = words()
    found: list[tuple[str, str, Any]] = []
    if interface.keep:
        shown = texts["keep_known"].format(address=node.host_address) if node.host_address else texts["keep"]
        found.append((shown, _links(node, node.host_address, interface, alone=alone), None))
    for address in (interface.address, interface.address6):
        if address is not None:
            found.append((str(address), _links(node, address.ip, interface, alone=alone), address.network))
    return found


def ends(node: NodeView, *, alone: bool) -> list[tuple[int, Any, int | None]]:
    """A node's ends of the cluster links: number, address, priority; the node's own address is the only one
    where no link is stated."""
    if alone:
        return []
    stated = [(link.number, link.address, link.priority) for link in node.links]
    return stated or [(0, node.host_address, None)]


def _links(node: NodeView, address: Any, interface: Interface, *, alone: bool) -> str:
    """The cluster links that end at an address of an interface, in words."""
    texts = words()
    return ", ".join(
        texts["link"].format(number=number)
        + (texts["priority"].format(priority=priority) if priority is not None else "")
        for number, end, priority in ends(node, alone=alone)
        if end == address and (end is not None or interface.main)
    )


def network_rows(view: View) -> list[Network]:
    """The networks in which nodes have addresses, in the order in which the nodes' interfaces name them."""
    found: dict[Any, Network] = {}
    for node in view.nodes:
        for interface in sorted(node.interfaces, key=lambda one: not one.main):
            for address in (interface.address, interface.address6):
                if address is not None:
                    network = found.setdefault(address.network, Network(address.network, [], []))
                    network.ends.append((node.name, interface.name, str(address.ip)))
        for number, end, _ in ends(node, alone=not view.is_cluster):
            for network in found.values():
                if end is not None and end.version == network.network.version and end in network.network:
                    network.links.extend([number] if number not in network.links else [])
    return list(found.values())
