"""Targets as facts: that each has its source, what `pvegen targets` says of them, and a site's own."""

from __future__ import annotations

import json
import os
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from pvegen import errors, shape, target
from pvegen.commands.targets import abilities, changed, differences
from pvegen.facts import CONFIDENCES, Fact, facts, shown
from pvegen.main import run
from pvegen.snippets import snippets_folder
from pvegen.target import Targets

NAMES = target.names()
EXAMPLE = os.fspath(Path(__file__).parent.parent.parent / "examples" / "depot.toml")


def call(*arguments: str) -> int:
    return errors.guarded(run, arguments)


def facts_of(name: str) -> list[Fact]:
    return facts(target.shipped().text(name), target.load(name).data)


def parsed(line: str) -> Fact:
    text = f"[a]\n{line}\n"
    return facts(text, tomllib.loads(text))[0]


# ------------------------------------------------------------------ facts


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_of_every_target_has_a_source(name: str) -> None:
    assert [f"{fact.line}: {fact.name}" for fact in facts_of(name) if not fact.marks] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_target_has_the_facts_that_there_are(name: str) -> None:
    text = target.shipped().text(name)
    assert list(shape.faults(text, tomllib.loads(text))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_mark_that_is_misspelt_does_not_make_a_fact_surer_than_it_is(name: str) -> None:
    for line in target.shipped().text(name).splitlines():
        comment = line.partition("   #")[2]
        for inner in re.findall(r"\[([^]]*)\]", comment):
            assert inner in shape.SHAPE or inner.split(":")[0] in CONFIDENCES, line
            assert all(
                part.split(":")[0].strip() in CONFIDENCES for part in inner.split(";") if inner not in shape.SHAPE
            ), line


@pytest.mark.parametrize(
    ("line", "confidence", "source", "remark"),
    [
        ('k = 3   # knet [read: ALT specs]', "read", "read: ALT specs", "knet"),
        ('k = 3   # [tried]', "tried", "tried", ""),
        ('k = 3   # a [read: x, y; doc: z: 1]', "doc", "read: x, y; doc: z: 1", "a"),
        ('k = 3   # a [tried]; b [inferred]', "inferred", "tried; inferred", "a; b"),
        ('k = 3   # [inferred: a guess]; c', "inferred", "inferred: a guess", "c"),
        ('k = 3   # [x] no mark at all', "", "", "[x] no mark at all"),
        ('k = 3   # [readable]', "", "", "[readable]"),
        ('k = 3', "", "", ""),
        ('k = "# [tried]"', "", "", ""),
        ("k = '# [tried]'   # [doc]", "doc", "doc", ""),
        ('k = "a\\" # [tried]"   # [doc]', "doc", "doc", ""),
        ('k = [   # one [read: a]\n  "]", # two [doc: b]\n]   # three', "doc", "read: a; doc: b", "one two three"),
        ('k = 1\n# [tried]', "", "", ""),
    ],
)  # fmt: skip
def test_marks(line: str, confidence: str, source: str, remark: str) -> None:
    fact = parsed(line)
    assert (fact.confidence, fact.source, fact.remark) == (confidence, source, remark)
    assert (fact.name, fact.line) == ("a.k", 2)


def test_the_worst_mark_counts() -> None:
    for worse, better in pairwise(CONFIDENCES):
        assert parsed(f"k = 1 # [{better}: x] [{worse}]").confidence == worse
        assert parsed(f"k = 1 # [{worse}; {better}: x]").confidence == worse


def test_a_fact_in_another_spelling_of_toml_has_no_source() -> None:
    text = 'a.k = 1 # [tried]\n[b]\n"k" = 1 # [tried]\nc.d = 1 # [tried]\n'
    assert [fact.marks for fact in facts(text, tomllib.loads(text))] == [(), (), ()]


@pytest.mark.parametrize("name", NAMES)
def test_values_are_shown_as_toml(name: str) -> None:
    for fact in facts_of(name):
        assert tomllib.loads(f"k = {shown(fact.value)}") == {"k": fact.value}


def test_the_time_services_that_a_target_can_have_are_those_with_a_snippet() -> None:
    assert {path.stem for path in Path(snippets_folder(), "files").iterdir()} == shape.TIME_SERVICES


# --------------------------------------------------------------- the command


def test_the_table_says_what_each_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("targets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == NAMES
    assert call("targets", "--format", "json") == 0
    rows = {row.pop("name"): row for row in json.loads(capsys.readouterr().out)}
    assert rows == abilities(target.shipped())
    assert rows["alt-p8"] == {
        "pve": ["4"], "corosync": 2, "network": "etcnet", "links": [1], "bonds": True, "vlan_aware": False,
        "vlan_aware_needs": "",
        "joins": ["ssh"], "system": "ALT p8",
    }  # fmt: skip
    old, new = (next(line for line in lines if line.startswith(name + " ")) for name in ("alt-p8", "alt-p11"))
    assert next(line for line in lines if line.startswith("pve-6 ")).split()[6:9] == ["8", "yes", "with"]
    assert old.split()[1:] == ["4", "2", "etcnet", "1", "yes", "no", "ssh", "ALT", "p8"]
    assert new.split()[1:] == ["8,", "9", "3", "ifupdown2", "8", "yes", "yes", "ssh,", "API", "ALT", "p11"]


@pytest.mark.parametrize("name", NAMES)
def test_the_facts_of_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("targets", name) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{name}: {target.load(name).title}\n\n[pve]\n")
    guesses = [fact.name for fact in facts_of(name) if fact.confidence == "inferred"]
    marked = [line.split()[1] for line in out.splitlines() if line.startswith("! ")]
    assert marked == [guess.split(".")[1] for guess in guesses]
    assert out.count("INFERRED") == len(guesses) and ", ".join(guesses) in out
    for fact in facts_of(name):
        assert f" {fact.key} = {shown(fact.value)}\n" in out and fact.remark in out
        assert all(mark.source in out for mark in fact.marks)


def test_the_facts_of_one_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("targets", "alt-p11", "--format", "json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["name"], data["title"]) == ("alt-p11", target.load("alt-p11").title)
    assert {"section": "corosync", "key": "stub", "value": False, "confidence": "read", "remark": "no file since 2020",
            "sources": [{"confidence": "read", "source": "corosync.spec"}]} in data["facts"]  # fmt: skip
    assert len(data["facts"]) == sum(map(len, shape.SHAPE.values()))


def test_the_difference_of_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("targets", "diff", "alt-p8", "alt-p11") == 0
    out = capsys.readouterr().out
    first, second, count, blank, *rest = out.splitlines()
    assert first == f"alt-p8   {target.load('alt-p8').title}" and second == f"alt-p11  {target.load('alt-p11').title}"
    heads = [line.split(":")[0] for line in rest if line and not line.startswith(" ")]
    assert count.startswith(f"{len(heads)} of {len(facts_of('alt-p8'))} facts differ") and blank == ""
    assert heads == [x.name for x, y in differences(facts_of("alt-p8"), facts_of("alt-p11"))]
    assert (
        'network.manager: "etcnet" → "ifupdown2"\n      alt-p8   PVE up to 8.2.3 on ALT [read: changelog of pve-common]\n'
        in out
    )
    assert "ssh.config" not in heads and "pve.corosync" in heads
    assert call("targets", "diff", "alt-p8", "alt-p11", "--format", "json") == 0
    assert [pair["name"] for pair in json.loads(capsys.readouterr().out)] == heads


def test_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("targets", "diff", "alt-p8", "alt-p8") == 0
    assert capsys.readouterr().out == "alt-p8 and alt-p8 have the same facts.\n"
    assert call("targets", "diff", "alt-p8", "alt-p8", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (1, 8, "1 → 8"),
        (["a", "b"], ["b", "c"], '-"a" +"c"'),
        (["a"], ["c"], '["a"] → ["c"]'),
        ([], ["c"], '[] → ["c"]'),
        (["a", "b"], ["b", "a"], '["a", "b"] → ["b", "a"]'),
        (["a", "b"], ["b", "a", "c"], '["a", "b"] → ["b", "a", "c"]'),
        ({"a": "b"}, {}, '{ a = "b" } → {}'),
        ({"a": "x", "b": "x"}, {"c": "x", "a": "x"}, '-b = "x" +c = "x"'),
        ({"a": "x"}, {"a": "y"}, '{ a = "x" } → { a = "y" }'),
        ({"a": "x", "b": "x"}, {"b": "y", "a": "x"}, '-b = "x" +b = "y"'),
    ],
)
def test_how_a_value_became_another(old: object, new: object, text: str) -> None:
    assert changed(old, new) == text


@pytest.mark.parametrize("words", [["diff"], ["diff", "alt-p8"], ["alt-p8", "alt-p9"], ["diff", "a", "b", "c"]])
def test_a_wrong_call(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("targets", *words) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err


@pytest.mark.parametrize("words", [["alt-p12"], ["diff", "alt-p12", "alt-p11"], ["diff", "alt-p11", "alt-p12"]])
def test_an_unknown_target(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("targets", *words) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "there is no target alt-p12. Did you mean alt-p1" in captured.err


# ------------------------------------------------------------- a site's own


def site(folder: Path, name: str = "alt-p12", of: str = "alt-p11", changes: dict[str, str] | None = None) -> str:
    """A folder with one target, which is one of ours with other lines in place of those that begin so."""
    folder.mkdir(exist_ok=True)
    lines = target.shipped().text(of).splitlines()
    for start, line in (changes or {}).items():
        lines[_number(lines, start) - 1] = line
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return os.fspath(folder)


def _number(lines: list[str], start: str) -> int:
    """The line that a key or a header is in, counted from 1."""
    return next(i for i, found in enumerate(lines, 1) if found.startswith(start if start[0] == "[" else f"{start} ="))


def refused(folder: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said of a folder that cannot be used, without the frame of it."""
    assert call("check", EXAMPLE, "--targets", folder) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    head, *faults, foot = captured.err.splitlines()
    assert head == f"pvegen: your own targets in {folder} cannot be used:" and "docs/targets.md" in foot
    return [fault.strip() for fault in faults]


def test_a_sites_own_target_is_one_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = site(tmp_path / "own")
    (tmp_path / "own" / "README.md").write_text("notes")
    assert call("targets", "--targets", own) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert listed == [more for name in NAMES for more in ([name, "alt-p12"] if name == "alt-p11" else [name])]
    assert call("schema", "--targets", own) == 0
    assert '"alt-p12"' in capsys.readouterr().out
    assert call("targets", "alt-p12", "--targets", own) == 0
    assert call("targets", "diff", "alt-p11", "alt-p12", "--targets", own) == 0
    assert "alt-p11 and alt-p12 have the same facts." in capsys.readouterr().out


def test_a_sites_own_target_stands_before_ours(tmp_path: Path) -> None:
    own = site(tmp_path, "alt-p11", changes={"title": 'title = "mine"'})
    assert Targets(own).load("alt-p11").title == "mine"
    assert Targets(own).names() == NAMES


def test_a_target_that_was_changed_is_seen(tmp_path: Path) -> None:
    own = site(tmp_path)
    assert Targets(own).load("alt-p12").corosync["links"] == 8
    site(tmp_path, changes={"links": "links = 4   # [tried]"})
    assert Targets(own).load("alt-p12").corosync["links"] == 4


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"links": ""}, ": [corosync] links is missing"),
        ({"[corosync]": ""}, ": [corosync] is missing"),
        ({"links": "links = 8   # link0 to link7"}, ":{links}: [corosync] links has no source: end its line with"),
        ({"links": 'links = "8"   # [tried]'}, ':{links}: [corosync] links = "8": must be a whole number'),
        ({"links": "links = true   # [tried]"}, ":{links}: [corosync] links = true: must be a whole number"),
        ({"links": "links = 8   # [tried]\nlinsk = 1"}, ":{linsk}: [corosync] linsk: pvegen makes no use of it. Did you mean links?"),
        ({"manager": 'manager = "netplan"   # [tried]'}, ':{manager}: [network] manager = "netplan": must be one of "etcnet", "ifupdown2"'),
        ({"manager": 'manager = "etcnet"   # [tried]'}, ":{vlan_aware}: [network] vlan_aware = true: etcnet has no list of the VLANs"),
        ({"bond": "bond = 1   # [tried]"}, ":{bond}: [network] bond = 1: must be true or false"),
        ({"released": 'released = "2025"   # [tried]'}, ':{released}: [pve] released = "2025": must be a date'),
        ({"series": "series = [8, 9]   # [tried]"}, ":{series}: [pve] series = [8, 9]: must be a list of words"),
        ({"series": 'series = ["8 9"]   # [tried]'}, ':{series}: [pve] series = ["8 9"]: must be a list of words'),
        ({"config": 'config = "/etc/chrony.conf"   # [tried]'}, ':{config}: [time] config = "/etc/chrony.conf": must be a table of one or more time services'),
        ({"config": 'config = { ntp = "/etc/ntp.conf", sntp = "/etc/sntp.conf" }   # [tried]'}, ":{config}: [time] config = { ntp = "),
        ({"config": "config = {}   # [tried]"}, ":{config}: [time] config = {}: must be a table of one or more time services"),
        ({"config": 'config = { openntpd = "/etc/ntpd.conf" }   # [tried]'}, ":{config}: [time] config has a file for openntpd, which is not in"),
        ({"unit": 'unit = "a\\u0007"   # [tried]'}, ':{unit}: [ssh] unit = "a\\u0007": must be one line of text'),
        ({"link": 'link = "--link"   # [tried]'}, ':{link}: [pvecm] link = "--link": must be an option with {} for the number'),
        ({"title": ""}, ": title is missing"),
        ({"title": 'title = "x"\nversion = 2'}, ": version: pvegen makes no use of it."),
        ({"[pve]": "[pev]\na = 1\n[pve]"}, ": [pev]: pvegen makes no use of it. Did you mean pve?"),
        ({"links": "links ="}, ": is no TOML: Invalid value (at line {links}"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_is_wrong_with_a_target_is_told_with_file_line_and_key(
    changes: dict[str, str], fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = site(tmp_path, changes=changes)
    lines = (tmp_path / "alt-p12.toml").read_text("utf-8").splitlines()
    for key in re.findall(r"\{(\w+)\}", fault):
        fault = fault.replace(f"{{{key}}}", str(_number(lines, key)))
    said = refused(own, capsys)
    assert any(line.startswith(f"alt-p12.toml{fault}") for line in said), said
    assert len(said) <= 2 or "[corosync]" in changes


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site(tmp_path, "Alt P12")
    site(tmp_path, "pve-10", changes={"links": "", "bond": "bond = 1   # [tried]"})
    (tmp_path / "pve-11.toml").write_bytes(b"title = '\xff'")
    (tmp_path / "pve-12.toml").mkdir()
    assert refused(os.fspath(tmp_path), capsys) == [
        "Alt P12.toml: is no name of a target: small letters, digits and hyphens, at most 40",
        "pve-10.toml: [corosync] links is missing",
        f"pve-10.toml:{next(f.line for f in facts_of('alt-p11') if f.key == 'bond')}: [network] bond = 1: must be true or false",
        "pve-11.toml: cannot be read: 'utf-8' codec can't decode byte 0xff in position 9: invalid start byte",
        "pve-12.toml: cannot be read: Is a directory",
    ]


@pytest.mark.parametrize(
    "command", [["check", EXAMPLE], ["build", EXAMPLE], ["show", EXAMPLE], ["schema"], ["targets"]]
)
def test_every_command_refuses_a_folder_that_is_of_no_use(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*command, "--targets", "none\x1b") == 1
    assert capsys.readouterr().err == "pvegen: there is no folder of targets none\\x1b: No such file or directory\n"
    (tmp_path / "empty").mkdir()
    assert call(*command, "--targets", "empty") == 1
    assert "no target is in empty: " in capsys.readouterr().err
    site(tmp_path / "own", changes={"links": ""})
    assert call(*command, "--targets", "own") == 1
    assert "links is missing" in capsys.readouterr().err
    assert not (tmp_path / "dist").exists()
