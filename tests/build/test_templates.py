"""Compiled templates: used again, trusted only where nobody else can have written them, never needed."""

from __future__ import annotations

import marshal
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import desk
import jinja2
import pytest

from pvegen.kept import Kept
from pvegen.render import Rendered

TEXT = desk.small()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's compiled templates are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pvegen" / "templates"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all templates that are compiled from now on."""
    names: list[str] = []
    compile_ = jinja2.Environment.compile

    def counted(self: jinja2.Environment, source: str, name: str, *rest: object) -> object:
        names.append(name)
        return compile_(self, source, name, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", counted)
    return names


def _render(tmp_path: Path) -> list[Rendered]:
    return desk.rendered(desk.view_of(TEXT, tmp_path))


def test_a_second_build_compiles_nothing(tmp_path: Path, folder: Path, compiled: list[str]) -> None:
    first = _render(tmp_path)
    assert len(compiled) == len(set(compiled)) > 20
    compiled.clear()
    assert _render(tmp_path) == first
    assert compiled == []


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _other_code(file: Path) -> None:
    code = compile("raise SystemExit('taken over')", "x", "exec")
    file.write_bytes(file.read_bytes()[:80] + marshal.dumps(code))


def _garbage(file: Path) -> None:
    file.write_bytes(b"\xff" * 4096)


def _link(file: Path) -> None:
    file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.with_suffix(".moved"))


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _writable_by_all(file: Path) -> None:
    file.chmod(0o666)


def _unreadable(file: Path) -> None:
    file.chmod(0)
    if os.geteuid() == 0:
        os.chown(file, 12345, 12345)


@pytest.mark.parametrize(
    "spoil",
    [_truncated, _emptied, _other_code, _garbage, _link, _pipe, _directory, _writable_by_all, _unreadable],
    ids=lambda spoil: spoil.__name__.strip("_"),
)
def test_a_spoilt_file_is_compiled_anew(
    tmp_path: Path, folder: Path, compiled: list[str], spoil: Callable[[Path], None]
) -> None:
    first = _render(tmp_path)
    for file in list(folder.iterdir()):
        spoil(file)
    compiled.clear()
    assert _render(tmp_path) == first
    assert len(compiled) > 20


def test_a_changed_snippet_is_compiled_anew(tmp_path: Path, folder: Path, compiled: list[str]) -> None:
    site = tmp_path / "site" / "steps"
    site.mkdir(parents=True)
    for text in ("one", "two"):
        (site / "services.sh").write_text(f"step_services() {{\n    {text}\n}}\n")
        made = desk.rendered(desk.view_of(TEXT, tmp_path), site.parent)
        assert f"\n    {text}\n" in made[0].text


def _missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")


def _a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("")


def _of_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)


def _a_link(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.parent.mkdir(parents=True)
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to("elsewhere")


def _for_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)


@pytest.mark.parametrize(
    "spoil", [_missing, _a_file, _of_another, _a_link, _for_all], ids=lambda s: s.__name__.strip("_")
)
def test_without_a_folder_of_its_own_nothing_is_kept(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    spoil(folder, monkeypatch)
    assert Kept()._folder is None
    assert len(_render(tmp_path)) == 3
    assert not folder.is_dir() or list(folder.iterdir()) == []


def test_a_full_disk_costs_only_time(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert len(_render(tmp_path)) == 3
    assert list(folder.iterdir()) == []


def test_a_relative_cache_folder_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", str(tmp_path / "home")))
    for value in ("", "here", "./here"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert Kept()._folder is not None
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_without_a_home_nothing_is_kept(tmp_path: Path) -> None:
    env = {"HOME": "", "XDG_CACHE_HOME": ""}
    code = (
        "import os; os.path.expanduser = lambda path: path\nfrom pvegen.kept import Kept\n"
        "print(Kept()._folder, os.listdir())"
    )
    done = desk.python(code, env=env, cwd=tmp_path)
    assert done.stdout == "None []\n", done.stderr


def test_builds_at_the_same_time_do_not_disturb_one_another(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(TEXT)
    env = {**os.environ, "PYTHONPATH": str(desk.ROOT)}
    builds = [
        subprocess.Popen([sys.executable, "-m", "pvegen", "build", "--no-lint", path, "-o", tmp_path / str(i)], env=env)
        for i in range(4)
    ]
    assert [build.wait(120) for build in builds] == [0, 0, 0, 0]
    trees = [desk.tree(tmp_path / str(i)) for i in range(4)]
    assert trees[0] and all(tree == trees[0] for tree in trees)
    assert not [file for file in folder.iterdir() if "." in file.name]


def test_no_part_of_the_quoting_is_compiled_in(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of pvegen may quote otherwise and still use what this one compiled."""
    _render(tmp_path)
    from pvegen import quote

    heredoc = quote.heredoc
    monkeypatch.setattr(quote, "heredoc", lambda text: heredoc(text.replace("LC_PVE_TICKET", "CHANGED")))
    monkeypatch.setattr(quote, "word", lambda value: value if isinstance(value, quote.Sh) else quote.Sh("CHANGED"))
    text = desk.rendered(desk.view_of(desk.small(target="alt-p8"), tmp_path))[0].text
    assert "AcceptEnv CHANGED" in text and "need_packages CHANGED" in text


LIGHT = [["--help"], ["check", "description.toml"], ["explain", "PVE104"], ["targets"], ["schema"]]


@pytest.mark.parametrize("call", LIGHT, ids=lambda call: call[0].strip("-"))
def test_only_a_build_loads_jinja2(tmp_path: Path, call: list[str]) -> None:
    (tmp_path / "description.toml").write_text(TEXT)
    code = "import sys; from pvegen.main import run; print(run(sys.argv[1:]), 'jinja2' in sys.modules)"
    done = desk.python(code, *call, cwd=tmp_path)
    assert done.stdout.endswith("0 False\n"), done.stdout + done.stderr


def test_the_command_finds_its_snippets_and_nothing_else_is_needed(tmp_path: Path) -> None:
    assert shutil.which("sh")
    (tmp_path / "cluster.toml").write_text(TEXT)
    done = desk.pvegen("build", "--no-lint", cwd=tmp_path, env={"PATH": "/nonexistent"})
    assert done.returncode == 0, done.stderr
