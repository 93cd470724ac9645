"""What checks do beyond the texts that tests/mistakes shows: targets that do not exist yet, cascades, odd shapes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pvegen import target
from pvegen.checks.names import timezones
from pvegen.checks.trust import whole
from pvegen.checks.vlans import ranges
from pvegen.description import load
from pvegen.model import Description, Key, Node, Table
from pvegen.schema import schema
from pvegen.target import Target

HEAD = """format = 1
[cluster]
name = "mypve"
target = "alt-p11"
domain = "example.org"
[network]
gateway = "10.0.0.1"
"""


def node(number: int, more: str = "") -> str:
    return f'[[node]]\nname = "pve{number}"\naddress = "10.0.0.{number}0/24"\nnic = "eth0"\n{more}'


def codes(folder: Path, text: str) -> list[str]:
    path = folder / "x.toml"
    path.write_text(text, encoding="utf-8")
    return sorted(mistake.code for mistake in load(path).mistakes)


def pretend(monkeypatch: pytest.MonkeyPatch, section: str, **facts: object) -> None:
    """Let the target of the test have other facts."""
    data = target.load("alt-p11").data
    changed = Target("alt-p11", "changed", {**data, section: data[section] | facts})
    monkeypatch.setattr(target.Targets, "load", lambda *_: changed)


def test_target_with_two_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "corosync", links=2)
    text = HEAD + '[[link]]\nnetwork = "10.1.0.0/24"\nnumber = 2\n'
    for number in (1, 2, 3):
        text += node(number, f'[[node.interface]]\nname = "eth1"\naddress = "10.1.0.{number}/24"\n')
    assert codes(tmp_path, text) == ["PVE504"]


def test_target_without_bonds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "network", bond=False)
    bond = '[[node.bond]]\nname = "bond0"\nnics = ["eth0", "eth1"]\n'
    assert codes(tmp_path, HEAD + node(1, bond).replace('nic = "eth0"', 'nic = "bond0"')) == ["PVE507"]


@pytest.mark.parametrize(
    ("wrong", "right", "expected"),
    [
        # One slip, one mistake: nothing that rests on it is told too.
        ('name = "pve1"', 'name = "рve1"', ["PVE129"]),
        ('name = "pve1"', 'nmae = "pve1"', ["PVE101"]),
        ('address = "10.0.0.10/24"', 'address = "10.0.0.300/24"', ["PVE210"]),
        ('address = "10.0.0.10/24"', 'adress = "10.0.0.10/24"', ["PVE101"]),
        ('nic = "eth0"', "nic = 0", ["PVE107"]),
        ('gateway = "10.0.0.1"', 'gatway = "10.0.0.1"', ["PVE101"]),
        ("[network]", "[netwrok]", ["PVE101"]),
        ("[cluster]", "[clutser]", ["PVE101"]),
        ("[[node]]", "[[nodes]]", ["PVE101"]),
        ('target = "alt-p11"', 'target = "аlt-p11"', ["PVE129"]),
        ('target = "alt-p11"', "target = 11", ["PVE107"]),
    ],
)
def test_one_slip_is_one_mistake(tmp_path: Path, wrong: str, right: str, expected: list[str]) -> None:
    text = HEAD + node(1) + node(2, 'joins = "pve1"\n') + node(3, 'joins = "pve1"\n')
    assert codes(tmp_path, text) == []
    changed = text.replace(wrong, right) if wrong == "[[node]]" else text.replace(wrong, right, 1)
    assert codes(tmp_path, changed) == expected


def test_joins_of_later_nodes_are_in_order(tmp_path: Path) -> None:
    assert codes(tmp_path, HEAD + node(1) + node(2, 'joins = "pve3"\n') + node(3)) == []


def test_a_bond_of_the_network_carries_every_node(tmp_path: Path) -> None:
    shared = HEAD + 'nic = "bond0"\n[[network.bond]]\nname = "bond0"\nnics = ["eth0", "eth1"]\n'
    text = shared + "".join(node(n).replace('nic = "eth0"\n', "") for n in (1, 2, 3))
    assert codes(tmp_path, text) == []


def test_names_may_mean_another_address_of_the_node(tmp_path: Path) -> None:
    eth1 = '[[node.interface]]\nname = "eth1"\naddress = "10.9.0.{0}/24"\n'
    text = HEAD
    for number in (1, 2, 3):
        kept = node(number, eth1.format(number)).replace(f'"10.0.0.{number}0/24"', '"keep"')
        text += kept.replace('nic = "eth0"', f'nic = "eth0"\nhosts_address = "10.9.0.{number}"')
    assert codes(tmp_path, text) == []
    other = text.replace('hosts_address = "10.9.0.2"', 'hosts_address = "10.9.0.1"')
    assert codes(tmp_path, other) == ["PVE310"]


def test_circles_of_any_shape_end(tmp_path: Path) -> None:
    vlan = '[[node.vlan]]\nparent = "vmbr0"\nid = 10\nmtu = 9000\n'
    vlan += '[[node.vlan]]\nparent = "vmbr0.10"\nid = 11\nname = "a"\n'
    text = HEAD + node(1, vlan).replace('nic = "eth0"', 'nic = "vmbr0.10"')
    assert "PVE327" in codes(tmp_path, text)


def test_a_chain_of_any_length_ends(tmp_path: Path) -> None:
    vlan = '[[node.vlan]]\nname = "v{0}"\nparent = "v{1}"\nid = {0}\n'
    chain = "".join(vlan.format(number, number + 1) for number in range(1, 2000))
    text = HEAD + node(1, chain + '[[node.bridge]]\nname = "vmbr1"\nport = "v1"\nmtu = 9000\n')
    assert set(codes(tmp_path, text)) == {"PVE326"}


def many(pattern: str, count: int) -> str:
    return "".join(pattern.format(i, i // 200, i % 200 + 1) for i in range(1, count))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (node(1) + many('[[node.interface]]\nname = "e{0}"\naddress = "10.{1}.{2}.1/30"\n', 6000), set()),
        (node(1) + many('[[node.bridge]]\nname = "vmbr{0}"\nport = "e{0}.1"\n', 4000), {"PVE323"}),
        (
            many('[[link]]\nnetwork = "11.{1}.{2}.0/24"\n', 10000)
            + many('[[node]]\nname = "n{0}"\naddress = "10.0.{1}.{2}/16"\nnic = "eth0"\n', 500),
            {"PVE408", "PVE504", "PVE902"},
        ),
        (
            node(1)
            + '[[node.bond]]\nname = "bond0"\nnics = ['
            + many('"n{0}",', 3000)
            + "]\n"
            + many('[[node.vlan]]\nparent = "bond0"\nid = {0}\naddress = "10.{1}.{2}.1/30"\n', 3000),
            set(),
        ),
    ],
    ids=["interfaces", "bridges", "links", "vlans"],
)
def test_many_of_anything_are_checked_in_reasonable_time(tmp_path: Path, text: str, expected: set[str]) -> None:
    """Where every one is compared with all others each of these takes several times as long."""
    started = time.process_time()
    assert set(codes(tmp_path, HEAD + text)) == expected
    assert time.process_time() - started < 3


def test_thousand_nodes_are_checked_in_reasonable_time(tmp_path: Path) -> None:
    nodes = "".join(
        f'[[node]]\nname = "n{i}"\naddress = "10.{i // 200}.{i % 200}.9/8"\nnic = "eth0"\n' for i in range(1000)
    )
    text = HEAD.replace("10.0.0.1", "10.255.0.1") + nodes
    assert codes(tmp_path, text) == ["PVE902"]


def test_ranges_of_vlans() -> None:
    assert ranges("10 20-29") == [(10, 10), (20, 29)]


def test_keys_are_whole_or_not() -> None:
    kind, body, _ = Node.KEYS["ssh_user_key"].example.strip('"').split()
    assert whole(kind, body)
    assert not whole("ssh-rsa", body)
    assert not whole(kind, body[:-4])
    assert not whole(kind, "x" + body)


def test_time_zones_are_those_of_the_database() -> None:
    assert {"UTC", "Europe/Moscow", "Asia/Yekaterinburg", "Europe/Kyiv"} <= timezones()
    assert not any(name.startswith(("posix/", "right/")) for name in timezones())


def tables(kind: type[Table] = Description) -> list[type[Table]]:
    found = [kind]
    for key in kind.KEYS.values():
        if isinstance(key.kind, type):
            found += tables(key.kind)
    return found


@pytest.mark.parametrize(
    ("table", "name", "key"),
    [(t.__name__, n, k) for t in tables() for n, k in t.KEYS.items() if not isinstance(k.kind, type)],
)
def test_every_example_and_default_is_a_value_of_its_kind(table: str, name: str, key: Key) -> None:
    import tomllib

    from pvegen.convert import _Converter
    from pvegen.source import Source

    value = tomllib.loads(f"x = {key.example}")["x"]
    converter = _Converter(Source("x", ""))
    converter._present(key, (name,), value)
    assert converter.mistakes == []
    assert key.doc.endswith(".")
    assert key.lands


def test_schema_has_every_key() -> None:
    assert set(schema()["properties"]) == set(Description.KEYS)


def test_circle_through_a_name_that_stands_twice_ends(tmp_path: Path) -> None:
    text = HEAD + node(1).replace('"eth0"', '"x"')
    for parent in ("eth0", "vmbr0"):
        text += f'[[node.vlan]]\nname = "x"\nparent = "{parent}"\nid = 10\n'
    assert codes(tmp_path, text) == ["PVE322"]
