"""`pvegen targets`: the systems that nodes can run, the facts of one, and how two differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pvegen import catalogue, errors
from pvegen.facts import Fact, facts, shown
from pvegen.target import Target, Targets


def table(site: str | None, *, form: str) -> int:
    """Print what each target can do."""
    rows = abilities(Targets(site))
    if form == "json":
        return _print_json([{"name": name, **row} for name, row in rows.items()])
    for line in _columns([catalogue.load().targets["head"], *plain(rows)]):
        print(line)
    return 0


def one(name: str, site: str | None, *, form: str) -> int:
    """Print a target's facts, each with its confidence and source; 2 for an unknown one."""
    targets = Targets(site)
    if (found := _facts(targets, name)) is None:
        return errors.WRONG_CALL
    if form == "json":
        title = targets.load(name).title
        return _print_json({"name": name, "title": title, "facts": [_as_data(fact) for fact in found]})
    print(f"{name}: {targets.load(name).title}")
    section = ""
    for fact in found:
        if fact.section != section:
            section = fact.section
            print(f"\n[{section}]")
        print(f"{_flag(fact)} {fact.key} = {shown(fact.value)}\n      {_told(fact)}")
    print(f"\n{_guesses(found)}")
    return 0


def diff(first: str, second: str, site: str | None, *, form: str) -> int:
    """Print the facts in which two targets differ; 2 for an unknown one."""
    targets = Targets(site)
    both = [_facts(targets, name) for name in (first, second)]
    a, b = both
    if a is None or b is None:
        return errors.WRONG_CALL
    pairs = differences(a, b)
    if form == "json":
        return _print_json([{"name": x.name, first: _as_data(x), second: _as_data(y)} for x, y in pairs])
    if not pairs:
        print(catalogue.load().targets["same"].format(a=first, b=second))
    width = max(len(first), len(second))
    for name in (first, second) if pairs else ():
        print(f"{name:<{width}}  {targets.load(name).title}")
    if pairs:
        print(catalogue.load().targets["differ"].format(count=len(pairs), all=len(a)))
    for x, y in pairs:
        print(f"\n{x.name}: {changed(x.value, y.value)}")
        for name, fact in ((first, x), (second, y)):
            print(f"    {_flag(fact)} {name:<{width}}  {_told(fact)}")
    return 0


def abilities(targets: Targets) -> dict[str, dict[str, Any]]:
    """What each target can do, by its name."""
    return {name: _of(targets.load(name)) for name in targets.names()}


def _of(target: Target) -> dict[str, Any]:
    return {
        "pve": target.pve["series"],
        "corosync": target.pve["corosync"],
        "network": target.network["manager"],
        "links": sorted({target.corosync["few_links"], target.corosync["links"]}),
        "bonds": target.network["bond"],
        "vlan_aware": target.network["vlan_aware"],
        # What a node has to have for it that not every one has; the script asks for it there.
        "vlan_aware_needs": "ifupdown2" if target.network["vlan_aware"] and target.may_be_classic else "",
        # The ssh join is in every series; its option only where there is another way.
        "joins": ["ssh", "API"] if target.pvecm["api"] else ["ssh"],
        "system": target.title.split(",")[0],
    }


def plain(rows: dict[str, dict[str, Any]]) -> list[list[str]]:
    """What each target can do as texts, its name first."""
    words = catalogue.load().targets

    def text(value: object) -> str:
        if isinstance(value, bool):
            return str(words["yes" if value else "no"])
        if isinstance(value, list):
            return " or ".join(map(str, value)) if isinstance(value[0], int) else ", ".join(value)
        return str(value)

    def cells(row: dict[str, Any]) -> list[str]:
        needs = row["vlan_aware_needs"]
        shown = row | ({"vlan_aware": words["with"].format(name=needs)} if needs else {})
        return [text(value) for key, value in shown.items() if key != "vlan_aware_needs"]

    return [[name, *cells(row)] for name, row in rows.items()]


def differences(first: Iterable[Fact], second: Iterable[Fact]) -> list[tuple[Fact, Fact]]:
    """The facts in which two targets differ, in the order of the first."""
    others = {fact.name: fact for fact in second}
    return [(fact, others[fact.name]) for fact in first if fact.value != others[fact.name].value]


def changed(old: Any, new: Any) -> str:
    """How a value became another: of lists and tables, what went and what came."""
    before, after = _items(old), _items(new)
    kept = [item for item in before if item in after]
    if kept and kept == [item for item in after if item in before]:
        gone = [f"-{item}" for item in before if item not in after]
        return " ".join([*gone, *(f"+{item}" for item in after if item not in before)])
    return f"{shown(old)} → {shown(new)}"


def _items(value: Any) -> list[str]:
    """What a list or a table consists of; a table has no order."""
    if isinstance(value, dict):
        return sorted(f"{key} = {shown(item)}" for key, item in value.items())
    return [shown(item) for item in value] if isinstance(value, list) else []


def _facts(targets: Targets, name: str) -> list[Fact] | None:
    """A target's facts; where there is none of the name that is said, with the nearest one."""
    if name in targets.names():
        return facts(targets.text(name), targets.load(name).data)
    from pvegen.nearest import nearest

    near = nearest(name, targets.names())
    words = catalogue.load().call
    hint = words["hint"].format(nearest=near) if near else ""
    errors.complain(words["unknown_target"].format(name=catalogue.visible(name), hint=hint))
    return None


def _flag(fact: Fact) -> str:
    return "!" if fact.confidence == "inferred" else " "


def _told(fact: Fact) -> str:
    """What the file says of a fact, how sure it is, and where it is from."""
    source = "; ".join(str(mark).replace("inferred", "INFERRED", 1) for mark in fact.marks)
    return f"{fact.remark} [{source}]".lstrip()


def _guesses(found: Sequence[Fact]) -> str:
    """Which facts are inferred."""
    words = catalogue.load().targets
    names = [fact.name for fact in found if fact.confidence == "inferred"]
    text = words["guesses" if names else "no_guesses"]
    return str(text.format(count=len(names), all=len(found), names=", ".join(names)).strip())


def _as_data(fact: Fact) -> dict[str, Any]:
    value = fact.value if isinstance(fact.value, str | int | list | dict) else str(fact.value)
    sources = [{"confidence": mark.confidence, "source": mark.source} for mark in fact.marks]
    return {
        "section": fact.section, "key": fact.key, "value": value, "confidence": fact.confidence, "sources": sources,
        "remark": fact.remark,
    }  # fmt: skip


def _print_json(data: object) -> int:
    print(json.dumps(data, indent=2, ensure_ascii=False))
    return 0


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, their columns one below another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
