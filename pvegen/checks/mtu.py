"""MTU: nothing larger on top than what it stands on."""

from __future__ import annotations

from typing import Any

from pvegen.checks.context import Context
from pvegen.derive import ETHERNET_MTU, Interface, NodeView
from pvegen.mistakes import Where


def check(context: Context) -> None:
    """Whether every stated MTU fits through the interfaces below."""
    for node in context.view.nodes:
        for upper in node.interfaces:
            path = context.key(node, upper, "mtu")
            if upper.mtu is None or not upper.mtu_stated or not context.sound(path):
                continue
            for name in upper.lowers:
                lower = node.interface(name)
                if lower is not None and lower is not upper:
                    _fits(context, node, upper, lower)


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
