"""MTU: nothing larger on top than what it stands on, and one size in a network."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pvegen.checks.context import Context
from pvegen.derive import ETHERNET_MTU, Interface, NodeView
from pvegen.mistakes import Where


def check(context: Context) -> None:
    """Whether every stated MTU fits through the interfaces below, and the nodes agree on it in each network."""
    for node in context.view.nodes:
        for upper in node.interfaces:
            path = context.key(node, upper, "mtu")
            if upper.mtu is None or not upper.mtu_stated or not context.sound(path):
                continue
            for name in upper.lowers:
                lower = node.interface(name)
                if lower is not None and lower is not upper:
                    _fits(context, node, upper, lower)
    for network, found in _networks(context).items():
        _agree(context, network, found)


def _fits(context: Context, node: NodeView, upper: Interface, lower: Interface) -> None:
    limiting, mtu = _largest(node, lower)
    if upper.mtu is None or upper.mtu <= mtu:
        return
    path = context.key(node, limiting, "mtu")
    if context.sound(path):
        facts: dict[str, Any] = {"value": upper.mtu, "name": upper.name, "lower": limiting.name, "mtu": mtu}
        if limiting.mtu_stated:
            context.say("PVE330", context.key(node, upper, "mtu"), first=Where(path), **facts)
        else:
            context.say("PVE331", context.key(node, upper, "mtu"), **facts)


def _largest(node: NodeView, interface: Interface) -> tuple[Interface, int]:
    """The interface that limits what fits through this one, and its MTU in bytes.

    Where a bridge or VLAN says nothing it takes what it stands on; a bridge must
    state what is to be more than the system's, and is named then.
    """
    found = []
    seen = {interface.name}
    todo = [(interface, interface)]
    for current, named in todo:
        below = [] if current.mtu else [node.interface(name) for name in current.lowers if name not in seen]
        seen.update(current.lowers)
        lowers = [lower for lower in below if lower is not None]
        if current.mtu or not lowers:
            found.append((current, current.mtu) if current.mtu else (named, ETHERNET_MTU))
        todo += [(lower, named if named.kind == "bridge" else lower) for lower in lowers]
    return min(found, key=lambda pair: pair[1])


def _networks(context: Context) -> dict[Any, list[tuple[NodeView, Interface, int]]]:
    """For each network the interfaces that stand in it with an address, and the bytes that each lets through."""
    found: dict[Any, list[tuple[NodeView, Interface, int]]] = {}
    for node in context.view.nodes:
        for interface in node.interfaces:
            for key in ("address", "address6"):
                address = getattr(interface, key)
                if address is None or not context.sound(context.key(node, interface, key)):
                    continue
                limiting, mtu = _largest(node, interface)
                if context.sound(context.key(node, limiting, "mtu")):
                    found.setdefault(address.network, []).append((node, interface, mtu))
    return found


def _agree(context: Context, network: Any, found: list[tuple[NodeView, Interface, int]]) -> None:
    """Tell each that differs from what most in its network have."""
    sizes = Counter(mtu for _, _, mtu in found)
    if len(sizes) == 1:
        return
    usual = sizes.most_common(1)[0][0]
    first = next(context.key(node, interface, "mtu") for node, interface, mtu in found if mtu == usual)
    for node, interface, mtu in found:
        if mtu != usual:
            context.say("PVE922", context.key(node, interface, "mtu"), value=mtu, name=interface.name, node=node.name,
                        network=network, mtu=usual, first=Where(first))
