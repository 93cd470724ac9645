"""The picture as text for a terminal. Whatever came from a node is data in it."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pvegen import catalogue
from pvegen.receipts.picture import Built, Picture, Remark
from pvegen.receipts.read import Receipt

_WIDTH = 78
# Nodes beside one another; more are more tables.
BESIDE = 6
_WIDEST = 20
_LONGEST = 2000
LISTS = (("contradictions", "wrong"), ("todo", "next"), ("left_out", "left_out"))


def texts() -> dict[str, str]:
    """The receipts' own messages."""
    return catalogue.load().receipts


def said(remark: Remark) -> str:
    """A remark in words, with whatever a terminal would obey in its facts made visible, and no fact endless."""
    facts = {name: catalogue.visible(fact[:_LONGEST]) for name, fact in remark.facts.items()}
    return texts()[remark.text].format(**facts)


def text(picture: Picture, built: Built | None) -> str:
    """The tables, the contradictions, what to do next, what was left out, and the verdict."""
    words = texts()
    lines = [words["title"].format(cluster=picture.cluster), ""]
    for start in range(0, len(picture.nodes), BESIDE):
        lines += [*_table(rows(picture, built, picture.nodes[start : start + BESIDE])), ""]
    for title, name in LISTS:
        if remarks := getattr(picture, name):
            lines += [words[title], *(line for remark in remarks for line in _item(said(remark))), ""]
    return "\n".join([*lines, verdict(picture)])


def verdict(picture: Picture) -> str:
    """The last word: whether the cluster is complete."""
    return texts()["complete" if picture.complete else "not_complete"].format(cluster=picture.cluster)


def _item(line: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)


def rows(picture: Picture, built: Built | None, nodes: Sequence[str]) -> Iterator[list[str]]:
    """The table's rows, the head first: a label, then a cell for each node."""
    words = texts()
    yield [words["node"], *nodes]
    yield [words["run"], *(_of(picture, node, lambda r: r.call) for node in nodes)]
    yield [words["ended"], *(_of(picture, node, lambda r: _time(r.ended)) for node in nodes)]
    yield [words["script"], *(_age(picture, built, node) for node in nodes)]
    yield ["Proxmox VE", *(_of(picture, node, lambda r: r.pve or "-") for node in nodes)]
    for step in picture.steps:
        yield [step, *(_of(picture, node, partial(_state, step)) for node in nodes)]
    yield [words["quorum"], *(_of(picture, node, _quorum) for node in nodes)]
    yield [words["digest"], *(_of(picture, node, lambda r: r.digest[:11] + "...") for node in nodes)]


def _of(picture: Picture, node: str, tell: Callable[[Receipt], str]) -> str:
    receipt = picture.last.get(node)
    return catalogue.visible(tell(receipt))[:_WIDEST] if receipt else "?"


def _state(step: str, receipt: Receipt) -> str:
    return texts()[f"state_{receipt.steps[step]}"] if step in receipt.steps else "-"


def _quorum(receipt: Receipt) -> str:
    if receipt.members is None:
        return "-"
    return texts()["yes" if receipt.quorate else "no"]


def _age(picture: Picture, built: Built | None, node: str) -> str:
    receipt = picture.last.get(node)
    if receipt is None or built is None or node not in built.digests:
        return "?"
    if receipt.script == built.digests[node]:
        return texts()["current"]
    return texts()[f"build_{picture.dated[node].age}" if node in picture.dated else "build_another"]


def _time(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "?"


def _table(cells: Iterator[list[str]]) -> list[str]:
    all_rows = list(cells)
    widths = [max(len(row[column]) for row in all_rows) for column in range(len(all_rows[0]))]
    padded = [[f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in all_rows]
    lines = ["  ".join(row).rstrip() for row in padded]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
