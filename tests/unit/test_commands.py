"""The command line: exit statuses, streams, and what is loaded for what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pvegen import errors
from pvegen.main import run

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = os.fspath(ROOT / "examples" / "mypve.toml")
CLEAN = os.fspath(ROOT / "tests" / "mistakes" / "no_mistake.toml")
WRONG = os.fspath(ROOT / "tests" / "mistakes" / "five_mistakes.toml")


def call(*arguments: str) -> int:
    return errors.guarded(run, arguments)


def process(*arguments: str, stdout: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pvegen", *arguments],
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["check", EXAMPLE], 0),
        (["check", "--strict", EXAMPLE], 1),
        (["check", WRONG], 1),
        (["check", EXAMPLE, WRONG], 1),
        (["check", EXAMPLE, EXAMPLE], 1),
        (["check", "--nonsense"], 2),
        (["check", "--format", "xml", EXAMPLE], 2),
        (["nonsense"], 2),
        (["show", EXAMPLE], 0),
        (["show", WRONG], 1),
        (["build", WRONG], 1),
        (["explain"], 0),
        (["explain", "PVE104"], 0),
        (["explain", "pve104"], 0),
        (["explain", "104"], 0),
        (["explain", "PVE999"], 2),
        (["targets"], 0),
        (["targets", "alt-p8"], 0),
        (["targets", "alt-8"], 2),
        (["schema"], 0),
        (["--help"], 0),
        (["--version"], 0),
    ],
    ids=lambda value: " ".join(os.path.basename(word) for word in value) if isinstance(value, list) else str(value),
)
def test_exit_status(arguments: list[str], status: int) -> None:
    assert call(*arguments) == status


def test_build_of_mistakes_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("build", WRONG, "-o", os.fspath(tmp_path / "dist")) == 1
    assert list(tmp_path.iterdir()) == []
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "5 errors in " in captured.err


@pytest.mark.parametrize("form", ["json", "sarif"])
@pytest.mark.parametrize("path", [EXAMPLE, CLEAN, WRONG], ids=os.path.basename)
@pytest.mark.parametrize("more", [[], ["--check"]], ids=["build", "check"])
def test_a_report_for_machines_has_standard_output_to_itself(
    form: str,
    path: str,
    more: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "cache"))
    call("build", path, "-o", os.fspath(tmp_path / "dist"), "--no-lint", "--format", form, *more)
    captured = capsys.readouterr()
    assert json.loads(captured.out)
    assert bool(captured.err) == (path != WRONG)


def test_show_is_a_description(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", EXAMPLE) == 0
    copy = tmp_path / "copy.toml"
    copy.write_text(capsys.readouterr().out, "utf-8")
    assert call("check", os.fspath(copy)) == 0


def test_show_as_json_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    call("show", EXAMPLE)
    toml = tomllib.loads(capsys.readouterr().out)
    call("show", "--format", "json", EXAMPLE)
    assert json.loads(capsys.readouterr().out) == toml


def test_commands_load_only_what_they_need() -> None:
    program = (
        "import sys\nfrom pvegen.errors import guarded\nfrom pvegen.main import run\n"
        "guarded(run, sys.argv[1:])\n"
        "print(*sorted({'jinja2', 'tomli_w', 'tree_sitter', 'difflib', 'unicodedata'} & set(sys.modules)), 'END')\n"
    )

    def loaded(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    assert loaded("--help") == "END"
    assert "jinja2" not in loaded("check", EXAMPLE)
    assert not {"jinja2", "tomli_w", "tree_sitter"} & set(loaded("check", CLEAN).split())


def test_every_command_has_help() -> None:
    from pvegen.main import cli

    for name, command in cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name not in ("form", "help"):
                assert getattr(parameter, "help", None), (name, parameter.name)


def test_a_reader_that_goes_away_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = process("schema", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def redirected(stream: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with one of its streams redirected, such as closed: "<&-", ">&-", "2>&-"."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {stream}', "sh", sys.executable, "-m", "pvegen", *arguments], cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("stream", [">&-", "2>&-"])
@pytest.mark.parametrize(("path", "status"), [(EXAMPLE, 0), (WRONG, 1)], ids=["right", "wrong"])
def test_an_output_that_is_closed_changes_nothing(stream: str, path: str, status: int, tmp_path: Path) -> None:
    assert redirected(stream, "check", path).returncode == status
    built = redirected(stream, "build", "--no-lint", path, "-o", os.fspath(tmp_path / "dist"))
    assert (built.returncode, (tmp_path / "dist").exists()) == (status, status == 0)
    assert "fault" not in built.stdout + built.stderr


def test_standard_input_that_cannot_be_read_is_a_mistake() -> None:
    done = redirected("<&-", "check", "-")
    assert (done.returncode, done.stderr) == (1, "")
    assert "<stdin>: error PVE002: <stdin> cannot be read: it is closed." in done.stdout
    done = redirected("0> /dev/null", "check", "-")
    assert (done.returncode, done.stderr) == (1, "")
    assert "error PVE002: <stdin> cannot be read: Bad file descriptor." in done.stdout


def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "w") as full:
        done = process("schema", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "pvegen: No space left on device\n"


def test_interrupt(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    assert errors.guarded(interrupted, []) == 130
    assert capsys.readouterr().err == "pvegen: interrupted\n"


def test_interrupt_while_modules_are_loaded() -> None:
    program = (
        "import sys\n"
        "class Hand:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Hand())\n"
        "from pvegen.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "pvegen: interrupted\n")


def test_a_fault_is_reported_to_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: object) -> int:
        raise ZeroDivisionError("unexpected")

    assert errors.guarded(broken, []) == 3
    told = capsys.readouterr().err
    assert "a fault of pvegen's" in told
    assert "ZeroDivisionError: unexpected" in told
    assert "Python 3." in told
    assert "written" not in told


def test_a_refusal_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    def refused(_: object) -> int:
        raise errors.Refused("dist/x stands in the way")

    assert errors.guarded(refused, []) == 1
    assert capsys.readouterr().err == "pvegen: dist/x stands in the way\n"


@pytest.mark.parametrize(("code", "hint"), [("PVE", ""), ("PVE1004", " Did you mean PVE104?")])
def test_only_a_code_that_is_near_is_suggested(code: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("explain", code) == 2
    assert f"there is no code {code}.{hint} `pvegen explain` lists" in capsys.readouterr().err


def test_what_a_terminal_would_obey_in_a_folders_name_is_spelt_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "cache"))
    folder = os.fspath(tmp_path / "o\x1b[31m")
    assert call("build", "--no-lint", CLEAN, "-o", folder) == 0
    assert call("build", "--no-lint", CLEAN, "-o", folder, "--check") == 0
    assert call("build", "--no-lint", WRONG, "-o", folder, "--snippets", folder + "x") == 1
    (tmp_path / "o\x1b[31m" / "stray\x1b[32m").touch()
    assert call("build", "--no-lint", CLEAN, "-o", folder) == 1
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert "o\\x1b[31m/stray\\x1b[32m" in captured.err
