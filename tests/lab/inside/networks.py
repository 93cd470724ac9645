"""The networks that are brought up, as descriptions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faults.sample import EVERY
from sandbox.systems import SYSTEMS
from scripts.nodes import description

from . import whole

TARGETS = sorted(folder.name for folder in SYSTEMS.iterdir())
# ALT's targets below p11 and classic ifupdown have no VLAN-aware bridges.
AWARE = ("alt-p11", "pve-7", "pve-8", "pve-9")


@dataclass(frozen=True)
class Network:
    """A description and what the switch has to be for it.

    text: the description; target: its target; nics: how many NICs a node has; lags: those of them that the switch
    bonds as well, {a name: (mode, NICs)}; vlans: addresses that the switch answers on, by VLAN, 0 being untagged;
    apart: NICs that have a switch of their own; pings: what pve1 has to reach over it, as words of ping; prepare: a
    command for each node before the script; then: a description of the same nodes a day later;
    guests: VLANs, and whether the main bridge lets a guest into them.
    """

    text: str
    target: str
    nics: int
    lags: dict[str, tuple[str, tuple[str, ...]]]
    vlans: dict[int, str]
    pings: tuple[str, ...]
    apart: tuple[str, ...] = ()
    prepare: str = ":"
    then: str = ""
    guests: Mapping[int, bool] = field(default_factory=dict)


def _network(
    target: str, own: str, *, nics: int, count: int = 1, network: str = "", changes: Sequence[str] = (), **switch: Any
) -> Network:
    """NN in the nodes' own lines is the node's last octet; changes: a text of the description, what comes after it, ..."""
    lines = [own.replace("NN", str(250 + number)) for number in range(1, count + 1)]
    text = then = description(target, lines, network=network, limits=whole.LIMITS)
    for before, after in zip(changes[::2], changes[1::2], strict=True):
        assert before in then
        then = then.replace(before, after)
    return Network(text, target, nics, then=then, **switch)


# LACP below the main bridge, a VLAN beside the bridge on the same bond; a bond with large frames below another bridge;
# IPv6; a bridge without a port.
_LACP = """
nic = "bond0"
address6 = "fd00::NN/64"
[[node.bond]]
name = "bond0"
nics = ["eth0", "eth1"]
mode = "802.3ad"
hash_policy = "layer3+4"
[[node.bond]]
name = "bond1"
nics = ["eth2", "eth3"]
[[node.vlan]]
parent = "bond0"
id = 50
address = "10.5.0.NN/24"
[[node.bridge]]
name = "vmbr1"
port = "bond1"
address = "10.1.0.NN/24"
mtu = 9000
[[node.bridge]]
name = "vmbr2"
"""

# The main bridge on a VLAN of a bond that spreads by a hash; a VLAN with a name of its own; a bridge on a VLAN of a NIC.
_TAGGED = """
nic = "bond0.40"
[[node.bond]]
name = "bond0"
nics = ["eth0", "eth1"]
mode = "balance-xor"
[[node.vlan]]
parent = "bond0"
id = 40
[[node.vlan]]
parent = "bond0"
id = 60
name = "vlan60"
address = "10.6.0.NN/24"
address6 = "fd00:6::NN/64"
[[node.vlan]]
parent = "eth2"
id = 70
[[node.bridge]]
name = "vmbr1"
port = "eth2.70"
address = "10.7.0.NN/24"
"""

# VLAN-aware bridges, the node itself in one of their VLANs.
_AWARE = """
nic = "bond0"
[[node.bond]]
name = "bond0"
nics = ["eth0", "eth1"]
[[node.vlan]]
parent = "vmbr0"
id = 50
address = "10.5.0.NN/24"
[[node.bridge]]
name = "vmbr1"
port = "eth2"
vlan_aware = true
vlans = "10 20-29"
"""
_GATEWAY = {0: "10.0.0.1/24"}
_SEVERAL = "s/^multiple_vlan_aware_bridge_support=0/multiple_vlan_aware_bridge_support=1/"


def _networks() -> Iterator[tuple[str, Network]]:
    for target in TARGETS:
        yield (
            f"lacp-{target}",
            _network(
                target,
                _LACP,
                nics=4,
                count=2,
                lags={"lag0": ("802.3ad", ("eth0", "eth1"))},
                vlans=_GATEWAY,
                apart=("eth2", "eth3"),  # else a node's answer to who has an address comes from both of its bridges
                pings=("10.0.0.252", "fd00::252", "10.5.0.252", "10.1.0.252 -s 8972 -M do"),
                changes=('"layer3+4"', '"layer2+3"'),
            ),
        )
        yield (
            f"tagged-{target}",
            _network(
                target,
                _TAGGED,
                nics=3,
                lags={"lag0": ("balance-xor", ("eth0", "eth1"))},
                vlans={40: "10.0.0.1/24", 60: "10.6.0.1/24", 70: "10.7.0.1/24"},
                pings=("10.0.0.1", "10.6.0.1", "10.7.0.1"),
                changes=('mode = "balance-xor"', 'mode = "balance-rr"\nmiimon = 200'),
            ),
        )
    for target in AWARE:
        yield (
            f"aware-{target}",
            _network(
                target,
                _AWARE,
                nics=3,
                network='vlan_aware = true\nvlans = "2-100 200"',
                lags={},
                vlans={**_GATEWAY, 50: "10.5.0.1/24", 60: "10.6.0.1/24", 300: "10.30.0.1/24"},
                pings=("10.0.0.1", "10.5.0.1"),
                guests={60: True, 300: False},
                changes=('"2-100 200"', '"2-60"', '"10 20-29"', '"10 25-35"'),
                prepare=f"sed -i {_SEVERAL} /etc/network/ifupdown2/ifupdown2.conf",
            ),
        )


NETWORKS = dict(_networks())
USUAL = ("lacp-alt-p11", "tagged-alt-p8", "aware-alt-p11")
"""Those on which everything is tried unless every one is wanted (PVEGEN_EVERY=1): emulation is slow, and these have each
kind once."""
BRIEF = (
    "lacp-alt-p9", "lacp-pve-6", "tagged-alt-p8-pve5", "tagged-alt-p10", "tagged-pve-7", "aware-pve-8", "tagged-pve-9",
)  # fmt: skip
"""Those that are brought up and compared, no more, beside USUAL."""


def tried(*names: str) -> list[str]:
    """Those NAMES that a run of the tests tries, all where every one is wanted; the machine itself knows all of them.

    USUAL come first: pytest keeps tests together whose parameter has the same place among those of its test.
    """
    order = [*USUAL, *BRIEF, *(name for name in NETWORKS if name not in USUAL + BRIEF)]
    return [name for name in order if EVERY or name in names or "PVEGEN_IN_VM" in os.environ]


def descriptions() -> list[str]:
    """All of them, for those who build the scripts."""
    texts = {text for network in NETWORKS.values() for text in (network.text, network.then)}
    return sorted(texts | {whole.text(target) for target in TARGETS})
