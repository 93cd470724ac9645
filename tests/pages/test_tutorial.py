"""docs/tutorial.md, walked from an empty folder to a cluster that its receipts call complete.

pytest tests/pages/test_tutorial.py --renew     writes what the commands print anew
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from scripts.support import ROOT

from .blocks import events
from .walk import Desk, Host, Walk, compare

PAGE = ROOT / "docs" / "tutorial.md"
URL = "https://git.example.org/pvegen"


def repository(folder: Path) -> None:
    """A git repository of pvegen as it stands in this checkout, committed or not."""
    folder.mkdir()
    for name in ("pvegen", "snippets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "pvegen"]):
        subprocess.run([*git, *words], cwd=folder, check=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty folder; pvegen's address leads to this checkout."""
    repository(tmp_path / "pvegen")
    here = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{tmp_path}/pvegen.insteadOf", "GIT_CONFIG_VALUE_0": URL}
    return Desk(tmp_path, here)


def test_the_tutorial_does_what_it_shows(desk: Desk, nodes: dict[str, Host], renew: bool) -> None:
    page = PAGE.read_text("utf-8")
    now = Walk(desk, nodes.__getitem__).page(page)
    compare(PAGE, now, renew, "pytest tests/pages/test_tutorial.py")


def test_the_tutorial_is_about_the_whole_way() -> None:
    """Every step of the way is in a block that the test above runs."""
    lines = [command.line for event in events(PAGE.read_text("utf-8")) for command in event.commands]
    for call in (
        "pip install", "pvegen check", "pvegen build", "git commit", "pvegen diff --since", "pvegen bundle", "pvegen sign",
        "pvegen verify-bundle", "ssh-keygen -Y verify", "sh pve1.sh apply", "sh pve1.sh admit", "sh pve2.sh apply",
        "sh pve3.sh apply", "sh pve1.sh close", "sh pve3.sh verify", "--receipt", "pvegen receipts",
    ):  # fmt: skip
        assert [line for line in lines if call in line], call
