"""The target: that it is known, and can do what the description asks of it."""

from __future__ import annotations

from pvegen.checks.context import Context
from pvegen.derive import link_numbers
from pvegen.source import Path


def check(context: Context) -> None:
    """Whether the target is known and honours every key that is stated."""
    path: Path = ("cluster", "target")
    if not context.sound(path):
        return
    if context.target is None:
        _unknown(context, path)
        return
    _links(context)
    _coefficient(context)
    _bridges(context)
    _bonds(context)


def _unknown(context: Context, path: Path) -> None:
    from pvegen.nearest import nearest

    known = context.targets.names()
    name = context.description.cluster.target
    near = nearest(name, known)
    if near is None:
        context.say("PVE501", path, value=name, known=known)
    else:
        context.say("PVE502", path, value=name, nearest=near, known=known)


def _links(context: Context) -> None:
    assert context.target is not None
    if not context.view.is_cluster:
        return
    data = context.target.data
    allowed = data["corosync"]["links"]
    for index, (link, number) in enumerate(
        zip(context.description.link, link_numbers(context.description), strict=True)
    ):
        here: Path = ("link", index)
        facts = {"target": context.target.name, "corosync": data["pve"]["corosync"]}
        if number >= allowed and context.sound((*here, "number")):
            stated = link.number is not None
            place: Path = (*here, "number") if stated else here
            code = "PVE503" if allowed == 1 else "PVE504"
            context.say(code, place, number=number, links=allowed, last=allowed - 1, **facts)
        elif link.priority is not None and not data["pvecm"]["priority"]:
            context.say("PVE505", (*here, "priority"), value=link.priority, **facts)


def _coefficient(context: Context) -> None:
    assert context.target is not None
    path: Path = ("cluster", "token_coefficient")
    value = context.description.cluster.token_coefficient
    if value is None or not context.sound(path):
        return
    if not context.target.corosync["token_coefficient_from"]:
        context.say("PVE509", path, value=value, target=context.target.name)


def _bridges(context: Context) -> None:
    """VLAN-aware bridges."""
    assert context.target is not None
    if context.target.data["network"]["vlan_aware"]:
        return
    for node in context.view.nodes:
        for interface in node.interfaces:
            path = context.key(node, interface, "vlan_aware")
            if interface.vlan_aware and context.sound(path):
                context.say("PVE506", path, value=interface.name, target=context.target.name)


def _bonds(context: Context) -> None:
    assert context.target is not None
    if context.target.data["network"]["bond"]:
        return
    for node in context.view.nodes:
        for interface in node.interfaces:
            if interface.kind == "bond":
                context.say("PVE507", interface.path, value=interface.name, target=context.target.name)
