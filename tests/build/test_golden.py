"""The examples, and dist/: what they compile to, committed for reviewers to read."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import desk
import pytest

from pvegen import __version__, lint
from pvegen.build import build

RENEW = (
    "dist/ is not what the examples compile to now; read what changed, and renew it with:  pvegen build examples/*.toml"
)

# Warnings that are an example's point: the wiki's own two nodes, without a domain.
POINT = {"mypve": ["PVE903", "PVE901"]}


def _cluster(path: Path) -> str:
    return str(tomllib.loads(path.read_text("utf-8"))["cluster"]["name"])


@pytest.mark.parametrize("path", desk.EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_mistakes_but_those_that_are_its_point(path: Path) -> None:
    from pvegen import description

    loaded = description.load(path)
    assert loaded.view is not None
    assert [mistake.code for mistake in loaded.mistakes] == POINT.get(path.stem, [])


@pytest.mark.parametrize("path", desk.EXAMPLES, ids=lambda path: path.stem)
def test_an_example_explains_itself(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# ") and f"pvegen build examples/{path.name}" in text
    assert sum("#" in line for line in text.splitlines()) >= 10


def test_dist_is_what_the_examples_compile_to(capsys: pytest.CaptureFixture[str]) -> None:
    views = [desk.view(path) for path in desk.EXAMPLES]
    status = build(views, desk.DIST, check=True, lint=False, snippets=None)
    assert status == 0, f"{RENEW}\n\n{capsys.readouterr().out[:5000]}"


def test_the_length_of_a_script_is_as_the_docs_say() -> None:
    said = re.search(
        r"about (\d+) lines of its own and a runtime of about (\d+)\s+lines in (\d+) functions",
        (desk.ROOT / "docs" / "node-script.md").read_text("utf-8"),
    )
    own, _, runtime = (desk.DIST / "mypve" / "pve1.sh").read_text("utf-8").partition("\n# The runtime: ")
    found = own.count("\n"), runtime.count("\n"), len(re.findall(r"^\w+\(\) \{$", runtime, re.MULTILINE))
    assert said and all(abs(int(a) - b) <= max(10, b // 50) for a, b in zip(said.groups(), found, strict=True)), found


def test_every_folder_in_dist_has_an_example() -> None:
    assert sorted(path.name for path in desk.DIST.iterdir()) == sorted(map(_cluster, desk.EXAMPLES)), RENEW


@pytest.mark.parametrize("path", desk.EXAMPLES, ids=lambda path: path.stem)
def test_the_sums_and_the_manifest_say_what_is_there(path: Path) -> None:
    folder = desk.DIST / _cluster(path)
    made = [file for file in folder.iterdir() if file.name not in ("SHA256SUMS", "manifest.toml")]
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in made}
    assert (folder / "SHA256SUMS").read_text() == "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    listed = [*manifest["script"], *manifest["runbook"]]
    assert {one["file"]: one["sha256"] for one in listed} == files
    assert (manifest["format"], manifest["pvegen"], manifest["cluster"]) == (1, __version__, folder.name)
    assert sorted(manifest["order"]) == sorted(one["file"] for one in manifest["script"])


def test_a_node_comes_after_the_member_that_it_joins() -> None:
    manifest = tomllib.loads((desk.DIST / "trio" / "manifest.toml").read_text())
    assert manifest["order"] == ["pve1.sh", "pve2.sh", "pve3.sh"]


def test_scripts_are_plain_text() -> None:
    for path in desk.DIST.glob("*/*.sh"):
        content = path.read_bytes()
        assert content.startswith(b"#!/bin/sh\n") and content.endswith(b'\nmain "$@"\n')
        assert b"\r" not in content.replace(b"'\r'", b"").replace(b"eol='\r'", b"") and content.isascii()
        assert b"\n\n\n" not in content, f"{path} has two empty lines in a row"
        assert not [line for line in content.split(b"\n") if line.rstrip() != line], f"{path} has blanks at line ends"


def test_every_shape_of_example_and_fixture_is_clean() -> None:
    """The whole of what is built here, for ShellCheck at its strictest."""
    scripts = [script for path in (*desk.EXAMPLES, *desk.FIXTURES) for script in desk.rendered(desk.view(path))]
    assert [str(finding) for finding in lint.lint(scripts)] == []


def test_every_script_parses(shell: tuple[str, ...], tmp_path: Path) -> None:
    """What ksh93 warns of, only in other shells' spellings than its own, does not count."""
    shapes = {s.shape: s for p in (*desk.EXAMPLES, *desk.FIXTURES) for s in desk.rendered(desk.view(p))}
    for number, script in enumerate(shapes.values()):
        path = tmp_path / f"{number}.sh"
        path.write_text(script.text)
        done = subprocess.run([*shell, "-n", path], capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if ": warning: " not in line]
        assert (done.returncode, said) == (0, []), script.node
