"""docs/tutorial.md, walked from an empty folder to a cluster that its receipts call complete.

pytest tests/pages/test_tutorial.py --renew     writes what the commands print anew
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sandbox import Sandbox
from sandbox.requirements import require_sandbox
from scripts.nodes import ANSWERS, Nodes
from scripts.support import ROOT

from .blocks import events
from .walk import Desk, Host, Walk, compare

PAGE = ROOT / "docs" / "tutorial.md"
URL = "https://git.example.org/pvegen"


class Console:
    """A node's console: each command has a terminal, at which a person answers ssh's questions."""

    state = "/run/console.state"

    def __init__(self, box: Sandbox) -> None:
        self._box = box

    def run(self, script: str) -> tuple[int, str]:
        done = self._box.run(script, answers=ANSWERS, timeout=300, cwd="/root")
        shown = done.stdout
        for asked, answer in {"(yes/no/[fingerprint])? ": "yes\n", "password: ": ""}.items():
            shown = shown.replace(asked, f"{asked}{answer}")
        return done.status, shown

    def put(self, name: str, content: bytes) -> None:
        self._box.put(name, content)

    def get(self, path: str) -> bytes:
        return self._box.read(path).encode()


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


@pytest.fixture
def nodes(desk: Desk) -> Iterator[dict[str, Host]]:
    """Three nodes of the page's description, made when the first is asked for; without a sandbox the test ends there."""
    with ExitStack() as stack:

        class WhenAsked(dict[str, Host]):
            def __missing__(self, name: str) -> Host:
                require_sandbox()
                made = stack.enter_context(Nodes((desk.folder / "cluster.toml").read_text("utf-8"), key=False))
                for node, box in made.node.items():
                    box.remove(f"/root/{node}.sh")
                    self[node] = Console(box)
                return self[name]

        yield WhenAsked()


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
