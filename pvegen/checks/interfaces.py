"""Interfaces: what each is called and what stands on what."""

from __future__ import annotations

import re

from pvegen.checks.context import Context
from pvegen.derive import HASHING_MODES, Interface, NodeView
from pvegen.mistakes import Where, Word
from pvegen.source import Path

# Directories of /etc/net/ifaces that are no interface, and what the kernel's sysctl tree calls all of them.
_RESERVED = frozenset({"lo", "all", "default", "unknown"})
# Made and removed by PVE with its guests (pve-common, Network.pm).
_GUESTS = re.compile(r"(?:tap|veth|fwbr|fwpr|fwln)\d+[ip]\d+|fw(?:br|pr|ln)\d.*")
_WIRELESS = re.compile(r"wl[a-z0-9]+")
# What PVE and udev call wired NICs (systemd.net-naming-scheme(7)).
_WIRED = re.compile(r"eth\d+|en[ops]\d\w*|enx[0-9a-f]{12}")
_LIKE = ((re.compile(r"vmbr\d+"), "bridge"), (re.compile(r"bond\d+"), "bond"), (re.compile(r".+\.\d+"), "vlan"))
_CAN_STAND_ON = {"bridge": {"nic", "bond", "vlan"}, "bond": {"nic"}, "vlan": {"nic", "bond", "bridge"}}


def check(context: Context) -> None:
    """Whether every interface has a name of its own and stands on what can carry it."""
    for node in context.view.nodes:
        _names(context, node)
        _ports(context, node)
        _shared(context, node)
        _circle(context, node)
        _bonds(context, node)
        if not node.main.lowers and context.sound(("network", "nic"), (*node.path, "nic")):
            context.say("PVE339", node.path, node=node.name)


def like(name: str) -> Word | None:
    """What an interface of that name looks like: "bridge", "bond", "vlan", or None for a NIC."""
    return next((Word(kind) for pattern, kind in _LIKE if pattern.fullmatch(name)), None)


def _table(context: Context, node: NodeView, interface: Interface) -> bool:
    """Whether an interface has a table or key of its own that could be read, and is not only mentioned."""
    if interface.kind == "nic" and "interface" not in interface.path:
        return False
    return context.sound(context.key(node, interface, "name"))


def _names(context: Context, node: NodeView) -> None:
    first: dict[str, Path] = {}
    for interface in sorted(node.interfaces, key=lambda i: (not i.main, i.kind)):
        if not _table(context, node, interface):
            continue
        path = context.key(node, interface, "name")
        if interface.name in first:
            context.say("PVE322", path, value=interface.name, first=Where(first[interface.name]))
            continue
        first[interface.name] = path
        _name(context, path, interface)


def _name(context: Context, path: Path, interface: Interface) -> None:
    """A name that means something else to the system or to PVE."""
    seems = like(interface.name)
    if interface.kind == "vlan" and _WIRED.fullmatch(interface.name):
        seems = Word("nic")
    if interface.name in _RESERVED or _GUESTS.fullmatch(interface.name):
        context.say("PVE335", path, value=interface.name)
    elif interface.kind in ("nic", "vlan") and seems is not None and seems != interface.kind:
        header = "[[node.interface]]" if interface.kind == "nic" else "[[node.vlan]]"
        context.say("PVE336", path, value=interface.name, kind=seems, header=header,
                    right="[[node.interface]]" if seems == "nic" else f"[[node.{seems}]]")


def _ports(context: Context, node: NodeView) -> None:
    """Each interface that something stands on: declared where it must be, and fit to carry it."""
    whole = not _unread(context, node)
    for upper in node.interfaces:
        for name in upper.lowers:
            path = context.lower(node, upper, name)
            lower = node.interface(name)
            if lower is None or not context.sound(path):
                continue
            if lower.kind == "nic":
                _nic(context, node, upper, lower, path, whole)
            if lower.kind not in _CAN_STAND_ON[upper.kind]:
                context.say("PVE326", path, value=upper.name, kind=Word(upper.kind), lower=name,
                            lower_kind=Word(lower.kind))
            elif upper.kind in ("bridge", "bond"):
                _own_address(context, node, upper, lower)


