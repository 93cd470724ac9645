"""What pages are run on: a desk with `pvegen`, and the nodes of the description that the page has there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sandbox.requirements import require_sandbox
from scripts.nodes import Nodes
from scripts.support import ROOT

from .blocks import events
from .walk import Console, Desk, Host


def tutorials_cluster() -> str:
    """The description that docs/tutorial.md ends with: its first, without the slip in it."""
    file = next(event for event in events((ROOT / "docs" / "tutorial.md").read_text("utf-8")) if event.words)
    before, slip, after = file.text.rpartition("10.0.0.252")
    assert slip
    return f"{before}10.0.0.253{after}"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A checkout's targets and examples, the tutorial's description, a key of ssh's, and `pvegen`."""
    tools = tmp_path / "bin"
    tools.mkdir()
    command = f'PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -P -m pvegen "$@"'
    (tools / "pvegen").write_text(f"#!/bin/sh\n{command}\n", "utf-8")
    (tools / "pvegen").chmod(0o755)
    made = Desk(tmp_path)
    made.env["PATH"] = f"{tools}:{made.env['PATH']}"
    shutil.copytree(ROOT / "pvegen" / "targets", made.folder / "pvegen" / "targets")
    shutil.copytree(ROOT / "examples", made.folder / "examples")
    made.put("cluster.toml", tutorials_cluster().encode())
    key = str(made.home / ".ssh" / "id_ed25519")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "alice", "-f", key], check=True)
    return made


@pytest.fixture
def nodes(desk: Desk) -> Iterator[dict[str, Host]]:
    """The nodes of the desk's cluster.toml, made when the first is asked for; without a sandbox the test ends there."""
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
