"""All receipts of one cluster to one picture: the last of each node, what contradicts what, and what to do next."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pvegen.receipts.history import Dated
from pvegen.receipts.read import Receipt

# Seconds by which the desk's own clock may be wrong, and by which those of two nodes may differ.
_CLOCK = 300
_CLOCKS = 5.0


class Built(NamedTuple):
    """What stands built for the cluster.

    order: the nodes in the order of running; digests: node -> its script's digest;
    joins: node -> the member that it joins through.
    """

    cluster: str
    order: list[str]
    digests: dict[str, str]
    joins: dict[str, str]


class Remark(NamedTuple):
    """One thing to tell: a text's name in the catalogue's [receipts], and its facts."""

    text: str
    facts: dict[str, str]


class Picture(NamedTuple):
    """nodes: in their order; last: node -> the receipt that counts; steps: columns of the
    table; wrong: contradictions; next: what to do; left_out: files and digests that do not
    count, and why; complete: whether all is done; dated: node -> the build that ran there,
    where git knows it."""

    cluster: str
    nodes: list[str]
    last: dict[str, Receipt]
    steps: list[str]
    wrong: list[Remark]
    next: list[Remark]
    left_out: list[Remark]
    complete: bool
    dated: Mapping[str, Dated]


def put_together(
    receipts: Sequence[Receipt],
    built: Built | None,
    now: float | None = None,
    left_out: Sequence[Remark] = (),
    date: Callable[[Receipt], Dated | None] = lambda receipt: None,
) -> Picture:
    """The picture of receipts of one cluster.

    built: what is built for it, None where that is not known: then nothing is complete;
    now: the desk's clock; left_out: what was not taken before; date: the build of a
    receipt's script, asked where that is not what is built.
    """
    now = time.time() if now is None else now
    last = _last(receipts)
    named = [name for receipt in last.values() for name in (*receipt.reach, *(receipt.members or ()))]
    known = built.order if built else [*last, *named]
    nodes = list(dict.fromkeys([*known, *sorted(last)]))
    steps = list(dict.fromkeys(step for receipt in last.values() for step in ["requirements", *receipt.planned]))
    others = {node: receipt for node, receipt in last.items() if _is_another(receipt, built)}
    dated = {node: found for node, receipt in others.items() if (found := date(receipt))}
    wrong = [*_builds(last, built, list(others), dated), *_strangers(last, built), *_versions(last)]
    wrong += [*_names(last), *_members(last, nodes), *_reach(last), *_clocks(last, built, now)]
    todo = [remark for node in nodes for remark in _next(node, last, built, dated)]
    if built is None:
        todo.append(_remark("not_built", cluster=receipts[0].cluster))
    steps = [step for step in steps if step != "host"]
    passed = [*left_out, *_passed(receipts, last)]
    return Picture(receipts[0].cluster, nodes, last, steps, wrong, todo, passed, not (wrong or todo), dated)


def _last(receipts: Sequence[Receipt]) -> dict[str, Receipt]:
    """The receipt that counts of each node: the latest."""
    found: dict[str, Receipt] = {}
    for receipt in sorted(receipts, key=lambda r: (r.ended, r.call == "verify")):
        found[receipt.node] = receipt
    return {node: found[node] for node in sorted(found)}


def _passed(receipts: Sequence[Receipt], last: Mapping[str, Receipt]) -> list[Remark]:
    """Receipts that another of the same node stands for: the same once more, or of an earlier run."""
    remarks = []
    for receipt in receipts:
        kept = last[receipt.node]
        if receipt is not kept:
            text = "twice" if receipt.digest == kept.digest else "earlier"
            facts = {"path": receipt.source, "node": receipt.node, "call": receipt.call, "kept": kept.source}
            remarks.append(Remark(text, facts))
    return remarks


def _is_another(receipt: Receipt, built: Built | None) -> bool:
    """Whether a node ran another script than the one that is built now."""
    return built is not None and receipt.script != built.digests.get(receipt.node, receipt.script)


def _builds(
    last: Mapping[str, Receipt], built: Built | None, others: Sequence[str], dated: Mapping[str, Dated]
) -> list[Remark]:
    """Other scripts than those that are built now; where nothing is, other versions of pvegen."""
    if built is None:
        versions = {receipt.pvegen for receipt in last.values()}
        return [_told("pvegens", _by(last, "pvegen"))] if len(versions) > 1 else []
    remarks = [_of_build(f"ran_{found.age}", node, found) for node, found in dated.items()]
    unknown = [node for node in others if node not in dated]
    return remarks + ([_remark("another", nodes=", ".join(unknown))] if unknown else [])


def _of_build(text: str, node: str, found: Dated) -> Remark:
    return _remark(text, node=node, commit=found.commit, date=found.date)


def _strangers(last: Mapping[str, Receipt], built: Built | None) -> list[Remark]:
    strangers = [node for node in last if built and node not in built.digests]
    return [_remark("not_described", nodes=", ".join(strangers))] if strangers else []


def _versions(last: Mapping[str, Receipt]) -> list[Remark]:
    found = {receipt.pve for receipt in last.values() if receipt.pve}
    return [_told("versions", _by(last, "pve"))] if len(found) > 1 else []


def _by(last: Mapping[str, Receipt], key: str) -> dict[str, list[str]]:
    """Nodes by what each says: value -> nodes."""
    found: dict[str, list[str]] = {}
    for node, receipt in last.items():
        if value := getattr(receipt, key):
            found.setdefault(value, []).append(node)
    return found


def _told(text: str, by: Mapping[str, Sequence[str]], **facts: str) -> Remark:
    said = "; ".join(f"{value} ({', '.join(nodes)})" for value, nodes in sorted(by.items()))
    return _remark(text, said=said, **facts)


def _names(last: Mapping[str, Receipt]) -> list[Remark]:
    """Names that have another address on another node."""
    remarks = []
    for name in sorted({name for receipt in last.values() for name in receipt.names} & set(last)):
        by: dict[str, list[str]] = {}
        for node, receipt in last.items():
            if name in receipt.names:
                by.setdefault(receipt.names[name], []).append(node)
        if len(by) > 1:
            remarks.append(_told("names", by, name=name))
    return remarks


def _members(last: Mapping[str, Receipt], nodes: Sequence[str]) -> list[Remark]:
    """What nodes that are in a cluster say of it; a run before others have joined does not know them yet."""
    remarks = []
    inside = {node: receipt for node, receipt in last.items() if receipt.members is not None}
    for node, receipt in inside.items():
        members = receipt.members or {}
        if receipt.member_of != receipt.cluster:
            remarks.append(_remark("other_cluster", node=node, found=receipt.member_of, cluster=receipt.cluster))
        if not receipt.quorate:
            remarks.append(_remark("no_quorum", node=node))
        before = [other for other in nodes if other in inside and inside[other].ended <= receipt.ended]
        missing = [other for other in before if other not in members]
        if missing:
            remarks.append(_remark("unknown_members", node=node, missing=", ".join(missing)))
        if down := [other for other, up in members.items() if not up]:
            remarks.append(_remark("down", node=node, down=", ".join(down)))
        if foreign := [other for other in members if other not in nodes]:
            remarks.append(_remark("foreign_members", node=node, foreign=", ".join(foreign)))
    return remarks


def _reach(last: Mapping[str, Receipt]) -> list[Remark]:
    """Nodes that do not answer others."""
    by: dict[str, list[str]] = {}
    for node, receipt in last.items():
        for other, answers in receipt.reach.items():
            if not answers:
                by.setdefault(other, []).append(node)
    return [_remark("silent", node=other, nodes=", ".join(nodes)) for other, nodes in sorted(by.items())]


def _clocks(last: Mapping[str, Receipt], built: Built | None, now: float) -> list[Remark]:
    """Clocks that differ, and times that cannot be: later than now, an end before its beginning, joined before."""
    remarks = [_remark("clock_ahead", node=node) for node, receipt in last.items() if receipt.ended > now + _CLOCK]
    remarks += [_remark("clock_back", node=node) for node, receipt in last.items() if receipt.ended < receipt.began]
    for node, receipt in last.items():
        for other, ahead in receipt.clocks.items():
            if abs(ahead) > _CLOCKS:
                text = "clock_other_ahead" if ahead > 0 else "clock_other_behind"
                remarks.append(_remark(text, node=node, other=other, seconds=f"{abs(ahead):.0f}"))
    for node, member in (built.joins if built else {}).items():
        if node in last and member in last and last[node].members is not None and last[member].members is None:
            remarks.append(_remark("joined_before", node=node, member=member))
    return remarks


def _next(
    node: str, last: Mapping[str, Receipt], built: Built | None, dated: Mapping[str, Dated]
) -> list[Remark]:
    """What is to do on one node, if anything."""
    receipt = last.get(node)
    if receipt is None:
        return [_remark("next_run", node=node)]
    if node in dated and dated[node].age != "older":
        return [_of_build(f"next_{dated[node].age}", node, dated[node])]
    if _is_another(receipt, built):
        return [_remark("next_again", node=node)]
    if receipt.call == "check" and receipt.status != 78:
        return [_remark("next_apply", node=node)]
    if receipt.status != 0:
        why = receipt.bail or (receipt.failures[0] if receipt.failures else f"status {receipt.status}")
        return [_remark("next_mend", node=node, why=why, call=receipt.call)]
    if not receipt.complete:
        return [_remark("next_whole", node=node, call=receipt.call)]
    return [_remark("next_verify", node=node)] if receipt.call == "apply" else []


def _remark(text: str, **facts: str) -> Remark:
    return Remark(text, facts)
