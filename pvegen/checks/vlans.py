"""VLANs: ids, ranges and names of VLAN interfaces, and what VLAN-aware bridges let through."""

from __future__ import annotations

import re
from itertools import pairwise

from pvegen.checks.context import Context
from pvegen.derive import Interface, NodeView
from pvegen.kinds import ALL_VLANS
from pvegen.mistakes import Where
from pvegen.source import Path

# IFNAMSIZ of the kernel, less the ending zero.
_LONGEST_NAME = 15
_LAST_ID = 4094
_DOTTED = re.compile(r"(.+)\.(\d+)")
_NUMBERED = re.compile(r"vlan0*(\d+)")


def check(context: Context) -> None:
    """Whether VLAN interfaces and the VLANs of bridges can be as they are stated."""
    for node in context.view.nodes:
        first: dict[tuple[str, int | None], Path] = {}
        for interface in node.interfaces:
            if interface.kind == "bridge":
                _ranges(context, node, interface)
            elif interface.kind == "vlan":
                _vlan(context, node, interface, first)


def ranges(text: str) -> list[tuple[int, int]]:
    """ "10 20-29" as first and last ids."""
    found = []
    for part in text.split():
        low, _, high = part.partition("-")
        found.append((int(low), int(high or low)))
    return found


def _ranges(context: Context, node: NodeView, bridge: Interface) -> None:
    path = context.key(node, bridge, "vlans")
    if not context.sound(path):
        return
    for low, high in ranges(bridge.vlans):
        if not (1 <= low <= _LAST_ID and 1 <= high <= _LAST_ID):
            context.say("PVE230", path, value=low if not 1 <= low <= _LAST_ID else high)
            return
        if low > high:
            context.say("PVE229", path, value=f"{low}-{high}", right=f"{high}-{low}")
            return
    _twice(context, path, bridge.vlans)
    aware = context.key(node, bridge, "vlan_aware")
    if bridge.vlans != ALL_VLANS and not bridge.vlan_aware and context.sound(aware):
        context.say("PVE909", path, value=bridge.vlans)


def _twice(context: Context, path: Path, vlans: str) -> None:
    """Ids and ranges of a list that say the same VLAN twice; the first pair is told."""
    found = sorted(zip(ranges(vlans), vlans.split(), strict=True))
    for ((_, last), first), ((start, _), second) in pairwise(found):
        if start <= last:
            context.say("PVE923", path, value=start, first=first, second=second)
            return


def _vlan(context: Context, node: NodeView, vlan: Interface, first: dict[tuple[str, int | None], Path]) -> None:
    path = vlan.path
    if not context.sound((*path, "parent"), (*path, "id"), (*path, "name")):
        return
    parent = vlan.lowers[0]
    pair = (parent, vlan.vlan_id)
    if pair in first:
        context.say("PVE325", (*path, "id"), value=vlan.vlan_id, parent=parent, first=Where(first[pair]))
    else:
        first[pair] = (*path, "id")
    dotted = _DOTTED.fullmatch(vlan.name)
    numbered = _NUMBERED.fullmatch(vlan.name)
    if len(vlan.name) > _LONGEST_NAME:
        context.say("PVE324", (*path, "parent"), value=vlan.name, length=len(vlan.name), example=f"vlan{vlan.vlan_id}")
    elif (dotted and (dotted[1], int(dotted[2])) != pair) or (numbered and int(numbered[1]) != vlan.vlan_id):
        context.say("PVE338", (*path, "name"), value=vlan.name, parent=parent, id=vlan.vlan_id)
    _let_through(context, node, vlan, parent)
    _beside_guests(context, node, vlan, parent)


def _let_through(context: Context, node: NodeView, vlan: Interface, parent: str) -> None:
    """A node's own VLAN on a VLAN-aware bridge must be one of those that the bridge lets through."""
    bridge = node.interface(parent)
    if bridge is None or bridge.kind != "bridge" or not bridge.vlan_aware:
        return
    path = context.key(node, bridge, "vlans")
    if not context.sound(path, context.key(node, bridge, "vlan_aware")):
        return
    if not _passes(bridge, vlan):
        context.say("PVE329", (*vlan.path, "id"), value=vlan.vlan_id, bridge=parent, vlans=bridge.vlans)


def _beside_guests(context: Context, node: NodeView, vlan: Interface, parent: str) -> None:
    """A node's own VLAN on the port of a bridge: guests on the bridge cannot be in it, too."""
    bridge = next((one for one in node.interfaces if one.kind == "bridge" and parent in one.lowers), None)
    if bridge is None or not context.sound(context.key(node, bridge, "vlan_aware"), context.key(node, bridge, "vlans")):
        return
    taken = _passes(bridge, vlan) if bridge.vlan_aware else vlan.address or vlan.address6
    if taken:
        code = "PVE926" if bridge.vlan_aware else "PVE927"
        context.say(code, (*vlan.path, "parent"), value=vlan.name, id=vlan.vlan_id, parent=parent, bridge=bridge.name)


def _passes(bridge: Interface, vlan: Interface) -> bool:
    """Whether a VLAN-aware bridge lets a VLAN through."""
    return any(low <= (vlan.vlan_id or 0) <= high for low, high in ranges(bridge.vlans))
