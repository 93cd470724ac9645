"""What is derived of a node's interfaces, beyond what scripts of tests/fixtures show."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvegen.description import load

HEAD = """format = 1
[cluster]
name = "mypve"
target = "alt-p11"
domain = "example.org"
[[node]]
name = "pve1"
address = "10.0.0.251/24"
gateway = "10.0.0.1"
"""


def vlan(number: int, more: str = "", parent: str = "eth0") -> str:
    return f'[[node.vlan]]\nparent = "{parent}"\nid = {number}\n{more}\n'


def mtus(folder: Path, text: str) -> dict[str, int | None]:
    path = folder / "x.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    loaded = load(path)
    assert loaded.mistakes == []
    assert loaded.view is not None
    return {interface.name: interface.mtu for interface in loaded.view.nodes[0].interfaces}


JUMBO = "mtu = 9000"
BOND = '[[node.bond]]\nname = "bond0"\nnics = ["eth0", "eth1"]\n'
BRIDGE = '[[node.bridge]]\nname = "vmbr1"\nport = "eth0.10"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('nic = "eth0"\n', {"eth0": None, "vmbr0": None}),
        ('nic = "eth0"\nmtu = 9000\n', {"eth0": 9000, "vmbr0": 9000}),
        # A port that is raised for one of those on it leaves the others as they are.
        ('nic = "eth0"\n' + vlan(10, JUMBO), {"eth0": 9000, "vmbr0": 1500, "eth0.10": 9000}),
        ('nic = "eth0"\n' + vlan(10, "mtu = 1400"), {"eth0": 1500, "vmbr0": 1500, "eth0.10": 1400}),
        (
            'nic = "eth0"\nmtu = 9000\n' + vlan(10) + vlan(11, "mtu = 1500"),
            {"eth0": 9000, "vmbr0": 9000, "eth0.10": 1500, "eth0.11": 1500},
        ),
        # A VLAN passes on what the bridge over it asks for.
        (
            'nic = "eth0"\n' + vlan(10) + vlan(11) + BRIDGE + JUMBO,
            {"eth0": 9000, "vmbr0": 1500, "eth0.10": 9000, "eth0.11": 1500, "vmbr1": 9000},
        ),
        # A bridge does not: it states what its own VLANs need.
        ('nic = "eth0"\n' + vlan(10, "mtu = 1400", "vmbr0"), {"eth0": None, "vmbr0": None, "vmbr0.10": 1400}),
        (
            'nic = "bond0"\n' + BOND + vlan(10, JUMBO, "bond0"),
            {"eth0": 9000, "eth1": 9000, "bond0": 9000, "vmbr0": 1500, "bond0.10": 9000},
        ),
    ],
)
def test_mtu(tmp_path: Path, text: str, expected: dict[str, int | None]) -> None:
    assert mtus(tmp_path, text) == expected
