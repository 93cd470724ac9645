"""Nodes that another description calls by another name: they are told from a node less and a node more."""

from __future__ import annotations

from typing import Any, NamedTuple

from pvegen.model import Description, Node


class Rename(NamedTuple):
    """A node of the old description: its place there, its name, and the name that it has in the new one."""

    number: int
    old: str
    new: str


def renames(old: Description, new: Description) -> list[Rename]:
    """The nodes that are in both by their address, under a name that the other has not."""
    before, after = ({node.name for node in description.node} for description in (old, new))
    names = {_address(node): node.name for node in new.node if node.name not in before}
    return [
        Rename(number, node.name, names[address])
        for number, node in enumerate(old.node)
        if node.name not in after and (address := _address(node)) in names
    ]


def _address(node: Node) -> Any:
    """The address that the other nodes know it by, without its prefix."""
    return node.hosts_address if isinstance(node.address, str) else node.address.ip

