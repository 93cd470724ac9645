"""Membership: who joins whom, node ids, votes, and how many nodes."""

from __future__ import annotations

from pvegen.checks.context import Context
from pvegen.derive import NodeView, order_of_running
from pvegen.mistakes import Where
from pvegen.source import Path

# What Proxmox' manual named as the limit until 2021 (facts: names and limits).
_DOCUMENTED = 32


def check(context: Context) -> None:
    """Whether the cluster can be formed in some order, with the ids and votes that are stated."""
    nodes = context.view.nodes
    if not context.sound(("node",)) or not nodes:
        return
    _joins(context)
    _ids(context)
    _votes(context)
    if len(nodes) == 1:
        _alone(context, nodes[0])
    elif len(nodes) == 2:
        _two(context, nodes)
    elif len(nodes) > _DOCUMENTED:
        context.say("PVE902", nodes[_DOCUMENTED].path, count=len(nodes))


def _two(context: Context, nodes: list[NodeView]) -> None:
    """Two nodes: neither has quorum alone, or one has and the other never."""
    votes = _numbers_of_votes(nodes)
    if votes[0] == votes[1] or not context.sound(*((*node.path, "votes") for node in nodes)):
        context.say("PVE901", nodes[1].path, first=nodes[0].name, second=nodes[1].name)
        return
    more, fewer = (nodes[0], nodes[1]) if votes[0] > votes[1] else (nodes[1], nodes[0])
    context.say("PVE924", (*more.path, "votes"), first=more.name, second=fewer.name)


def _numbers_of_votes(nodes: list[NodeView]) -> list[int]:
    return [1 if node.node.votes is None else node.node.votes for node in nodes]


def _joins(context: Context) -> None:
    nodes = context.view.nodes
    by_name = {node.name: node for node in nodes}
    readable = all(context.sound((*node.path, "name")) for node in nodes)
    for node in nodes:
        path: Path = (*node.path, "joins")
        member = node.node.joins
        if member is None or not context.sound(path):
            continue
        if node.creates:
            context.say("PVE406", path, "key", value=node.name)
        elif member.lower() == node.name.lower():
            context.say("PVE403", path, value=node.name)
        elif member not in by_name and readable:
            _stranger(context, path, member, list(by_name))
    _circles(context, by_name)


def _stranger(context: Context, path: Path, member: str, names: list[str]) -> None:
    from pvegen.nearest import nearest

    near = nearest(member, names)
    if near is None:
        context.say("PVE404", path, value=member, known=names[:10])
    else:
        context.say("PVE407", path, value=member, nearest=near)


def _circles(context: Context, by_name: dict[str, NodeView]) -> None:
    """Joins that lead back to where they began, each circle told once."""
    settled: set[str] = set()
    for node in context.view.nodes:
        trail: dict[str, None] = {}
        current: NodeView | None = node
        while current is not None and not current.creates and current.name not in settled:
            if current.name in trail:
                names = list(trail)
                circle = names[names.index(current.name) :]
                paths = [(*by_name[name].path, "joins") for name in circle]
                if len(circle) > 1 and context.sound(*paths):
                    context.say("PVE405", paths[0], circle=" -> ".join([*circle, circle[0]]))
                break
            trail[current.name] = None
            current = by_name.get(current.member or "")
        settled.update(trail)


def _ids(context: Context) -> None:
    """Stated ids: none twice, and none that pvecm will already have given away (the first free number)."""
    first: dict[int, Path] = {}
    paths: list[Path] = [(*node.path, "nodeid") for node in context.view.nodes]
    for node, path in zip(context.view.nodes, paths, strict=True):
        if node.node.nodeid is None or not context.sound(path):
            continue
        if node.node.nodeid in first:
            context.say("PVE402", path, value=node.node.nodeid, first=Where(first[node.node.nodeid]))
        first.setdefault(node.node.nodeid, path)
    if len(first) < sum(node.node.nodeid is not None for node in context.view.nodes) or not context.sound(*paths):
        return
    _given_away(context)


def _given_away(context: Context) -> None:
    taken: dict[int, NodeView] = {}
    free = 1
    for node in order_of_running(context.view.nodes):
        number = node.node.nodeid
        if number is None:
            while free in taken:
                free += 1
            number = free
        if number in taken:
            context.say("PVE428", (*node.path, "nodeid"), value=number, node=taken[number].name)
            return
        taken[number] = node


def _votes(context: Context) -> None:
    nodes = context.view.nodes
    paths: list[Path] = [(*node.path, "votes") for node in nodes]
    if not context.sound(*paths):
        return
    votes = _numbers_of_votes(nodes)
    if votes[0] == 0:
        context.say("PVE416", paths[0], node=nodes[0].name)
        return
    total = sum(votes)
    for node, own, path in zip(nodes, votes, paths, strict=True):
        if len(nodes) > 2 and own * 2 >= total:
            context.say("PVE916", path, node=node.name, value=own, total=total)


def _alone(context: Context, node: NodeView) -> None:
    """What only a cluster has a use for, where there is one node."""
    for key in ("nodeid", "votes", "ssh_user_key", "ssh_host_keys", "fingerprint"):
        if getattr(node.node, key) not in (None, ()) and context.sound((*node.path, key)):
            context.say("PVE915", (*node.path, key), "key", key=key)
    if context.description.link:
        context.say("PVE915", ("link",), "key", key="link")
