"""What a change of a description means: change by change, on which nodes, in which steps, with which risk.

Compared are the plans, which are what the scripts do; how a description is written
down is no change. A change is followed to its steps by planning the old cluster with
this one change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pvegen import vary
from pvegen.derive import View, derive, order_of_running
from pvegen.model import Description, Table
from pvegen.plan import Script, plan
from pvegen.renames import renames
from pvegen.render import Renderer
from pvegen.target import Target
from pvegen.trace import dotted

# What is done to a running node, from the least to the most; the words stand in the catalogue.
RISKS = ("none", "harmless", "service", "login", "joining", "compared", "link", "member", "renamed", "refused")

# Values of a step that are only looked at, or only used where something else is changed.
_LOOKED_AT = {
    "bridge": {"peers", "gateways", "nameservers"},
    "ssh": {"others"},
    "manager": {"address", "others"},
    "trust": {"missing"},
}
_OF_STEP = {
    "host": "harmless", "time": "service", "bridge": "link", "mirror": "harmless", "names": "harmless",
    "ssh": "service", "trust": "login", "rrdcached": "service", "stub": "harmless", "services": "service",
    "root-login": "login", "create": "joining", "join": "joining", "manager": "service", "": "harmless",
}  # fmt: skip
# What no script changes on a node that is a member.
_FIXED = {("cluster", "name"), ("cluster", "target")}


class Effect(NamedTuple):
    """What a change does on some nodes: the step ("" for the script's limits and calls), and its risk."""

    step: str
    risk: str
    nodes: list[str]


class Change(NamedTuple):
    """One change: kind is "changed" for a key, "added" or "removed" for a table or node, "renamed" for a node
    that keeps its address, "order" for what is left.

    key: as people name it; old, new: values as the model has them, None where there is none.
    """

    kind: str
    key: str
    old: Any
    new: Any
    effects: list[Effect]

    @property
    def risk(self) -> str:
        """The worst of its effects."""
        return max((effect.risk for effect in self.effects), key=RISKS.index, default="none")


class Comparison(NamedTuple):
    """All changes; run: the nodes whose scripts do something else now, in the order of running; added: those
    that are new; removed: those that are described no longer."""

    changes: list[Change]
    run: list[str]
    added: list[str]
    removed: list[str]


class _Step(NamedTuple):
    """A step of a node in which two plans differ, and with which risk."""

    node: str
    step: str
    risk: str


def compare(
    old: View, old_target: Target, new: View, new_target: Target, renderer: Renderer | None = None
) -> Comparison:
    """What differs between two clusters; each with the target that its description names. Raises SnippetError."""
    named = renames(old.description, new.description)
    names = {one.old: one.new for one in named}
    before = {names.get(node, node): script for node, script in _plans(old, old_target).items()}
    after = _plans(new, new_target)
    renderer = renderer or Renderer()
    both = [node for node in after if node in before]
    # A value may be one that a node's script has no use for.
    same = {node for node in both if renderer.script(before[node]).text == renderer.script(after[node]).text}
    whole = [step for step in _differences(before, after) if step.node not in same]
    changes = []
    explained: set[tuple[str, str]] = set()
    origin, basis = old.description, before
    for one in named:
        origin = vary.renamed(origin, one.number, one.new)
        basis, earlier = _try(origin, old_target, after), basis
        steps = [_Step(one.new, "host", "renamed"), *_differences(earlier, basis)]
        explained |= {(step.node, step.step) for step in steps}
        told = [step for step in steps if step.risk == "renamed" or step.node not in same | {one.new}]
        changes.append(Change("renamed", f"node[{one.old}]", one.old, one.new, _grouped(told)))
    for kind, key, path, was, now, made in _changes(origin, new.description):
        if kind == "changed" and path == ("cluster", "target"):
            steps = list(whole)
        else:
            steps = _differences(basis, _try(made, old_target, after))
        if path == ("cluster", "token_coefficient") and now is not None:
            steps = [step._replace(risk="compared") if step.step == "create" else step for step in steps]
        elif path in _FIXED:
            steps = [step._replace(risk="refused") for step in steps]
        elif path[:1] == ("node",) and path[2:] in (("address",), ("hosts_address",)):
            # The node's own address stands in the cluster's configuration.
            own = origin.node[int(path[1])].name
            steps = [
                step._replace(risk="member") if step.node == own and step.step in ("create", "join") else step
                for step in steps
            ]
        explained |= {(step.node, step.step) for step in steps}
        told = [step for step in steps if step.node not in same]
        changes.append(Change(kind, key, was, now, _grouped(told)))
    if left := [step for step in whole if (step.node, step.step) not in explained]:
        changes.append(Change("order", "", None, None, _grouped(left)))
    changed = {step.node for step in whole}
    run = [node.name for node in order_of_running(new.nodes) if node.name in changed or node.name not in before]
    return Comparison(changes, run, [n for n in after if n not in before], [n for n in before if n not in after])


def _plans(view: View, target: Target) -> dict[str, Script]:
    return {script.node: script for script in plan(view, target)}


def _try(description: Description, target: Target, otherwise: dict[str, Script]) -> dict[str, Script]:
    """The plans of a description with one change of several; where that is no cluster, those with all changes."""
    try:
        return _plans(derive(description), target)
    except (ValueError, KeyError, StopIteration):
        return otherwise


def _differences(old: dict[str, Script], new: dict[str, Script]) -> list[_Step]:
    """The steps in which the nodes that are in both differ."""
    return [step for name in new if name in old for step in _of_node(old[name], new[name])]


def _of_node(old: Script, new: Script) -> Iterator[_Step]:
    if old.values != new.values:
        yield _Step(new.node, "", _OF_STEP[""])
    before = {step.name: step for step in old.steps}
    after = {step.name: step for step in new.steps}
    for name in [*after, *(name for name in before if name not in after)]:
        was, now = before.get(name), after.get(name)
        if was != now:
            yield _Step(new.node, name, _risk(name, was.values if was else {}, now.values if now else {}))


def _risk(step: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """The risk of a step whose values are others: none where those are only looked at."""
    differing = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return "harmless" if differing <= _LOOKED_AT.get(step, set()) else _OF_STEP[step]


def _grouped(steps: list[_Step]) -> list[Effect]:
    """Steps with the nodes that they are changed on in one go, the riskiest first."""
    found: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        found.setdefault((step.step, step.risk), []).append(step.node)
    effects = [Effect(step, risk, nodes) for (step, risk), nodes in found.items()]
    return sorted(effects, key=lambda effect: -RISKS.index(effect.risk))


# ------------------------------------------------------------ what was changed

_Found = tuple[str, str, vary.Path, Any, Any, Description]


def _changes(old: Description, new: Description) -> Iterator[_Found]:
    """Each change: kind, key, path, old and new value, and the old description with this one change."""
    yield from _of_table(old, new, old, (), ())


def _of_table(old: Table, new: Table, whole: Description, path: vary.Path, at: vary.Path) -> Iterator[_Found]:
    """The changes of one table; path: where it is in the old description; at: and in the new one."""
    for name, key in old.KEYS.items():
        was, now = getattr(old, name), getattr(new, name)
        here, there = (*path, name), (*at, name)
        if key.many:
            yield from _of_tables(was, now, whole, here, there)
        elif isinstance(key.kind, type):
            yield from _of_table(was or key.kind(), now or key.kind(), whole, here, there)
        elif was != now:
            yield "changed", dotted(here, whole), here, was, now, vary.with_value(whole, here, now)


def _of_tables(
    old: tuple[Any, ...], new: tuple[Any, ...], whole: Description, path: vary.Path, at: vary.Path
) -> Iterator[_Found]:
    """The changes of several tables, which are told apart by what names them, else by their place."""
    before = {_identity(item, i): i for i, item in enumerate(old)}
    after = {_identity(item, i): i for i, item in enumerate(new)}
    for name, i in before.items():
        here = (*path, i)
        if name in after:
            yield from _of_table(old[i], new[after[name]], whole, here, (*at, after[name]))
        else:
            rest = old[:i] + old[i + 1 :]
            yield "removed", _named(here, name, whole), here, name, None, vary.with_value(whole, path, rest)
    for name, i in after.items():
        if name not in before:
            added = (*path, len(old))
            made = vary.with_value(whole, path, (*old, new[i]))
            yield "added", _named(added, name, made), added, None, name, made


def _identity(item: Any, number: int) -> str:
    """What tells a table from others of its kind."""
    if isinstance(name := getattr(item, "name", None), str):
        return name
    for keys in (("parent", "id"), ("network",)):
        if all(hasattr(item, key) for key in keys):
            return ".".join(str(getattr(item, key)) for key in keys)
    return str(number + 1)


def _named(path: vary.Path, name: str, description: Description) -> str:
    """A table as people name it."""
    return f"{dotted(path, description).rpartition('[')[0]}[{name}]"
