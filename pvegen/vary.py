"""Descriptions and targets that differ from a given one in a single key or fact.

What a script has of a key is seen by its effect: the script that is made where the key
has another value. So nobody has to keep a list of what each key comes to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from pvegen import shape
from pvegen.kinds import Kind, ListOf, Rejected
from pvegen.model import Description, Key, Table
from pvegen.target import Target

Path = tuple[str | int, ...]

# Texts that some kind of value accepts: of each two, so that one is another than what stands there.
_SAMPLES = (
    "other", "another", "bond77", "bond78", "vmbr77", "vmbr78", "77", "77-78", "alt-p8", "192.0.2.77", "192.0.2.78",
    "192.0.2.77/24", "192.0.2.78/24", "2001:db8::77", "2001:db8::78", "2001:db8::77/64", "2001:db8::78/64",
    "192.0.2.0/24", "198.51.100.0/24", "52:54:00:00:00:77", "52:54:00:00:00:78", "0123456789abcdef" * 2,
    "fedcba9876543210" * 2, "Europe/Oslo", "Asia/Tokyo", ":".join(["AB"] * 32), ":".join(["CD"] * 32),
    "ssh-ed25519 " + "A" * 64, "ssh-ed25519 " + "B" * 64,
)  # fmt: skip


class Leaf(NamedTuple):
    """A key that holds a value: where, what the model knows of it, and the value, which may be its default."""

    path: Path
    key: Key
    value: Any


def leaves(table: Table, path: Path = ()) -> Iterator[Leaf]:
    """All keys of a description that hold values, stated or not, but those of tables that are not there."""
    for name, key in table.KEYS.items():
        value = getattr(table, name)
        if key.many:
            for number, item in enumerate(value):
                yield from leaves(item, (*path, name, number))
        elif isinstance(key.kind, type):
            yield from leaves(value or key.kind(), (*path, name))
        else:
            yield Leaf((*path, name), key, value)


def others(leaf: Leaf) -> list[Any]:
    """Other values that a key could have: of a list one for each item; none for what has but one value."""
    kind = leaf.key.kind
    if isinstance(kind, ListOf):
        if not leaf.value:
            return [(_other(kind.item, None),)]
        changed = [_other(kind.item, item) for item in leaf.value]
        return [(*leaf.value[:i], item, *leaf.value[i + 1 :]) for i, item in enumerate(changed) if item is not None]
    if not isinstance(kind, Kind):
        return []
    found = _other(kind, leaf.value)
    return [] if found is None else [found]


def _other(kind: Kind, value: Any) -> Any:
    """Another value of a kind; None where there is none."""
    if kind.base == "boolean":
        return not value
    if kind.base == "integer":
        low, high = kind.schema["minimum"], kind.schema["maximum"]
        near = low if value is None else value + 1 if value < high else value - 1
        return near if low <= near <= high and near != value else None
    if kind.schema.get("enum"):
        return next((word for word in kind.schema["enum"] if word != value), None)
    if isinstance(value, ipaddress.IPv4Interface | ipaddress.IPv6Interface):
        return ipaddress.ip_interface(f"{value.ip + 1}/{value.network.prefixlen}")
    for text in _SAMPLES:
        try:
            found = kind.parse(text)
        except Rejected:
            continue
        if found != value and type(found) is (type(value) if value is not None else type(found)):
            return found
    return None


def with_value(table: Any, path: Path, value: Any) -> Any:
    """A copy of a table in which one key has another value; a table on the way that is not there is made."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(table, tuple):
        return tuple(with_value(item, rest, value) if i == first else item for i, item in enumerate(table))
    now = getattr(table, str(first))
    if now is None and rest:
        now = table.KEYS[str(first)].kind()
    values = {name: getattr(table, name) for name in table.KEYS}
    return type(table)(**values | {str(first): with_value(now, rest, value)})


def described(description: Description, leaf: Leaf) -> Iterator[Description]:
    """Descriptions that differ in one key; what refers to a node by its name follows a new name."""
    is_node = len(leaf.path) == 3 and leaf.path[0] == "node"
    for value in _members(description, leaf) if is_node and leaf.path[2] == "joins" else others(leaf):
        if is_node and leaf.path[2] == "name":
            yield renamed(description, int(leaf.path[1]), value)
        else:
            yield with_value(description, leaf.path, value)


def renamed(description: Description, number: int, name: str) -> Description:
    """A copy in which a node has another name; what refers to it follows."""
    old = description.node[number].name
    changed: Description = with_value(description, ("node", number, "name"), name)
    for i, node in enumerate(changed.node):
        if node.joins == old:
            changed = with_value(changed, ("node", i, "joins"), name)
    return changed


def _members(description: Description, leaf: Leaf) -> list[str]:
    """The other nodes that a node could join."""
    return [node.name for i, node in enumerate(description.node) if i != leaf.path[1] and node.name != leaf.value]


def targets(target: Target, section: str, key: str) -> Iterator[Target]:
    """Targets that differ in one fact."""
    kind = shape.SHAPE[section][key]
    for value in _other_fact(kind, target.data[section][key]):
        yield Target(target.name, target.title, {**target.data, section: {**target.data[section], key: value}})


def _other_fact(kind: Any, value: Any) -> list[Any]:
    if isinstance(kind, tuple):
        return [other for other in kind if other != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, list):
        return [[*value, "another"], value[1:]] if value else [["another"]]
    if isinstance(value, dict):
        return [{name: f"{path}x" for name, path in value.items()}]
    if isinstance(value, date):
        return [value + timedelta(days=1)]
    if isinstance(value, int):
        return [value + 1]
    return [f"{value}x", ""] if value else ["1.2.3"]
