"""Gateways: reachable from the node's own network, and nobody's own address."""

from __future__ import annotations

from typing import Any

from pvegen.checks.addresses import stated, unusable
from pvegen.checks.context import Context
from pvegen.derive import NodeView
from pvegen.mistakes import Where
from pvegen.source import Path


def check(context: Context) -> None:
    """Whether each node's default gateways can be used from where it stands."""
    owners = _owners(context)
    for key, address_key in (("gateway", "address"), ("gateway6", "address6")):
        found = [(node, _outside_of(context, node, key, address_key, owners)) for node in context.view.nodes]
        outside = [node for node, is_outside in found if is_outside]
        everybody = all(is_outside is not False for _, is_outside in found)
        _say_outside(context, outside, key, address_key, everybody)
    _none(context)


def _owners(context: Context) -> dict[Any, Path]:
    """The addresses of all nodes, those that are kept too where they are stated for /etc/hosts."""
    owners: dict[Any, Path] = {}
    for node in context.view.nodes:
        for path, address in stated(context, node):
            owners.setdefault(address.ip, path)
        path = (*node.path, "hosts_address")
        if node.node.hosts_address is not None and context.sound(path):
            owners.setdefault(node.node.hosts_address, path)
    return owners


def _outside_of(context: Context, node: NodeView, key: str, address_key: str, owners: dict[Any, Path]) -> bool | None:
    """Check one gateway of a node; whether it lies outside of the node's network, None where that is not known."""
    gateway = getattr(node.main, key)
    path = context.inherited(node, key)
    if gateway is None or not context.sound(path, (*node.path, address_key)):
        return None
    if node.main.keep and key == "gateway":
        if getattr(node.node, key) is not None:
            context.say("PVE412", path, value=gateway)
        return None
    reason = unusable(gateway)
    if reason == "link_local" and gateway.version == 6:
        reason = None
    address = getattr(node.main, address_key)
    if reason is not None:
        context.say("PVE303" if reason == "loopback" else "PVE304", path, value=gateway, reason=reason)
    elif address is None:
        context.say("PVE319", path, value=gateway, node=node.name)
    elif gateway == address.ip:
        context.say("PVE312", path, value=gateway, node=node.name)
    elif gateway in owners:
        context.say("PVE313", path, value=gateway, first=Where(owners[gateway]))
    elif gateway.is_link_local or gateway in address.network:
        _host(context, path, gateway, address.network)
        return False
    else:
        return True
    return None


def _host(context: Context, path: Path, gateway: Any, network: Any) -> None:
    """A gateway is a machine: not the network's own address nor its broadcast address."""
    if network.max_prefixlen - network.prefixlen < 2:
        return
    if network.version == 4 and gateway in (network.network_address, network.broadcast_address):
        context.say("PVE314", path, value=gateway, network=network)


def _say_outside(context: Context, nodes: list[NodeView], key: str, address_key: str, everybody: bool) -> None:
    """Say it at the gateway where it is the node's own or wrong for all nodes, else at the nodes that differ."""
    for node in nodes:
        path = context.inherited(node, key)
        address = getattr(node.main, address_key)
        facts = {"value": getattr(node.main, key), "address": address, "network": address.network}
        own: Path = (*node.path, address_key)
        if everybody or path[0] == "node":
            context.say("PVE311", path, first=Where(own), **facts)
        else:
            context.say("PVE315", own, first=Where(path), **facts)


def _none(context: Context) -> None:
    """Nodes without any default route: legal, seldom meant."""
    lonely = [
        node for node in context.view.nodes
        if not (node.main.gateway or node.main.gateway6 or node.main.keep)
        and context.sound(("network", "gateway"), (*node.path, "gateway"), (*node.path, "address"))
    ]
    if lonely:
        context.say("PVE917", lonely[0].path, nodes=[node.name for node in lonely[:5]])
