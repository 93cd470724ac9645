"""The work around a pull request: the hooks and the recipes of docs/review.md, run on a scratch repository."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import desk
import pytest
import yaml
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

HOOKS = desk.ROOT / ".pre-commit-hooks.yaml"
EXAMPLE = (desk.ROOT / "examples" / "mypve.toml").read_text("utf-8")


def blocks() -> list[dict[str, Any]]:
    """The YAML of docs/review.md, in its order: pre-commit, GitHub, GitLab."""
    parts = (desk.ROOT / "docs" / "review.md").read_text("utf-8").split("```yaml\n")[1:]
    return [yaml.safe_load(part.split("```")[0]) for part in parts]


class Repository:
    """A clone of a scratch repository on a branch, with a description and what was built of it."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "clone"
        tools = folder / "tools"
        tools.mkdir()
        for name, line in {"pvegen": f'exec "{sys.executable}" -m pvegen "$@"', "pip": 'echo "$@"'}.items():
            (tools / name).write_text(f"#!/bin/sh\n{line}\n")
            (tools / name).chmod(0o755)
        self.summary = folder / "summary.md"
        self.env = {
            **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(desk.ROOT),
            "PRE_COMMIT_HOME": str(folder / "pre-commit"), "GITHUB_BASE_REF": "main", "PVEGEN": "pvegen",
            "GITHUB_STEP_SUMMARY": str(self.summary), "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
        }  # fmt: skip
        origin = folder / "origin"
        origin.mkdir()
        self.run("git init -q -b main .", origin)
        (origin / "cluster.toml").write_text(EXAMPLE, "utf-8")
        self.run("pvegen build --no-lint && git add . && git commit -q -m first", origin)
        self.run(f"git clone -q {origin} {self.place} && cd {self.place} && git switch -q -c change", folder)

    def run(self, line: str, place: Path | None = None, status: int = 0) -> str:
        """Run a line of shell as a runner does; its output."""
        done = subprocess.run(
            ["sh", "-e", "-c", line], cwd=place or self.place, env=self.env, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == status, (line, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def change(self, old: str, new: str) -> None:
        path = self.place / "cluster.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def lines_of(recipe: str) -> list[str]:
    """The commands of a recipe."""
    _, github, gitlab = blocks()
    steps = github["jobs"]["review"]["steps"]
    return [step["run"] for step in steps if "run" in step] if recipe == "github" else gitlab["cluster"]["script"]


@pytest.mark.parametrize("recipe", ["github", "gitlab"])
def test_a_recipe_tells_what_changes_and_that_dist_is_stale(repository: Repository, recipe: str) -> None:
    repository.change("10.0.0.252/24", "10.0.0.62/24")
    *before, last = lines_of(recipe)
    for line in before:
        repository.run(line)
    told = (repository.summary if recipe == "github" else repository.place / "review.md").read_text("utf-8")
    assert 'node\\[pve2\\].address: "10.0.0.252/24" → "10.0.0.62/24"' in told
    assert last == "pvegen build --check cluster.toml"
    assert "+10.0.0.62/24 broadcast +" in repository.run(last, status=4)
    repository.run("pvegen build --no-lint")
    repository.run(last)


@pytest.mark.parametrize("recipe", ["github", "gitlab"])
def test_a_recipe_stops_at_a_mistake(repository: Repository, recipe: str) -> None:
    repository.change("10.0.0.252/24", "10.0.0.252")
    line = next(line for line in lines_of(recipe) if line.startswith("pvegen check"))
    told = repository.run(line, status=1)
    assert ("::error file=cluster.toml,line=28," if recipe == "github" else "error PVE211") in told


def test_hooks_are_run_by_pre_commit(repository: Repository) -> None:
    """As pre-commit runs them, but with the pvegen that is tried instead of one that it installs."""
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-manifest", str(HOOKS)], check=True)
    hooks = yaml.safe_load(HOOKS.read_text("utf-8"))
    stated = [hook["id"] for hook in blocks()[0]["repos"][0]["hooks"]]
    assert stated == [hook["id"] for hook in hooks]
    local = [{**hook, "language": "system"} for hook in hooks]
    config = {"repos": [{"repo": "local", "hooks": local}]}
    (repository.place / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    call = f'"{sys.executable}" -m pre_commit run --all-files'
    repository.run("git add .")
    assert repository.run(call).count("Passed") == 2
    repository.change("10.0.0.252/24", "10.0.0.62/24")
    repository.run("git add .")
    told = repository.run(call, status=1)
    assert told.count("Passed") == 1 and "+10.0.0.62/24 broadcast +" in told
    repository.change("10.0.0.62/24", "10.0.0.62")
    repository.run("git add .")
    assert "PVE211" in repository.run(call, status=1)


# ------------------------------------------------------------ SARIF


@pytest.mark.parametrize("name", ["no_mistake", "five_mistakes"])
def test_sarif_is_as_its_schema_has_it(name: str) -> None:
    done = desk.pvegen("check", "--format", "sarif", desk.ROOT / "tests" / "mistakes" / f"{name}.toml")
    log = json.loads(done.stdout)
    Sarif.model_validate(log)
    assert len(log["runs"][0]["results"]) == (5 if name == "five_mistakes" else 0)


@pytest.mark.parametrize("field", ["message", "level", "region", "more"])
def test_the_schema_refuses_what_is_wrong(field: str) -> None:
    done = desk.pvegen("check", "--format", "sarif", desk.ROOT / "tests" / "mistakes" / "five_mistakes.toml")
    log = copy.deepcopy(json.loads(done.stdout))
    result = log["runs"][0]["results"][0]
    if field == "region":
        result["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    elif field == "message":
        del result["message"]
    else:
        result[field] = "odd"
    with pytest.raises(ValidationError):
        Sarif.model_validate(log)
