"""Whole clusters of three nodes: a bond, VLANs on it and on a NIC, and a second link of corosync where the target has one."""

from __future__ import annotations

import os

from faults.sample import EVERY, pick
from sandbox.systems import SYSTEMS
from scripts.nodes import Nodes, description

from .trunk import Trunk

# The machine is emulated: all takes ten times as long.
LIMITS = {"unit": 200, "network": 200, "quorum": 200, "join": 600, "api": 200, "ssh": 200}
SHELLS = ("dash", "bash", "busybox")
USUAL = (("alt-p10", "dash"), ("pve-9", "bash"), ("pve-6", "busybox"))
"""(target, shell) of clusters on etcnet, ifupdown2 and ifupdown: the seed says which of them is tried unless every one is
wanted (PVEGEN_EVERY=1), for one takes minutes."""
ONE_LINK = ("alt-p8", "alt-p8-pve5")
"""Targets whose corosync has one link: there the second network is a network and no more."""

_LINK = '[[link]]\nnetwork = "10.1.0.0/24"\n'
_OWN = """
nic = "bond0"
address6 = "fd00::NN/64"
[[node.bond]]
name = "bond0"
nics = ["eth0", "eth1"]
[[node.vlan]]
parent = "bond0"
id = 40
[[node.vlan]]
parent = "bond0"
id = 50
address = "10.5.0.NN/24"
[[node.vlan]]
parent = "eth2"
id = 70
address = "10.1.0.NN/24"
[[node.bridge]]
name = "vmbr1"
port = "bond0.40"
"""


def cells() -> list[tuple[str, str]]:
    """(target, shell) of each cluster that a run of the tests tries; the machine itself knows all of them."""
    if EVERY or "PVEGEN_IN_VM" in os.environ:
        return [(folder.name, shell) for folder in sorted(SYSTEMS.iterdir()) for shell in SHELLS]
    return pick(USUAL, 1, "whole")


def text(target: str) -> str:
    """The description of the cluster on a target."""
    own = [_OWN.replace("NN", str(250 + number)) for number in (1, 2, 3)]
    return description(target, own, tables="" if target in ONE_LINK else _LINK, limits=LIMITS)


def nodes(target: str) -> Nodes:
    """The nodes of the cluster on a target, on a switch that lets tagged frames through."""
    return Nodes(text(target), more_nics={"eth1": [], "eth2": []}, switch=Trunk({}, {0: "10.0.0.1/24"}))
