"""What `pvegen show` prints is a description again, and builds the same scripts."""

from __future__ import annotations

import tomllib
from pathlib import Path

import desk
import pytest

from pvegen import annotated, description
from pvegen.derive import View
from pvegen.mistakes import Mistake
from pvegen.shown import shown

ALL = [*desk.EXAMPLES, *desk.FIXTURES]


def _text(view: View) -> str:
    made = shown(view)
    return annotated.dumps(made.data, made.notes)


def _codes(mistakes: list[Mistake]) -> set[str]:
    return {mistake.code for mistake in mistakes}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_it_builds_the_same_scripts(path: Path, tmp_path: Path) -> None:
    view = desk.view(path)
    assert desk.rendered(desk.view_of(_text(view), tmp_path)) == desk.rendered(view)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_it_has_the_mistakes_of_the_original_and_no_others(path: Path, tmp_path: Path) -> None:
    loaded = description.load(path)
    assert loaded.view is not None
    copy = tmp_path / "copy.toml"
    copy.write_text(_text(loaded.view), "utf-8")
    assert _codes(description.load(copy).mistakes) == _codes(loaded.mistakes)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_what_is_shown_of_it_is_the_same(path: Path, tmp_path: Path) -> None:
    text = _text(desk.view(path))
    assert _text(desk.view_of(text, tmp_path)) == text


def test_what_is_derived_stands_in_keys() -> None:
    second = tomllib.loads(_text(desk.view(desk.ROOT / "examples" / "trio.toml")))["node"][1]
    wanted = {"joins": "pve1", "bridge_name": "vmbr0", "gateway": "10.20.0.1", "hosts_address": "10.20.0.12"}
    assert {key: second[key] for key in wanted} == wanted
    assert second["bond"][0]["miimon"] == 100
    assert [nic["name"] for nic in second["interface"]] == ["eno3", "eno1", "eno2"]


def test_mtu_and_link_numbers_are_filled_in() -> None:
    fixtures = desk.ROOT / "tests" / "fixtures" / "descriptions"
    jumbo = shown(desk.view(fixtures / "mtu.toml")).data["node"][0]
    assert {nic["name"]: nic["mtu"] for nic in jumbo["interface"]} == {"eno1": 9000, "eno2": 9000, "eno3": 9000}
    assert jumbo["vlan"][0]["name"] == "vmbr0.7"
    links = shown(desk.view(fixtures / "links.toml")).data["link"]
    assert [link["number"] for link in links] == [0, 1, 5]


def test_what_has_no_key_stands_in_comments() -> None:
    lines = _text(desk.view(desk.ROOT / "examples" / "mypve.toml")).split("\n")
    for line in (
        "# alt-p8: ALT p8, Proxmox VE 4.4, corosync 2, etcnet",
        "# Order of running: pve1.sh, pve2.sh",
        "#     10.0.0.252 pve2.localdomain pve2",
        "# pve2.sh: joins through pve1.",
        "# Cluster link 0: 10.0.0.252",
        "# eth0 carries vmbr0.",
    ):
        assert line in lines
