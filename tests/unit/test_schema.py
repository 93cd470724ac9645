"""The JSON Schema: accepts what is right, refuses what has the wrong shape."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from pvegen import kinds, target
from pvegen.schema import schema

ROOT = Path(__file__).parent.parent.parent
MISTAKES = ROOT / "tests" / "mistakes"
SHAPE = (
    "type_",
    "unknown_key",
    "key_in_the_wrong_table",
    "nic_for_nics",
    "required_",
    "double_brackets",
    "table_for_",
    "no_nodes",
    "cluster_table_missing",
    "choice_",
    "integer_",
    "format_",
    "bond_without_nics",
    "list_item_twice",
    "value_cluster_name",
    "value_node_name",
    "value_nic_name",
    "value_bond_name",
    "value_bridge_name",
    "value_vlan_id",
    "value_mtu",
    "character_",
    "target_misspelt",
    "target_unknown",
    "value_address",
    "value_prefix",
    "value_other_ip",
    "value_name_server",
    "value_ntp_server",
    "value_target_name",
)
# For JSON Schema 1500.0 is an integer.
WRONG = sorted(
    path for path in MISTAKES.glob("*.toml") if path.name.startswith(SHAPE) and path.stem != "type_integer_is_no_float"
)
RIGHT = [
    *sorted((ROOT / "examples").glob("*.toml")), *sorted(MISTAKES.glob("warning_*.toml")),
    *sorted((ROOT / "tests" / "fixtures" / "descriptions").glob("*.toml")),
]  # fmt: skip
KINDS = [kind for kind in vars(kinds).values() if isinstance(kind, kinds.Kind) and kind.base == "string"]
TEXTS = [
    "10.0.0.1",
    "10.0.0.1/24",
    "10.0.0.1/024",
    "10.0.0.1/33",
    "10.0.0.256",
    "10.0.0.0/255.255.255.0",
    "fd00::1",
    "fd00::1/64",
    "fd00::1/129",
    "FD00:0:0:0:0:0:0:1",
    "::",
    "::1",
    "1::",
    "::ffff:10.0.0.1",
    "::ffff:10.0.0.1/96",
    "0:0:0:0:0:0:10.0.0.1",
    "10.0.0.0/24",
    "10.0.0.0",
    "fd00::/64",
    "keep",
    "pve1.example.org",
    "x:y",
]


def valid(path: Path) -> bool:
    return bool(Draft202012Validator(schema()).is_valid(tomllib.loads(path.read_text("utf-8"))))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_lets_through_every_text_that_is_read(kind: kinds.Kind) -> None:
    taken = Draft202012Validator(kind.schema)
    for text in TEXTS:
        try:
            kind.parse(text)
        except kinds.Rejected:
            continue
        assert taken.is_valid(text), text


def test_it_knows_the_targets() -> None:
    assert schema()["properties"]["cluster"]["properties"]["target"]["enum"] == target.names()


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_right_descriptions_are_valid(path: Path) -> None:
    assert valid(path)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_descriptions_of_the_wrong_shape_are_not(path: Path) -> None:
    assert not valid(path)
