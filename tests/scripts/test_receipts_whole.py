"""From real runs to one table: a cluster that was formed by its scripts is told to be complete."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from pvegen.receipts import table
from pvegen.receipts.picture import Built, put_together
from pvegen.receipts.read import parse

from .nodes import Nodes, address, description

pytestmark = pytest.mark.sandbox


@pytest.fixture
def formed() -> Iterator[Nodes]:
    with Nodes(description("alt-p11", 2)) as nodes:
        nodes.form()
        yield nodes


def test_receipts_of_a_formed_cluster_say_that_it_is_complete(formed: Nodes) -> None:
    for name in formed.node:
        formed.verify(name).expect(0)
    receipts = [
        parse(name, box.read("/var/log/pvegen/mypve.verify.receipt").encode()) for name, box in formed.node.items()
    ]
    built = Built("mypve", ["pve1", "pve2"], {one.node: one.script for one in receipts}, {"pve2": "pve1"})
    picture = put_together(receipts, built)
    assert picture.complete, table.text(picture, built)
    assert all(set(one.members or ()) == {"pve1", "pve2"} and one.quorate for one in receipts)
    assert [one.reach for one in receipts] == [{"pve2": True}, {"pve1": True}]
    clocks = [value for one in receipts for value in one.clocks.values()]
    assert len(clocks) == 2 and all(abs(value) < 5 for value in clocks), clocks


# What ping prints of its timestamps: ours, then the other's and the rest, each less the one before it.
CLOCKS = [
    ("59299117 absolute", "61000", "clock pve2 61000"),
    ("59299117 absolute", "-61000", "clock pve2 -61000"),
    ("86399000 absolute", "-86398000", "clock pve2 2000"),
    ("1000 absolute", "86398000", "clock pve2 -2000"),
    ("59299117 absolute", "5 not-standard", ""),
    ("59299117 absolute not-standard", "5", ""),
]


def test_how_far_another_nodes_clock_is_ahead() -> None:
    with Nodes(description("alt-p11", 2)) as nodes:
        box = nodes["pve1"]
        for (first, second, wanted), shell in itertools.product(CLOCKS, ("dash", "busybox")):
            said = f"PING\\n64 bytes\\nTS: \\t{first}\\n\\t{second}\\n\\t0\\n\\t0\\n"
            box.put("/usr/sbin/ping", f"#!/bin/sh\nprintf '{said}'\n", 0o755)
            nodes.call("pve1", "check", "--only", "time", "--receipt", "/root/r", shell=shell)
            lines = box.read("/root/r").splitlines()
            assert [line for line in lines if line.startswith("clock ")] == [wanted] * bool(wanted)
            assert f"reach pve2 {address(2)} answers" in lines
