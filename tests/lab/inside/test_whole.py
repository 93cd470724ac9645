"""Clusters of three nodes with a bond, VLANs and a second link, formed by their scripts on a kernel that has them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from scripts.nodes import Nodes

from . import found, whole

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("vm")]


@pytest.fixture(scope="module", params=whole.cells(), ids="-".join)
def formed(request: pytest.FixtureRequest) -> Iterator[tuple[Nodes, str]]:
    """(nodes, shell): a cluster of three, formed by scripts that the shell has run."""
    target, shell = request.param
    with whole.nodes(target) as nodes:
        nodes.form(shell)
        yield nodes, shell


def test_three_nodes_are_verified_and_applied_again(formed: tuple[Nodes, str]) -> None:
    """Three nodes with a bond, VLANs and a second link: applied, verified, applied again with no change."""
    nodes, shell = formed
    nodes.whole(shell)
    as_described(nodes)


def test_three_nodes_are_rolled_back(formed: tuple[Nodes, str]) -> None:
    """Three nodes with a bond, VLANs and a second link: rolled back, and applied anew."""
    nodes, shell = formed
    nodes.roll_back(shell)
    as_described(nodes)


def as_described(nodes: Nodes) -> None:
    """Fails where a kernel's network is not what the description states, or corosync has other links."""
    links = [] if nodes.system in whole.ONE_LINK else ["10.1.0.251", "10.1.0.252", "10.1.0.253"]
    for name, box in nodes.node.items():
        found.as_described(box, nodes.text, name)
        assert sorted(re.findall(r"ring1_addr: (\S+)", box.read("/etc/pve/corosync.conf"))) == links
