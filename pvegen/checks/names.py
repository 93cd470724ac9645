"""Names: nodes and their machines, domain, time zone."""

from __future__ import annotations

import os
from functools import cache

from pvegen.checks.context import Context
from pvegen.kinds import is_number
from pvegen.mistakes import Where
from pvegen.source import Path

# Names that /etc/hosts or the resolver gives to the machine itself or to groups (hosts(5), RFC 6761).
_TAKEN = frozenset({"localhost", "localdomain", "ip6-localhost", "ip6-loopback", "broadcasthost", "loghost"})

_ZONES = os.path.join(os.path.dirname(__file__), os.pardir, "timezones.txt")


def check(context: Context) -> None:
    """Whether every node and domain can bear its name, no machine stands for two nodes, and the time zone exists."""
    _nodes(context)
    _machines(context)
    _domain(context)
    _search(context)
    _timezone(context)


def _nodes(context: Context) -> None:
    first: dict[str, Path] = {}
    for node in context.view.nodes:
        path: Path = (*node.path, "name")
        if not context.sound(path):
            continue
        folded = node.name.lower()
        if folded in first:
            context.say("PVE401", path, value=node.name, first=Where(first[folded]))
            continue
        first[folded] = path
        if folded in _TAKEN:
            context.say("PVE421", path, value=node.name)
        elif is_number(folded):
            context.say("PVE420", path, value=node.name)
        elif folded != node.name:
            context.say("PVE905", path, value=node.name, right=folded)


def _machines(context: Context) -> None:
    """MAC addresses and machine ids: those of a clone are the original's."""
    for key in ("mac", "machine_id"):
        first: dict[str, Path] = {}
        for node in context.view.nodes:
            path: Path = (*node.path, key)
            stated = getattr(node.node, key)
            if stated is None or not context.sound(path):
                continue
            if stated in first:
                context.say("PVE431", path, value=stated, first=Where(first[stated]))
            first.setdefault(stated, path)


def _domain(context: Context) -> None:
    cluster = context.description.cluster
    path: Path = ("cluster", "domain")
    if not context.sound(path):
        return
    labels = cluster.domain.lower().split(".")
    if is_number(labels[-1]):
        context.say("PVE423", path, value=cluster.domain)
    elif "localdomain" in labels and cluster.names == "dns" and context.sound(("cluster", "names")):
        context.say("PVE419", path, value=cluster.domain)
    elif labels[-1] in ("localdomain", "localhost"):
        context.say("PVE903", path, value=cluster.domain)
    elif labels[-1] == "local":
        context.say("PVE904", path, value=cluster.domain)


def _search(context: Context) -> None:
    for number, domain in enumerate(context.description.network.search):
        path: Path = ("network", "search", number)
        if context.sound(path) and is_number(domain.split(".")[-1]):
            context.say("PVE423", path, value=domain)


def _timezone(context: Context) -> None:
    path: Path = ("cluster", "timezone")
    zone = context.description.cluster.timezone
    if not context.sound(path) or zone in timezones():
        return
    from pvegen.nearest import nearest

    near = nearest(zone, sorted(timezones()))
    same_place = [name for name in sorted(timezones()) if name.split("/")[-1].lower() == zone.split("/")[-1].lower()]
    if suggestion := (same_place[0] if same_place else near):
        context.say("PVE206", path, value=zone, nearest=suggestion)
    else:
        context.say("PVE207", path, value=zone)


@cache
def timezones() -> frozenset[str]:
    """The names of the IANA time zone database, old ones too: a file, so that every desk knows the same."""
    with open(_ZONES, encoding="ascii") as lines:
        return frozenset(line.rstrip("\n") for line in lines if not line.startswith("#"))
