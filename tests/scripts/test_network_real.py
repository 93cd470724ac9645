"""The network of each target, brought up by what brings it up there, compared with the description's own text.

ifupdown2 and, on PVE 6, classic ifupdown are Debian's packages; etcnet is its stand-in. What the description states is
read from its text by `lab.inside.wanted`, which knows nothing of templates; the kernel is asked by `ip -j` and
`bridge -j`. Bonds, VLANs and VLAN-aware bridges need another kernel: tests/lab/inside.
"""

from __future__ import annotations

import pytest
from lab.inside.found import not_as_described
from sandbox import Sandbox
from sandbox.systems import SYSTEMS, load_system

from . import support
from .nodes import description

pytestmark = pytest.mark.sandbox

NAMES = sorted(folder.name for folder in SYSTEMS.iterdir())
NETWORKS = {
    "one bridge": "",
    "IPv6 and large frames": """
mtu = 9000
address6 = "fd00::251/64"
gateway6 = "fd00::1"
""",
    "several": """
address6 = "fd00::251/64"
[[node.bridge]]
name = "vmbr1"
port = "eth1"
address = "10.1.0.251/24"
mtu = 9000
[[node.bridge]]
name = "vmbr2"
[[node.bridge]]
name = "vmbr3"
address6 = "fd00:3::251/64"
[[node.bridge]]
name = "vmbr4"
address = "10.4.0.251/31"
mtu = 9000
[[node.interface]]
name = "eth2"
address = "10.2.0.251/24"
address6 = "fd00:2::251/64"
mtu = 9000
[[node.interface]]
name = "eth3"
mtu = 9000
[[node.interface]]
name = "eth4"
""",
}
"""What the node's table says beside its address and NIC."""
NICS = {"eth0": ["10.0.0.251/24"], "eth1": [], "eth2": [], "eth3": [], "eth4": []}


def alone(target: str, text: str) -> Sandbox:
    """pve1, not yet booted, where nothing but the network runs; what its system has for the network does the first boot."""
    held = [unit for unit in load_system(target).units if unit not in ("network", "networking")]
    return Sandbox(target, "pve1", NICS, held=held, real_network=True)


def call(box: Sandbox, word: str) -> support.Run:
    return support.run(box, word, "--only", "bridge")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("target", NAMES)
def test_network_is_as_described_when_applied_and_after_a_reboot(target: str, network: str) -> None:
    text = description(target, [NETWORKS[network]])
    with alone(target, text) as box:
        box.switch.ip("address add fd00::1/64 dev sw0 nodad")
        box.put(support.PLACE, support.build(text)["pve1"])
        assert not_as_described(box, text, "pve1") != [] or network == "one bridge"
        call(box, "apply").expect(0)
        assert not_as_described(box, text, "pve1") == []
        assert call(box, "apply").expect(0).changes == 0
        box.reboot()
        assert not_as_described(box, text, "pve1") == []
        call(box, "verify").expect(0)
