"""The wheel alone, away from the repository: it builds what the repository builds."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import desk
import pytest

import pvegen

NETWORK = ("Connection", "connection", "No matching distribution", "Temporary failure", "timed out", "Max retries")


def _run(*words: object, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    full = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
    return subprocess.run(
        [*map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**full, **(env or {})},
        timeout=300,
    )


def _built(source: Path, kind: str, out: Path) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        desk.absent("hatchling, which builds the wheel, is not installed")
    done = _run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out, cwd=source)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.iterdir())


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the repository holds of the package."""
    place = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(desk.ROOT / name, place)
    for name in ("pvegen", "snippets"):
        shutil.copytree(desk.ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    return place


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _built(source, "wheel", tmp_path_factory.mktemp("wheel"))


def _content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_everything_travels_in_the_wheel(wheel: Path) -> None:
    content = _content(wheel)
    ours = {f"pvegen/snippets/{name}": data for name, data in desk.tree(desk.ROOT / "snippets").items()}
    ours |= {
        f"pvegen/{name}": data for name, data in desk.tree(desk.ROOT / "pvegen").items() if "__pycache__" not in name
    }
    assert {name: data for name, data in content.items() if ".dist-info/" not in name} == ours
    assert wheel.name == f"pvegen-{pvegen.__version__}-py3-none-any.whl"


def test_the_source_archive_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    archive = _built(source, "sdist", tmp_path / "sdist")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path)
    again = _built(tmp_path / archive.name.removesuffix(".tar.gz"), "wheel", tmp_path / "wheel")
    assert _content(again) == _content(wheel)


def test_the_wheel_alone_builds_what_the_repository_builds(wheel: Path, tmp_path: Path) -> None:
    made = _run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    assert made.returncode == 0, made.stdout + made.stderr
    python = tmp_path / "venv" / "bin" / "python"
    done = _run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=tmp_path)
    if done.returncode and any(sign in done.stderr for sign in NETWORK):
        desk.absent("no package index to install from")
    assert done.returncode == 0, done.stderr
    for path in desk.EXAMPLES:
        shutil.copy(path, tmp_path)
    pvegen = tmp_path / "venv" / "bin" / "pvegen"
    env = {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "PATH": "/nonexistent"}
    built = _run(pvegen, "build", *(path.name for path in desk.EXAMPLES), cwd=tmp_path, env=env)
    assert built.returncode == 0, built.stderr
    assert desk.pvegen("build", "--no-lint", *desk.EXAMPLES, "-o", tmp_path / "here").returncode == 0
    assert desk.tree(tmp_path / "dist") == desk.tree(tmp_path / "here")
