"""MTU: nothing larger on top than what it stands on, and one size in a network."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pvegen.checks.context import Context
from pvegen.derive import ETHERNET_MTU, Interface, NodeView
from pvegen.mistakes import Where

# By an interface's name: the interface that limits what fits through it, and that one's MTU in bytes.
Limits = dict[str, tuple[Interface, int]]


def check(context: Context) -> None:
    """Whether every MTU, stated or derived, fits through the interfaces below, and the nodes agree in each network."""
    limits = [_limits(node) for node in context.view.nodes]
    for node, limit in zip(context.view.nodes, limits, strict=True):
        for upper in node.interfaces:
            path = context.key(node, upper, "mtu")
            if upper.mtu is None or not context.sound(path):
                continue
            for name in upper.lowers:
                if name in limit and name != upper.name:
                    _fits(context, node, upper, *limit[name])
    for network, found in _networks(context, limits).items():
        _agree(context, network, found)


def _fits(context: Context, node: NodeView, upper: Interface, limiting: Interface, mtu: int) -> None:
    if upper.mtu is None or upper.mtu <= mtu:
        return
    path = context.key(node, limiting, "mtu")
    if context.sound(path):
        facts: dict[str, Any] = {"value": upper.mtu, "name": upper.name, "lower": limiting.name, "mtu": mtu}
        if limiting.mtu_stated:
            context.say("PVE330", context.key(node, upper, "mtu"), first=Where(path), **facts)
        else:
            context.say("PVE331", context.key(node, upper, "mtu"), **facts)


def _limits(node: NodeView) -> Limits:
    """What limits each interface of a node, each looked at once; a circle ends where it began."""
    found: Limits = {}
    waiting: set[str] = set()
    stack = [*node.interfaces]
    while stack:
        current = stack[-1]
        lowers = [] if current.mtu else [low for low in map(node.interface, current.lowers) if low is not None]
        first = [lower for lower in lowers if lower.name not in found and lower.name not in waiting]
        if current.name in found or not first or current.name in waiting:
            below = [found[lower.name] for lower in lowers if lower.name in found]
            found.setdefault(current.name, _limit(current, below))
            stack.pop()
        else:
            waiting.add(current.name)
            stack += first
    return found


def _limit(interface: Interface, below: list[tuple[Interface, int]]) -> tuple[Interface, int]:
    """What limits an interface, given what limits those that it stands on.

    Where a bridge or VLAN says nothing it takes what it stands on; a bridge must
    state what is to be more than the system's, and is named then.
    """
    if interface.mtu is not None:
        return interface, interface.mtu
    limiting, mtu = min(below, key=lambda pair: pair[1], default=(interface, ETHERNET_MTU))
    return (limiting if limiting.mtu or interface.kind != "bridge" else interface), mtu


def _networks(context: Context, limits: list[Limits]) -> dict[Any, list[tuple[NodeView, Interface, int]]]:
    """For each network the interfaces that stand in it with an address, and the bytes that each lets through."""
    found: dict[Any, list[tuple[NodeView, Interface, int]]] = {}
    for node, limit in zip(context.view.nodes, limits, strict=True):
        for interface in node.interfaces:
            for key in ("address", "address6"):
                address = getattr(interface, key)
                if address is None or not context.sound(context.key(node, interface, key)):
                    continue
                limiting, mtu = limit[interface.name]
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
