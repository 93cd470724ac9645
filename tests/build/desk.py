"""Builds for tests: in this process, or by the command; and descriptions to build."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pvegen import description, target
from pvegen.derive import View
from pvegen.plan import plan
from pvegen.render import Rendered, Renderer

Done = subprocess.CompletedProcess[str]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
FIXTURES = sorted((ROOT / "tests" / "fixtures" / "descriptions").glob("*.toml"))
DIST = ROOT / "dist"

SMALL = """\
format = 1
[cluster]
name = "{name}"
target = "{target}"
domain = "example.org"
[network]
gateway = "10.0.0.254"
nic = "eth0"
"""


def small(name: str = "small", target: str = "alt-p11", nodes: Sequence[str] = ("pve1", "pve2", "pve3")) -> str:
    """A description of a few nodes that are all alike."""
    tables = [f'[[node]]\nname = "{node}"\naddress = "10.0.0.{i}/24"\n' for i, node in enumerate(nodes, 1)]
    return SMALL.format(name=name, target=target) + "".join(tables)


def absent(what: str) -> NoReturn:
    """Skip for want of something; where CI is "true" that is a failure instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"this test must run here: {what}", pytrace=False)
    pytest.skip(what)


def view(path: Path) -> View:
    """A description that has no mistake, with all that is derived."""
    loaded = description.load(path)
    assert loaded.view is not None, [mistake.code for mistake in loaded.mistakes]
    return loaded.view


def view_of(text: str, folder: Path) -> View:
    """The same, from its text."""
    path = folder / "description.toml"
    path.write_text(text, "utf-8")
    return view(path)


def rendered(one: View, site: Path | None = None) -> list[Rendered]:
    """All scripts of a description."""
    renderer = Renderer(site)
    return [renderer.script(script) for script in plan(one, target.load(one.description.cluster.target))]


def pvegen(*arguments: object, env: Mapping[str, str] | None = None, **options: Any) -> Done:
    """Run the command; never raises for its exit status."""
    return _run([sys.executable, "-m", "pvegen", *map(str, arguments)], env, options)


def python(code: str, *arguments: object, env: Mapping[str, str] | None = None, **options: Any) -> Done:
    """Run Python code in a process of its own."""
    return _run([sys.executable, "-c", code, *map(str, arguments)], env, options)


def _run(words: list[str], env: Mapping[str, str] | None, options: Mapping[str, Any]) -> Done:
    full = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(words, capture_output=True, text=True, check=False, env=full, timeout=300, **options)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