def _nic(context: Context, node: NodeView, upper: Interface, lower: Interface, path: Path, whole: bool) -> None:
    """A NIC, or what can only be taken for one; whole: whether all names of the node's interfaces could be read."""
    mentioned = "interface" not in lower.path
    seems = like(lower.name)
    hidden = [(*node.path, table) for table in ("bond", "vlan", "bridge")] + [("network", "bond")]
    if lower.name in _RESERVED or _GUESTS.fullmatch(lower.name):
        context.say("PVE335", path, value=lower.name)
    elif mentioned and seems is not None and whole and context.sound(*hidden):
        context.say("PVE323", path, value=lower.name, kind=seems, header=f"[[node.{seems}]]")
    elif upper.kind in ("bridge", "bond") and _WIRELESS.fullmatch(lower.name):
        context.say("PVE337", path, value=lower.name)


def _unread(context: Context, node: NodeView) -> bool:
    """Whether some interface's name could not be read, so that a missing one may be that."""
    made = [i for i in node.interfaces if not i.main and i.kind != "nic"]
    return any(not context.sound((*interface.path, "name")) for interface in made)


def _own_address(context: Context, node: NodeView, upper: Interface, lower: Interface) -> None:
    """A port and a bonded NIC carry no address of their own: two owners of one network break ARP and routes."""
    for key in ("address", "address6"):
        if getattr(lower, key) is not None:
            path: Path = (*lower.path, key)
            if context.sound(path):
                context.say("PVE321", path, value=lower.name, upper=upper.name, kind=Word(upper.kind))


def _shared(context: Context, node: NodeView) -> None:
    """One port, one bridge or bond; and a bonded NIC carries nothing else."""
    first: dict[str, tuple[Path, str]] = {}
    uppers = [i for i in node.interfaces if i.kind in ("bridge", "bond")]
    uppers.sort(key=lambda i: (i.kind != "bond", not i.main))
    uppers += [i for i in node.interfaces if i.kind == "vlan"]
    for upper in uppers:
        for name in dict.fromkeys(upper.lowers):
            path = context.lower(node, upper, name)
            if not context.sound(path):
                continue
            taken, kind = first.get(name, (None, ""))
            if taken is None or (upper.kind == "vlan" and kind != "bond"):
                first.setdefault(name, (path, upper.kind))
            elif taken != path:
                context.say("PVE320", path, value=name, first=Where(taken))


def _circle(context: Context, node: NodeView) -> None:
    """Bridges that stand on what stands on them, each circle told once."""
    settled: set[str] = set()
    for start in node.interfaces:
        trail: dict[str, None] = {}
        current: Interface | None = start if start.kind == "bridge" else None
        while current is not None and current.name not in settled:
            if current.name in trail:
                names = list(trail)
                _say_circle(context, node, names[names.index(current.name) :])
                break
            trail[current.name] = None
            current = node.interface(current.lowers[0]) if current.lowers else None
        settled.update(trail)


def _say_circle(context: Context, node: NodeView, names: list[str]) -> None:
    """Tell a circle at its first bridge; without one, or of one interface only, something else is told."""
    bridges = [i for i in map(node.interface, names) if i is not None and i.kind == "bridge"]
    if bridges and len(names) > 1:
        first = bridges[0]
        at = names.index(first.name)
        context.say("PVE327", context.lower(node, first, first.lowers[0]),
                    circle=" -> ".join([*names[at:], *names[:at], first.name]))


def _bonds(context: Context, node: NodeView) -> None:
    carried = {name for interface in node.interfaces for name in interface.lowers}
    for bond in node.interfaces:
        if bond.kind != "bond":
            continue
        if len(bond.lowers) == 1 and context.sound((*bond.path, "nics")):
            context.say("PVE907", (*bond.path, "nics"), value=bond.name)
        if bond.bond_hash and bond.bond_mode not in HASHING_MODES and context.sound(
            (*bond.path, "mode"), (*bond.path, "hash_policy")
        ):
            context.say("PVE908", (*bond.path, "hash_policy"), value=bond.bond_hash, mode=bond.bond_mode)
        if bond.name not in carried and context.sound((*bond.path, "name"), ("network", "nic"), (*node.path, "nic")):
            context.say("PVE920", (*bond.path, "name"), value=bond.name, node=node.name)
