"""Every target by clusters of every size: applied, verified, applied again, rolled back.

PVEGEN_EVERY=1 (make matrix) tries each cell in each of the shells; else they take turns, by the seed that the report says.
"""

from __future__ import annotations

import pytest
from faults import sample
from sandbox import Sandbox
from sandbox.requirements import require_system

from pvegen import target as targets

from . import support
from .nodes import Nodes, description
from .test_rollback import addresses, disk, same, units

pytestmark = pytest.mark.sandbox

TARGETS = targets.names()
SHELLS = ("dash", "bash", "busybox")
LINK = '[[link]]\nnetwork = "10.1.0.0/24"\n'
OWN = """
address6 = "fd00::{number}/64"
[[node.interface]]
name = "eth1"
address = "10.1.0.{number}/24"
[[node.bridge]]
name = "vmbr1"
port = "eth2"
address = "10.2.0.{number}/24"
mtu = 9000
[[node.bridge]]
name = "vmbr2"
"""
"""What each of three nodes has beside its address: a NIC of the second link, a bridge of large frames, one without port."""


def cells(*sizes: int) -> list[tuple[str, int, str]]:
    """(target, size, shell) as parameters: each target and size in one shell, the shells taking turns; in all where EVERY.

    Each target is tried in every shell, and so is each size, whichever shell the seed lets begin.
    """
    first = sample.chance("matrix").randrange(len(SHELLS))
    return [
        (name, size, shell)
        for row, name in enumerate(TARGETS)
        for size in sizes
        for turn, shell in enumerate(SHELLS)
        if sample.EVERY or turn == (first + row + size) % len(SHELLS)
    ]


def text_for(name: str, size: int) -> str:
    """A cluster of SIZE nodes on a target; three nodes have a second link where the target has one, and the rest of OWN."""
    if size < 3:
        return description(name, size)
    link = LINK if targets.load(name).corosync["links"] > 1 else ""
    return description(name, [OWN.format(number=250 + number) for number in (1, 2, 3)], tables=link)


def nics(size: int) -> dict[str, list[str]]:
    """Options of a node's sandbox beside its first NIC."""
    return {} if size < 3 else {"eth1": [], "eth2": []}


@pytest.mark.parametrize(("target", "size", "shell"), cells(1))
def test_one_node(target: str, size: int, shell: str) -> None:
    require_system(target)
    with Sandbox(target, "pve1", held=["pve-cluster", "pveproxy"]) as box:
        box.put(support.PLACE, support.build(support.ONE.format(target=target))["pve1"])
        before, stood, net = disk(box), units(box), addresses(box)
        support.apply(box, shell=shell).expect(0)
        support.sound_and_nothing_to_do(box, shell)
        support.run(box, "rollback", shell=shell).expect(0)
        same(before, box)
        assert (units(box), addresses(box)) == (stood, net)


@pytest.mark.parametrize(("target", "size", "shell"), cells(2, 3))
def test_cluster(target: str, size: int, shell: str) -> None:
    require_system(target)
    with Nodes(text_for(target, size), more_nics=nics(size)) as nodes:
        nodes.form(shell)
        nodes.whole(shell)
        nodes.roll_back(shell)
