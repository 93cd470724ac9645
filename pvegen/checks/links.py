"""Cluster links: each node has exactly one end in each, and no network carries two."""

from __future__ import annotations

from typing import Any

from pvegen.checks.addresses import stated
from pvegen.checks.context import Context
from pvegen.derive import MOST_LINKS, addresses_in, link_numbers
from pvegen.mistakes import Where
from pvegen.source import Path


def check(context: Context) -> None:
    """Whether every link can be given to pvecm on every node."""
    if not context.description.link or not context.view.is_cluster:
        return
    numbers = link_numbers(context.description)
    _numbers(context)
    _networks(context)
    for index, number in enumerate(numbers[:MOST_LINKS]):
        path: Path = ("link", index, "network")
        if context.sound(path):
            _ends(context, path, index)
            if 0 not in numbers:
                _beside_own(context, path, index, number)


def _numbers(context: Context) -> None:
    first: dict[int, Path] = {}
    for index, link in enumerate(context.description.link):
        path: Path = ("link", index, "number")
        if link.number is None or not context.sound(path):
            continue
        if link.number in first:
            context.say("PVE409", path, value=link.number, first=Where(first[link.number]))
        first.setdefault(link.number, path)


def _networks(context: Context) -> None:
    seen: list[int] = []
    links = context.description.link[:MOST_LINKS]
    for index, link in enumerate(links):
        path: Path = ("link", index, "network")
        if not context.sound(path):
            continue
        for other in seen:
            taken = links[other].network
            if taken.version == link.network.version and taken.overlaps(link.network):
                context.say("PVE410", path, value=link.network, first=Where(("link", other, "network")))
                context.distrust(path)
                break
        seen.append(index)


def _ends(context: Context, path: Path, index: int) -> None:
    """Exactly one address of each node lies in the link's network."""
    network = context.description.link[index].network
    without = []
    found: list[tuple[Path, Any]] = []
    for node in context.view.nodes:
        ends = [(place, a) for place, a in stated(context, node) if a.version == network.version and a.ip in network]
        if len(ends) > 1:
            context.say("PVE418", ends[1][0], value=ends[1][1], network=network, first=Where(ends[0][0]))
        elif not ends and not _unread(context, node.index):
            without.append(node.name)
        found += ends[:1]
    if without:
        context.say("PVE408", path, value=network, nodes=without[:10])
    # The nodes' own addresses are compared with one another, and may lie behind routers.
    _one_network(context, path, network, [end for end in found if end[0][2:] not in (("address",), ("address6",))])


def _one_network(context: Context, path: Path, network: Any, ends: list[tuple[Path, Any]]) -> None:
    """The ends' own networks are the link's; where they agree with one another, the link's width is only misstated."""
    odd = [(place, address) for place, address in ends if address.network != network]
    if odd and len({address.network for _, address in ends}) == 1:
        context.say("PVE921", path, value=network, right=odd[0][1].network, first=Where(odd[0][0]))
        return
    for place, address in odd:
        context.say("PVE430", place, value=address, network=network, own=address.network, first=Where(path))


def _unread(context: Context, index: int) -> bool:
    """Whether some address of a node could not be read, so that a missing end may be that."""
    node = context.view.nodes[index]
    paths = [context.key(node, i, key) for i in node.interfaces for key in ("address", "address6")]
    tables: list[Path] = [(*node.path, table) for table in ("interface", "bridge", "vlan")]
    return not context.sound(*paths, *tables)


def _beside_own(context: Context, path: Path, index: int, number: int) -> None:
    """A further link through the nodes' own addresses would be link 0 twice."""
    network = context.description.link[index].network
    for node in context.view.nodes:
        if node.host_address is not None and node.host_address in addresses_in(node, network)[:1]:
            context.say("PVE414", path, value=network, number=number, first=Where((*node.path, "address")))
            return
