"""docs/targets.md: its commands print what it says, its table has every target, and its tests exist.

pytest tests/build/test_targets_page.py --renew     writes what the commands print anew
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import desk
import pytest

from pvegen import target
from pvegen.facts import facts

PAGE = desk.ROOT / "docs" / "targets.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"-i?|[GSR]L?i?")


@pytest.fixture
def desk_folder(tmp_path: Path) -> Path:
    """Where the page's commands run: a checkout's targets, a description, and `pvegen`."""
    shutil.copytree(desk.ROOT / "pvegen" / "targets", tmp_path / "pvegen" / "targets")
    (tmp_path / "small.toml").write_text(desk.small(), "utf-8")
    (tmp_path / "bin").mkdir()
    command = (
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(desk.ROOT))} exec {shlex.quote(sys.executable)} -P -m pvegen "$@"\n'
    )
    (tmp_path / "bin" / "pvegen").write_text(command, "utf-8")
    (tmp_path / "bin" / "pvegen").chmod(0o755)
    return tmp_path


def printed(block: str, folder: Path) -> str:
    """A block's commands, each with what it prints now."""
    said = ""
    for line in block.splitlines():
        if line.startswith("$ "):
            environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
            done = subprocess.run(
                ["sh", "-c", line[2:]],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), line
            said += f"{line}\n{done.stdout}"
    return said


def test_the_commands_print_what_the_page_says(desk_folder: Path, renew: bool) -> None:
    page = PAGE.read_text("utf-8")
    now = BLOCK.sub(lambda block: f"```console\n{printed(block[1], desk_folder)}```", page)
    if renew:
        PAGE.write_text(now, "utf-8")
    assert page.count("```console") > 5
    assert now == PAGE.read_text("utf-8"), "renew it: pytest tests/build/test_targets_page.py --renew"


# ------------------------------------------------- what is verified by what


def rows() -> list[list[str]]:
    """The table's rows: the claim, a cell for each target, the tests."""
    table = PAGE.read_text("utf-8").partition("## What is verified by what")[2]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]


def test_the_table_has_every_target() -> None:
    head, _, *body = rows()
    assert head == ["Claim", *(f"`{name}`" for name in target.names()), "Where"]
    for claim, *cells, _ in body:
        assert len(cells) == len(target.names()), claim
        assert all(CELL.fullmatch(cell) for cell in cells), claim


def test_the_tables_tests_exist() -> None:
    named = {path for *_, where in rows()[2:] for path in re.findall(r"`([^`]+)`", where)}
    assert [path for path in sorted(named) if not (desk.ROOT / path).exists()] == []
    assert all(re.findall(r"`([^`]+)`", row[-1]) for row in rows()[2:])


def test_the_table_marks_what_is_inferred() -> None:
    """A claim that names facts is marked where one of them is a guess, and each guess is named by a claim."""
    inferred = {
        name: {fact.name for fact in facts(target.shipped().text(name), target.load(name).data) if fact.confidence == "inferred"}
        for name in target.names()
    }  # fmt: skip
    claimed = dict.fromkeys(target.names(), frozenset[str]())
    for claim, *cells, _ in rows()[2:]:
        known = set(re.findall(r"`([a-z]+\.[a-z_]+)`", claim))
        for name, cell in zip(target.names(), cells, strict=True):
            assert cell.endswith("i") == bool(known & inferred[name]), (claim, name)
            claimed[name] |= known
    assert {name: inferred[name] - claimed[name] for name in inferred if inferred[name] - claimed[name]} == {}
