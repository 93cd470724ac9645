"""From real runs to one table: a cluster that was formed by its scripts is told to be complete."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pvegen.receipts import table
from pvegen.receipts.picture import Built, put_together
from pvegen.receipts.read import parse

from .nodes import Nodes, description

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
    applied = [
        parse(name, box.read("/var/log/pvegen/mypve.apply.receipt").encode()) for name, box in formed.node.items()
    ]
    assert [remark.text for remark in put_together(applied, built).next] == ["next_verify", "next_verify"]
