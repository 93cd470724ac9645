"""The exact texts of mistakes that no file in tests/mistakes can show: bytes that git would change, files
that cannot be read, targets that do not exist yet."""

from __future__ import annotations

import errno
import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pvegen import catalogue, report, target
from pvegen.description import load, load_all
from pvegen.target import Target

GOOD = """format = 1
[cluster]
name = "mypve"
target = "alt-p11"
domain = "example.org"
[network]
gateway = "10.0.0.1"
"""
NODE = '[[node]]\nname = "pve{0}"\naddress = "10.0.0.{0}0/24"\nnic = "eth0"\n'
ONE = GOOD + NODE.format(1)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def first(name: str) -> str:
    """The report on the first mistake of a file, without the summary."""
    loaded = load(name)
    return report.render([(loaded.source, loaded.mistakes[:1])]).split("\n\n")[0]


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda path, _: None,
            "x.toml: error PVE001: There is no file x.toml.\n"
            "  help: Check the name and the folder, or write the description first: `pvegen explain PVE011` has one to start from.",
        ),
        (
            lambda path, patch: (path.write_text(ONE), patch.setattr("builtins.open", refuse)),
            "x.toml: error PVE002: x.toml cannot be read: Permission denied.\n"
            "  help: See who may read it (ls -l), or give the description on standard input: pvegen check - < FILE",
        ),
        (
            lambda path, _: path.mkdir(),
            "x.toml: error PVE003: x.toml is a folder.\n"
            "  help: Name the description in it, such as x.toml/cluster.toml.",
        ),
        (
            lambda path, _: os.mkfifo(path),
            "x.toml: error PVE004: x.toml is a named pipe, not a file.\n"
            "  help: Write the description into a file, or give it on standard input: pvegen check - < FILE",
        ),
    ],
    ids=["PVE001", "PVE002", "PVE003", "PVE004"],
)
def test_file_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, pytest.MonkeyPatch], object], expected: str
) -> None:
    from pvegen import catalogue, convert  # noqa: F401 - what is loaded late must be there before open() fails

    catalogue.load()
    make(tmp_path / "x.toml", monkeypatch)
    assert first("x.toml") == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            b"#" * (1024 * 1024 + 1),
            "x.toml: error PVE005: The file is larger than 1048576 bytes.\n"
            "  help: Check that it is a description; one of a thousand nodes has about 100,000 bytes.",
        ),
        (
            'format = 1\nname = "узел"\n'.encode("cp1251"),
            "x.toml:2:9: error PVE006: Byte 9 of this line (0xf3) is no UTF-8, which TOML is written in.\n"
            '  2 | name = "\\xf3\\xe7\\xe5\\xeb"\n'
            "    |         ^^^^\n"
            "  help: Save the file as UTF-8. If it was written in Windows-1251: iconv -f cp1251 -t utf-8 x.toml > new.toml",
        ),
        (
            b"\xef\xbb\xbf" + ONE.encode(),
            "x.toml:1:1: error PVE007: The file begins with a byte order mark (three invisible bytes), which is no TOML.\n"
            "  1 | format = 1\n"
            "    | ^\n"
            "  help: Save it as UTF-8 without BOM, or: sed -i '1s/^\\xEF\\xBB\\xBF//' x.toml",
        ),
        (
            ONE.encode().replace(b"\n", b"\r\n"),
            "x.toml:1:11: error PVE008: Lines end in CR LF, as on Windows.\n"
            "  1 | format = 1\n"
            "    |           ^\n"
            "  help: Give them Unix line ends: sed -i 's/\\r$//' x.toml",
        ),
        (
            b"format = 1\n\0\n",
            "x.toml:2:1: error PVE010: There is a NUL byte here: this is no text file, or it is damaged.\n"
            "  2 | \\x00\n"
            "    | ^^^^\n"
            "  help: Look whether it is the right file (file x.toml) and whether its copy is whole.",
        ),
    ],
    ids=["PVE005", "PVE006", "PVE007", "PVE008", "PVE010"],
)
def test_bytes_that_are_no_description(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "x.toml").write_bytes(data)
    assert first("x.toml") == expected


def test_no_file_named() -> None:
    loaded = load_all([])[0]
    assert report.render([(loaded.source, loaded.mistakes)]).split("\n\n")[0] == (
        "cluster.toml: error PVE011: No file is named, and there is no cluster.toml here.\n"
        "  help: Name one (pvegen check FILE), or write cluster.toml: `pvegen explain PVE011` has one to start from."
    )


def test_two_descriptions_of_one_cluster(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(ONE)
    loaded = load_all(["a.toml", "b.toml"])[1]
    assert report.render([(loaded.source, loaded.mistakes)]).split("\n\n")[0] == (
        'b.toml:3:8: error PVE012: The cluster "mypve" is described by a.toml too, and both would be built into one folder.\n'
        '  3 | name = "mypve"\n'
        "    |        ^^^^^^^\n"
        "  help: Give one of them another name, or build them into two folders (-o DIR)."
    )


LINKED = '[[node.interface]]\nname = "eth1"\naddress = "10.1.0.{0}/24"\n'
BOND = NODE.format(1).replace("eth0", "bond0") + '[[node.bond]]\nname = "bond0"\nnics = ["eth0", "eth1"]\n'


@pytest.mark.parametrize(
    ("section", "facts", "text", "expected"),
    [
        (
            "corosync",
            {"links": 2},
            '[[link]]\nnetwork = "10.1.0.0/24"\nnumber = 2\n' + "".join((NODE + LINKED).format(n) for n in (1, 2, 3)),
            "x.toml:10:10: error PVE504: Link 2 is not possible on alt-p11: its links go from 0 to 1.\n"
            "  10 | number = 2\n"
            "     |          ^\n"
            "  help: Use at most 2 links, numbered 0 to 1.",
        ),
        (
            "network",
            {"bond": False},
            BOND,
            "x.toml:12:1: error PVE507: Bonds are not supported on alt-p11 (bond0).\n"
            "  12 | [[node.bond]]\n"
            "     | ^^^^^^^^^^^^^\n"
            "  help: Use a single NIC.",
        ),
    ],
    ids=["PVE504", "PVE507"],
)
def test_target_that_does_not_exist_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, facts: dict[str, object], text: str, expected: str
) -> None:
    data = target.load("alt-p11").data
    changed = Target("alt-p11", "x", {**data, section: data[section] | facts})
    monkeypatch.setattr(target.Targets, "load", lambda *_: changed)
    (tmp_path / "x.toml").write_text(GOOD + text)
    assert first("x.toml") == expected


def test_the_description_to_start_from_has_no_mistake() -> None:
    text = textwrap.dedent(catalogue.load().entry("PVE011").explain.partition("\n\n")[2])
    Path("cluster.toml").write_text(text, "utf-8")
    loaded = load("cluster.toml")
    assert loaded.view is not None and {mistake.code for mistake in loaded.mistakes} == {"PVE901"}
