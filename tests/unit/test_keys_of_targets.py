"""Each key of the description on each target: honoured, or a clear error at its line.

Every key of the model stands in one of two places here: in EVERYWHERE, which every target builds, or in ASKED,
which names what a target has to have for it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pvegen import target
from pvegen.description import load
from pvegen.model import Description, Table
from pvegen.target import Target

NAMES = target.names()
MODES = ["active-backup", "802.3ad", "balance-rr", "balance-xor", "broadcast", "balance-tlb", "balance-alb"]

EVERYWHERE = Path(__file__).with_name("every_key.toml").read_text("utf-8")


class Asked(NamedTuple):
    """A key that a target may not honour.

    lines: what is put behind a line of EVERYWHERE, the key's own marked with HERE; code: the mistake of a target without;
    has: whether a target honours it.
    """

    behind: str
    lines: str
    code: str
    has: Callable[[Target], bool]


HERE = "# here"


def aware(system: Target) -> bool:
    return bool(system.network["vlan_aware"])


ASKED = {
    "cluster.token_coefficient": [
        Asked("[cluster]", f"token_coefficient = 200 {HERE}", "PVE509", lambda one: bool(one.corosync["token_coefficient_from"]))
    ],
    "cluster.join": [Asked("[cluster]", f'join = "api" {HERE}', "PVE510", lambda one: bool(one.pvecm["api"]))],
    "link.number": [
        Asked("number = 0", f'[[link]]\nnetwork = "fd00:1::/64"\nnumber = {n} {HERE}', "PVE503", lambda one, n=n: one.corosync["links"] > n)  # type: ignore[misc]
        for n in (1, 7)
    ],
    "link.priority": [Asked("number = 0", f"priority = 20 {HERE}", "PVE505", lambda one: bool(one.pvecm["priority"]))],
    "network.vlan_aware": [Asked("[network]", f"vlan_aware = true {HERE}", "PVE506", aware)],
    "network.vlans": [Asked("[network]", f'vlan_aware = true {HERE}\nvlans = "10 20-29"', "PVE506", aware)],
    "node.vlan_aware": [Asked('address = "10.0.0.2/24"', f"vlan_aware = true {HERE}", "PVE506", aware)],
    "node.vlans": [Asked('address = "10.0.0.2/24"', f'vlan_aware = true {HERE}\nvlans = "10 20-29"', "PVE506", aware)],
    "bridge.vlan_aware": [Asked('port = "eth4"', f"vlan_aware = true {HERE}", "PVE506", aware)],
    "bridge.vlans": [Asked('port = "eth4"', f'vlan_aware = true {HERE}\nvlans = "10 20-29"', "PVE506", aware)],
}  # fmt: skip


def everywhere(name: str) -> str:
    return EVERYWHERE.replace('target = "alt-p11"', f'target = "{name}"')


def errors(folder: Path, text: str) -> list[tuple[str, str]]:
    """Code and line of each error of a description."""
    path = folder / "x.toml"
    path.write_text(text, encoding="utf-8")
    lines = text.splitlines()
    return [
        (mistake.code, lines[mistake.source.place_of(mistake.path, mistake.part).line - 1])
        for mistake in load(path).mistakes
        if not mistake.is_warning
    ]


def model_keys(table: type[Table]) -> Iterator[str]:
    """Every key that holds a value, with its table's name; tables within are gone through."""
    for name, key in table.KEYS.items():
        if isinstance(key.kind, type) and issubclass(key.kind, Table):
            yield from model_keys(key.kind)
        else:
            yield f"{table.__name__.lower()}.{name}"


def stated_keys(table: type[Table], data: dict[str, Any]) -> Iterator[str]:
    """The same of what a description states."""
    for name, value in data.items():
        kind = table.KEYS[name].kind
        if isinstance(kind, type) and issubclass(kind, Table):
            for item in value if isinstance(value, list) else [value]:
                yield from stated_keys(kind, item)
        else:
            yield f"{table.__name__.lower()}.{name}"


def test_every_key_is_decided_upon() -> None:
    """A new key is either honoured by every target or refused on those that have it not."""
    assert set(stated_keys(Description, tomllib.loads(everywhere("alt-p8")))) | ASKED.keys() == set(
        model_keys(Description)
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_target_honours_what_is_stated_everywhere(name: str, tmp_path: Path) -> None:
    assert errors(tmp_path, everywhere(name)) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NAMES)
def test_every_target_has_every_mode_of_bonds(name: str, mode: str, tmp_path: Path) -> None:
    text = everywhere(name).replace('mode = "802.3ad"', f'mode = "{mode}"').replace('hash_policy = "layer3+4"\n', "")
    assert errors(tmp_path, text) == []


@pytest.mark.parametrize("key", ASKED)
@pytest.mark.parametrize("name", NAMES)
def test_a_key_is_honoured_or_refused_at_its_line(name: str, key: str, tmp_path: Path) -> None:
    for behind, lines, code, has in ASKED[key]:
        text = everywhere(name).replace(behind, f"{behind}\n{lines}")
        wanted = [] if has(target.load(name)) else [(code, line) for line in text.splitlines() if line.endswith(HERE)]
        assert [found for found in errors(tmp_path, text) if found[0] == code] == wanted, lines


def test_what_is_asked_is_had_by_some_target_and_not_by_another() -> None:
    """Else it would say nothing of either."""
    for key, cases in ASKED.items():
        for asked in cases:
            assert {asked.has(target.load(name)) for name in NAMES} == {True, False}, key
