"""A description with everything derived, as plain data that explains itself."""

from __future__ import annotations

from typing import Any

from pvegen import target
from pvegen.derive import Interface, Link, NodeView, View, order_of_running
from pvegen.model import Table


def shown(view: View) -> dict[str, Any]:
    """The data: what holds for all nodes, then each node with its role, links and interfaces."""
    stated = view.description
    cluster = _plain(stated.cluster)
    cluster["system"] = target.load(stated.cluster.target).title
    cluster["order_of_running"] = [node.name for node in order_of_running(view.nodes)]
    if stated.cluster.names == "hosts":
        cluster["hosts"] = [f"{n.host_address} {n.fqdn} {n.name}" for n in view.nodes if n.host_address]
    nodes = [_node(view, node) for node in view.nodes]
    network = {name: _value(getattr(stated.network, name)) for name in ("nameservers", "search")}
    if stated.network.nameservers and not network["search"]:
        network["search"] = [stated.cluster.domain]
    return {
        "format": stated.format,
        "cluster": cluster,
        "network": network,
        "time": _plain(stated.time),
        "ssh": _plain(stated.ssh),
        "limits": _plain(stated.limits),
        "node": nodes,
    }


def _plain(table: Table) -> dict[str, Any]:
    """A table's values, without those that have neither value nor default."""
    found = {name: _value(getattr(table, name)) for name in table.KEYS}
    return {name: value for name, value in found.items() if value is not None}


def _value(value: object) -> Any:
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _node(view: View, node: NodeView) -> dict[str, Any]:
    role = "stands alone"
    if view.is_cluster:
        role = "creates the cluster" if node.creates else f"joins through {node.member}"
    data: dict[str, Any] = {"name": node.name, "fqdn": node.fqdn, "script": f"{node.name}.sh", "role": role}
    if node.joined_by:
        data["joined_by"] = node.joined_by
    for key in ("nodeid", "votes", "ssh_user_key", "ssh_host_keys"):
        if getattr(node.node, key) not in (None, ()):
            data[key] = _value(getattr(node.node, key))
    if view.is_cluster:
        data["link"] = [_link(link) for link in node.links or _only(node)]
    data["interface"] = [_interface(interface) for interface in node.interfaces]
    return data


def _only(node: NodeView) -> list[Link]:
    """Link 0 where no links are stated: the node's own address, if it is known here."""
    return [Link(0, node.host_address, None)] if node.host_address else []


def _link(link: Link) -> dict[str, Any]:
    data = {"number": link.number, "address": str(link.address)}
    return data if link.priority is None else data | {"priority": link.priority}


def _interface(interface: Interface) -> dict[str, Any]:
    data: dict[str, Any] = {"name": interface.name, "kind": interface.kind}
    if interface.lowers:
        data["over"] = list(interface.lowers)
    if interface.keep:
        data["address"] = "keep"
    for key in ("address", "address6", "gateway", "gateway6"):
        value = getattr(interface, key)
        if value is not None and not (interface.keep and key == "gateway"):
            data[key] = str(value)
    data["mtu"] = interface.mtu or "the system's"
    if interface.kind == "vlan":
        data["id"] = interface.vlan_id
    if interface.kind == "bond":
        data |= {"mode": interface.bond_mode, "miimon": interface.bond_miimon}
        data |= {"hash_policy": interface.bond_hash} if interface.bond_hash else {}
    if interface.kind == "bridge":
        data["vlan_aware"] = interface.vlan_aware
        data |= {"vlans": interface.vlans} if interface.vlan_aware else {}
    return data
