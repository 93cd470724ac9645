"""Formed clusters of three that lose their quorum, a cable or a member."""

import pytest
from scripts.nodes import in_quorum, members
from scripts.support import Run

from .cluster import Lab
from .conftest import MakeLab
from .states import formed
from .wrong import both_in, hasty, mend, said, three

pytestmark = pytest.mark.lab

ALL = ("pve1", "pve2", "pve3")


def says_no_quorum(lab: Lab, name: str) -> Run:
    """verify and apply of a node say that it is not in the quorum; gives the apply."""
    for call in ("verify", "apply"):
        run = lab.call(name, call)
        assert run.status == 1, str(run)
        assert f"{name} is in cluster mypve, quorate, and may write to /etc/pve" in str(run.failures), str(run)
    return run


@pytest.mark.target("alt-p8")
def test_quorum_lost(lab: MakeLab) -> None:
    """Quorum lost, two of three down: the third says so; all is well when they are back."""
    nodes = lab(three("alt-p8"), formed)
    nodes.until_whole()
    hasty(nodes)
    for name in ("pve2", "pve3"):
        nodes[name].cut_power()
    nodes.until(lambda: not in_quorum(nodes["pve1"]), "pve1 misses two votes")
    says_no_quorum(nodes, "pve1")
    nodes.start("pve2")
    nodes.until_whole("pve1", "pve2")
    nodes.verify("pve1").expect(0)
    nodes.start("pve3")
    both_in(nodes, *ALL)
    for name in ALL:
        assert nodes.apply(name).expect(0).changes == 0


@pytest.mark.target("alt-p11")
def test_cable_out_after(lab: MakeLab) -> None:
    """Cable out after the join: the others go on, the node says so; all is well when it is back."""
    nodes = lab(three("alt-p11"), formed)
    nodes.until_whole()
    hasty(nodes)
    nodes["pve3"].unplug()
    nodes.until(lambda: not in_quorum(nodes["pve3"]), "pve3 is alone")
    nodes.until(lambda: members(nodes["pve1"]).get("pve3") is False, "pve1 misses pve3")
    for name in ("pve1", "pve2"):
        nodes.verify(name).expect(0)
    assert nodes.verify("pve3").status == 1
    nodes["pve3"].plug()
    both_in(nodes, *ALL)
    assert nodes.apply("pve3").expect(0).changes == 0


@pytest.mark.target("alt-p11")
def test_removed_while_down(lab: MakeLab) -> None:
    """A member removed while it was down: it waits in vain, and joins anew after what its message says."""
    nodes = lab(three("alt-p11"), formed)
    nodes.until_whole()
    hasty(nodes)
    nodes["pve3"].stop()
    nodes.until(lambda: members(nodes["pve1"]).get("pve3") is False, "pve1 misses pve3")
    said(nodes["pve1"], "pvecm delnode pve3")
    nodes.until(lambda: "pve3" not in members(nodes["pve2"]), "pve2 hears of it")
    nodes.start("pve3")
    says_no_quorum(nodes, "pve3")
    assert [line for line in mend(nodes, "pve3") if "rm -rf /etc/corosync/authkey" in line]
    both_in(nodes, *ALL)
