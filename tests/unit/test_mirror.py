"""The copy of the bridges for a pve-common of early 2016, read by the names that it knows and by no others."""

from __future__ import annotations

from pathlib import Path

from pvegen import network
from pvegen.description import load

TEXT = """format = 1
[cluster]
name = "mirror"
target = "alt-p8"
domain = "example.org"
[network]
gateway = "10.0.0.1"
[[node]]
name = "pve1"
address = "10.0.0.251/24"
nic = "bond0"
[[node.bond]]
name = "bond0"
nics = ["eth0", "eth1"]
mode = "802.3ad"
[[node.bridge]]
name = "vmbr1"
address = "10.1.0.1/22"
address6 = "fd00::1/64"
port = "eth2"
[[node.bridge]]
name = "vmbr2"
"""
OF_A_STANZA = {"address", "netmask", "gateway"}
OF_A_DEVICE = {"slaves", "bridge_ports", "bridge_stp", "bridge_fd", "bond_miimon", "bond_mode", "bond_xmit_hash_policy"}


def read_as_of_2016(lines: list[str]) -> dict[tuple[str, str], dict[str, str]]:
    """{(interface, family): {option: value}} of what pve-common knew; what it did not is passed over."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["iface"]:
            options = found[words[1], words[2]] = {}
        elif line.startswith("\t") and words[0] in OF_A_STANZA | OF_A_DEVICE:
            options[words[0]] = " ".join(words[1:])
    return found


def test_pve_common_of_early_2016_reads_ports_slaves_and_masks(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(TEXT, "utf-8")
    loaded = load(tmp_path / "x.toml")
    assert loaded.mistakes == [] and loaded.view is not None
    bridge = {"bridge_stp": "off", "bridge_fd": "0"}
    view = loaded.view
    assert read_as_of_2016(network.mirror_file(view, view.nodes[0])) == {
        ("eth0", "inet"): {},
        ("eth1", "inet"): {},
        ("eth2", "inet"): {},
        ("bond0", "inet"): {
            "slaves": "eth0 eth1", "bond_miimon": "100", "bond_mode": "802.3ad", "bond_xmit_hash_policy": "layer2+3",
        },
        ("vmbr0", "inet"): {
            "address": "10.0.0.251", "netmask": "255.255.255.0", "gateway": "10.0.0.1", "bridge_ports": "bond0", **bridge,
        },
        ("vmbr1", "inet"): {"address": "10.1.0.1", "netmask": "255.255.252.0", "bridge_ports": "eth2", **bridge},
        ("vmbr1", "inet6"): {"address": "fd00::1", "netmask": "64"},
        ("vmbr2", "inet"): {"bridge_ports": "none", **bridge},
    }  # fmt: skip
