"""Files that are no description: each with its code, and none opened that could hang."""

from __future__ import annotations

import errno
import io
import os
import socket
import sys
from pathlib import Path

import pytest

from pvegen import description, report
from pvegen.description import load, load_all

GOOD = b"""format = 1
[cluster]
name = "mypve"
target = "alt-p11"
domain = "example.org"
[network]
gateway = "10.0.0.1"
[[node]]
name = "pve1"
address = "10.0.0.251/24"
nic = "eth0"
"""


def codes(path: Path) -> list[str]:
    loaded = load(path)
    report.render([(loaded.source, loaded.mistakes)])
    return [mistake.code for mistake in loaded.mistakes]


def written(folder: Path, data: bytes) -> Path:
    path = folder / "cluster.toml"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("PVE005", b"#" * (1024 * 1024 + 1)),
        ("PVE006", 'name = "узел"'.encode("cp1251")),
        ("PVE006", "format = 1\n".encode("utf-16")),
        ("PVE007", b"\xef\xbb\xbf" + GOOD),
        ("PVE008", GOOD.replace(b"\n", b"\r\n")),
        ("PVE013", GOOD.replace(b"\n", b"\r")),
        ("PVE013", GOOD + b"# \r hidden\n"),
        ("PVE009", b""),
        ("PVE009", b"\n\n"),
        ("PVE010", b"format = 1\n\0\0\0\0"),
        ("PVE029", b"a." * 300_000 + b"a = 1"),
        ("PVE029", b"a = " + b"[" * 100_000),
        ("PVE030", b"a = " + b"1" * 100_000),
        ("PVE005", os.urandom(64) * 160_000),
    ],
    # What they are would be a name of megabytes, and another one for each worker.
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_bytes_that_are_no_description(tmp_path: Path, code: str, data: bytes) -> None:
    assert codes(written(tmp_path, data)) == [code]


def test_a_good_file_has_no_mistakes(tmp_path: Path) -> None:
    assert codes(written(tmp_path, GOOD)) == []


def test_no_such_file(tmp_path: Path) -> None:
    assert codes(tmp_path / "none.toml") == ["PVE001"]


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, GOOD)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything: the system's answer to others stands in

        def refuse(*_: object, **__: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(os, "open", refuse)
        monkeypatch.setattr("builtins.open", refuse)
    assert codes(path) == ["PVE002"]


def test_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert codes(tmp_path / ("x" * 300)) == ["PVE002"]
    assert [mistake.code for mistake in load("a\0b").mistakes] == ["PVE002"]


def test_folder(tmp_path: Path) -> None:
    assert codes(tmp_path) == ["PVE003"]


def test_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert codes(tmp_path / "pipe") == ["PVE004"]


def test_device_and_socket(tmp_path: Path) -> None:
    assert codes(Path("/dev/zero")) == ["PVE004"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(tmp_path / "s"))
        assert codes(tmp_path / "s") == ["PVE004"]


def test_place_of_the_first_byte_that_is_no_utf8(tmp_path: Path) -> None:
    mistake = load(written(tmp_path, 'a = 1\n# ы\nb = "x'.encode() + b"\xfa")).mistakes[0]
    assert mistake.place is not None
    assert mistake.place[:2] == (3, 7)
    assert (mistake.facts["at"], mistake.facts["byte"]) == (7, "0xfa")


def test_no_file_named_and_no_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [mistake.code for mistake in load_all([])[0].mistakes] == ["PVE011"]
    (tmp_path / description.DEFAULT).write_bytes(GOOD)
    assert load_all([])[0].view is not None


def test_two_descriptions_of_one_cluster(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_bytes(GOOD)
    second.write_bytes(GOOD.replace(b"mypve", b"MyPve"))
    good, bad = load_all([first, second])
    assert good.view is not None
    assert bad.view is None
    assert [mistake.code for mistake in bad.mistakes] == ["PVE012"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD)))
    loaded = load("-")
    assert loaded.source.name == "<stdin>"
    assert loaded.view is not None


def test_reading_that_stops_after_many_mistakes_of_grammar_says_so(tmp_path: Path) -> None:
    lines = b"".join(b"x%d = a b =\n" % number for number in range(400))
    loaded = load(written(tmp_path, GOOD + lines))
    assert [mistake.code for mistake in loaded.mistakes] == ["PVE023"] * 150 + ["PVE036"]
    assert "reading stopped here" in report.render([(loaded.source, loaded.mistakes)])


def test_reading_of_a_large_file_stops_earlier(tmp_path: Path) -> None:
    lines = b"".join(b"x%d = a b =\n" % number for number in range(60_000))
    assert codes(written(tmp_path, GOOD + lines))[-1] == "PVE036"


def test_a_name_that_recovery_gives_is_no_way_past_the_checks(tmp_path: Path) -> None:
    assert codes(written(tmp_path, b'"\\ue000network" = 1\n' + GOOD)) == ["PVE130"]
    assert codes(written(tmp_path, b'"\\ue000network" = 1\nx = y\n' + GOOD)) == ["PVE032", "PVE103"]
