"""Built folders on disk: whole or not at all, whatever stands in the way or goes wrong."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import desk
import pytest

from pvegen import build, output
from pvegen.errors import MISTAKES, STALE, Refused
from pvegen.output import Folder


def _folder(name: str, *files: str, text: str = "new") -> Folder:
    manifest = "".join(f'[[script]]\nfile = "{file}"\n' for file in files)
    content = {file: f"{text} {file}\n".encode() for file in files}
    return Folder(name, content | {output.SUMS: text.encode(), output.MANIFEST: manifest.encode()})


OLD = [_folder("one", "a.sh", "b.sh", text="old"), _folder("two", "c.sh", text="old")]
NEW = [_folder("one", "a.sh", "b.sh"), _folder("two", "c.sh")]


def _is(place: Path, folders: list[Folder]) -> bool:
    wanted = {f"{folder.name}/{name}": content for folder in folders for name, content in folder.files.items()}
    return desk.tree(place) == wanted and not [p for p in place.iterdir() if p.name.startswith(".")]


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A folder that holds OLD."""
    output.write(tmp_path / "dist", OLD)
    return tmp_path / "dist"


def test_folders_are_made_where_there_were_none(tmp_path: Path) -> None:
    output.write(tmp_path / "a" / "b", NEW)
    assert _is(tmp_path / "a" / "b", NEW)


def test_old_folders_are_replaced(dist: Path) -> None:
    output.write(dist, NEW)
    assert _is(dist, NEW)


def test_so_they_are_where_names_cannot_be_exchanged(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_swap", lambda one, other: False)
    output.write(dist, NEW)
    assert _is(dist, NEW)


def test_what_is_the_same_is_not_touched(dist: Path) -> None:
    before = {path: path.stat() for path in dist.rglob("*")}
    output.write(dist, [OLD[0], NEW[1]])
    after = {path: path.stat() for path in dist.rglob("*")}
    assert {p.name for p in after if after[p].st_ino != before[p].st_ino} == {
        "two",
        "c.sh",
        "SHA256SUMS",
        "manifest.toml",
    }
    assert {p.relative_to(dist).parts[0] for p in after if after[p].st_ino != before[p].st_ino} == {"two"}


def test_a_node_that_left_the_description_leaves_the_folder(dist: Path) -> None:
    smaller = _folder("one", "a.sh")
    assert output.strays(dist, [smaller]) == []
    output.write(dist, [smaller])
    assert sorted(os.listdir(dist / "one")) == ["SHA256SUMS", "a.sh", "manifest.toml"]


def test_a_script_that_was_changed_by_hand_is_built_anew(dist: Path) -> None:
    (dist / "one" / "a.sh").write_text("edited")
    assert output.strays(dist, OLD) == []
    output.write(dist, OLD)
    assert _is(dist, OLD)


def test_other_clusters_stay(dist: Path) -> None:
    assert output.strays(dist, [NEW[0]]) == []
    output.write(dist, [NEW[0]])
    assert _is(dist, [NEW[0], OLD[1]])


def test_files_can_be_read_by_whoever_the_umask_lets(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        output.write(tmp_path / "dist", NEW)
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "dist").rglob("*")}
    assert modes == {0o755, 0o644}


# What stands in the way.


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda d: (d / "notes.txt").write_text(""), "notes.txt"),
        (lambda d: (d / "one" / "notes.txt").write_text(""), "one/notes.txt"),
        (lambda d: (d / "one" / "folder").mkdir(), "one/folder"),
        (lambda d: (d / "other").mkdir(), "other/"),
        (lambda d: (d / "two").rename(d / "other") and (d / "two").symlink_to("other"), "two"),
        (lambda d: (d / "one" / "a.sh").unlink() or (d / "one" / "a.sh").symlink_to("b.sh"), "one/a.sh"),
        (lambda d: (d / "one" / "a.sh").unlink() or os.mkfifo(d / "one" / "a.sh"), "one/a.sh"),
        (lambda d: (d / "one").rename(d / "ONE"), "ONE/"),
        (lambda d: (d / "one" / "manifest.toml").write_text("garbage["), None),
        (lambda d: (d / ".gitkeep").write_text(""), ".gitkeep"),
        (lambda d: (d / ".pvegen-dead").mkdir(), None),
    ],
    ids=[
        "file", "file in a folder", "folder in a folder", "folder", "link to a folder", "link to a file", "pipe",
        "other capitals", "broken manifest", "hidden file", "what a killed build left",
    ],
)  # fmt: skip
def test_what_no_build_made_is_a_stray(dist: Path, make: object, found: str | None) -> None:
    make(dist)  # type: ignore[operator]
    assert output.strays(dist, NEW) == ([str(dist / found) + "/" * found.endswith("/")] if found else [])


def test_a_stray_stops_a_build_and_a_check(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text(desk.small())
    assert desk.pvegen("build", "--no-lint", cwd=tmp_path).returncode == 0
    (tmp_path / "dist" / "small" / "notes.txt").write_text("mine")
    for call in (["build", "--no-lint"], ["build", "--no-lint", "--check"]):
        done = desk.pvegen(*call, cwd=tmp_path)
        assert done.returncode == MISTAKES
        assert "dist/small/notes.txt" in done.stderr and "Move it away" in done.stderr
    assert (tmp_path / "dist" / "small" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("where", ["dist", "dist/small", "."], ids=["output", "cluster", "above"])
def test_a_file_in_the_way_is_one_clear_message(tmp_path: Path, where: str) -> None:
    (tmp_path / "cluster.toml").write_text(desk.small())
    place = "dist"
    if where == ".":
        place = "cluster.toml/dist"
    else:
        (tmp_path / where).parent.mkdir(exist_ok=True)
        (tmp_path / where).write_text("mine")
    before = desk.tree(tmp_path)
    done = desk.pvegen("build", "--no-lint", "-o", place, cwd=tmp_path)
    assert done.returncode == MISTAKES and "Traceback" not in done.stderr
    assert str(Path(place)) in done.stderr
    assert desk.tree(tmp_path) == before


def test_an_unwritable_folder_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text(desk.small())
    done = desk.pvegen("build", "--no-lint", "-o", "/proc/nowhere/dist", cwd=tmp_path)
    assert done.returncode == MISTAKES
    assert "cannot write /proc/nowhere/dist" in done.stderr and "Nothing was changed" in done.stderr


# What goes wrong.


class _Fails:
    """A function that raises from its nth call on."""

    def __init__(self, function: object, nth: int) -> None:
        self.function, self.left = function, nth

    def __call__(self, *arguments: object, **options: object) -> object:
        self.left -= 1
        if self.left == 0:
            raise OSError(28, "No space left on device")
        return self.function(*arguments, **options)  # type: ignore[operator]


@pytest.mark.parametrize("nth", range(1, 4))
@pytest.mark.parametrize("swap", [True, False], ids=["exchange", "two renames"])
def test_a_rename_that_fails_leaves_all_as_it_was(
    dist: Path, monkeypatch: pytest.MonkeyPatch, nth: int, swap: bool
) -> None:
    if swap:
        monkeypatch.setattr(output, "_swap", _Fails(output._swap, min(nth, 2)))
    else:
        monkeypatch.setattr(output, "_swap", lambda one, other: False)
        monkeypatch.setattr(os, "rename", _Fails(os.rename, nth))
    with pytest.raises(Refused, match="No space left"):
        output.write(dist, NEW)
    assert _is(dist, OLD)


@pytest.mark.parametrize("nth", range(1, 8))
def test_a_file_that_cannot_be_written_leaves_all_as_it_was(
    dist: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    monkeypatch.setattr(Path, "write_bytes", _method(nth))
    with pytest.raises(Refused, match="No space left"):
        output.write(dist, NEW)
    assert _is(dist, OLD)


def _method(nth: int) -> object:
    fails = _Fails(Path.write_bytes, nth)
    return lambda self, content: fails(self, content)


def test_folders_made_for_nothing_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", _method(2))
    with pytest.raises(Refused):
        output.write(tmp_path / "a" / "b", NEW)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_build_leaves_all_as_it_was(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> bool:
        if _is_new(dist / "one"):
            raise KeyboardInterrupt
        return swap(*_)  # type: ignore[arg-type]

    swap = output._swap
    monkeypatch.setattr(output, "_swap", interrupt)
    with pytest.raises(KeyboardInterrupt):
        output.write(dist, NEW)
    assert _is(dist, OLD)


def _is_new(place: Path) -> bool:
    return (place / "a.sh").read_bytes() == b"new a.sh\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB, too small for two builds."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=128k", "small", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode != 0:
        desk.absent("only root can mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_all_as_it_was(small_disk: Path) -> None:
    fits = [Folder("one", {"a.sh": b"x" * 70_000, output.MANIFEST: b"", output.SUMS: b""})]
    output.write(small_disk, fits)
    with pytest.raises(Refused, match="No space left"):
        output.write(small_disk, [fits[0]._replace(files=fits[0].files | {"a.sh": b"y" * 70_000})])
    assert _is(small_disk, fits)


def test_a_read_only_disk_is_enough_where_nothing_changes(small_disk: Path) -> None:
    folders = [Folder("one", {"a.sh": b"x", output.MANIFEST: b"", output.SUMS: b""})]
    output.write(small_disk, folders)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    output.write(small_disk, folders)
    assert list(output.differences(small_disk, folders)) == []
    with pytest.raises(Refused, match="Read-only"):
        output.write(small_disk, NEW)


# A build that is killed, and builds at the same time.

_KILLED = """
import os, signal, sys
from pathlib import Path
from pvegen import build, output
sys.path.insert(0, {here!r})
from test_output import NEW

def killing(function):
    def call(*arguments, **options):
        global left
        left -= 1
        last = left == 0
        if last and not {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return function(*arguments, **options)
        finally:
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
    return call

left = {nth}
Path.mkdir = killing(Path.mkdir)
Path.write_bytes = killing(Path.write_bytes)
os.rename = killing(os.rename)
if {swap}:
    output._swap = killing(output._swap)
else:
    output._swap = lambda one, other: False
output.shutil.rmtree = killing(output.shutil.rmtree)
output.write(Path(sys.argv[1]), NEW)
"""


@pytest.mark.parametrize("swap", [True, False], ids=["exchange", "two renames"])
def test_a_killed_build_leaves_old_or_new_and_the_next_one_clears_up(tmp_path: Path, swap: bool) -> None:
    here = str(Path(__file__).parent)
    killed = 0
    for nth in range(1, 30):
        dist = tmp_path / str(nth)
        output.write(dist, OLD)
        code = _KILLED.format(here=here, nth=nth, after=nth % 2 == 0, swap=swap)
        env = {"PYTHONPATH": f"{desk.ROOT}:{desk.ROOT / 'tests'}"}
        done = desk.python(code, dist, env=env)
        if done.returncode == 0:
            assert _is(dist, NEW), nth
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
        for old, new in zip(OLD, NEW, strict=True):
            place = dist / old.name
            here_now = {path.name: path.read_bytes() for path in place.iterdir()} if place.exists() else None
            # Two renames leave a moment without either; the old one is beside it then, and comes back.
            assert here_now in ((old.files, new.files) if swap else (old.files, new.files, None)), nth
        output._clear(dist)
        assert sorted(os.listdir(dist)) == ["one", "two"], nth
        output.write(dist, NEW)
        assert _is(dist, NEW), nth
    assert killed >= 12 and done.returncode == 0


def test_builds_of_one_folder_at_the_same_time_wait_for_one_another(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(desk.small())
    (tmp_path / "b.toml").write_text(desk.small(nodes=["pve4", "pve5"]))
    env = {**os.environ, "PYTHONPATH": str(desk.ROOT)}
    words = [sys.executable, "-m", "pvegen", "build", "--no-lint"]
    builds = [
        subprocess.Popen([*words, name], cwd=tmp_path, env=env, stdout=subprocess.DEVNULL)
        for name in ("a.toml", "b.toml") * 2  # each may take some seconds of a busy machine
    ]
    assert [build.wait(300) for build in builds] == [0] * 4
    made = sorted(os.listdir(tmp_path / "dist" / "small"))
    assert made in (
        ["RUNBOOK.md", "SHA256SUMS", "manifest.toml", "pve1.sh", "pve2.sh", "pve3.sh", "runbook.html"],
        ["RUNBOOK.md", "SHA256SUMS", "manifest.toml", "pve4.sh", "pve5.sh", "runbook.html"],
    )
    assert os.listdir(tmp_path / "dist") == ["small"]


def test_a_build_that_keeps_the_folder_too_long_is_named(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_LOCK_WAIT", 0.1)
    with output._locked(dist):
        began = time.monotonic()
        with pytest.raises(Refused, match="another build is writing there"):
            output.write(dist, NEW)
    assert time.monotonic() - began < 5
    assert _is(dist, OLD)


# What --check says.


def test_a_check_shows_what_is_stale_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_text(desk.small())
    check = ["build", "--no-lint", "--check"]
    none = desk.pvegen(*check, cwd=tmp_path)
    assert none.returncode == STALE and not (tmp_path / "dist").exists()
    assert "--- /dev/null\n+++ dist/small/pve1.sh (built now)" in none.stdout
    assert desk.pvegen("build", "--no-lint", cwd=tmp_path).returncode == 0
    current = desk.pvegen(*check, cwd=tmp_path)
    assert (current.returncode, current.stderr) == (0, "")
    script = tmp_path / "dist" / "small" / "pve2.sh"
    script.write_text(script.read_text().replace("need_root\n", "need_toor\n"))
    before = desk.tree(tmp_path)
    stale = desk.pvegen(*check, cwd=tmp_path)
    assert stale.returncode == STALE
    assert "-    need_toor\n+    need_root" in stale.stdout and "is stale" in stale.stderr
    assert "pve1.sh" not in stale.stdout
    assert desk.tree(tmp_path) == before


@pytest.mark.parametrize(
    ("old", "shown"),
    [(b"new a.sh\r\n", "-new a.sh\\r"), (b"new a.sh", "-new a.sh\\ (no line break)"), (b"\x1b[2J\xff", "-\\x1b[2J")],
    ids=["CRLF", "no line break", "escapes"],
)
def test_a_difference_in_what_is_not_seen_is_shown(dist: Path, old: bytes, shown: str) -> None:
    (dist / "one" / "a.sh").write_bytes(old)
    assert any(line.startswith(shown) for line in output.differences(dist, [NEW[0]]))


def test_that_it_is_stale_stands_last_where_both_streams_go_to_one_file(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pvegen", "build", "--no-lint", "--check", desk.EXAMPLES[0], "-o", tmp_path]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(words, cwd=desk.ROOT, env=env, check=False, **both)
    assert done.returncode == STALE and "is stale" in done.stdout.splitlines()[-1]


def test_a_script_that_is_no_more_described_is_stale(dist: Path) -> None:
    lines = list(output.differences(dist, [_folder("one", "a.sh", text="old")]))
    assert f"--- {dist}/one/b.sh" in lines and "+++ /dev/null" in lines


def test_a_check_of_several_descriptions_sees_a_cluster_that_none_of_them_describes(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    files = [tmp_path / "a.toml", tmp_path / "b.toml"]
    for file in files:
        file.write_text(desk.small(name=file.stem))
    assert desk.pvegen("build", "--no-lint", *files, "-o", dist).returncode == 0
    both = desk.pvegen("build", "--no-lint", "--check", *files, "-o", dist)
    assert (both.returncode, both.stderr) == (0, "")
    shutil.copytree(dist / "a", dist / "old")
    stale = desk.pvegen("build", "--no-lint", "--check", *files, "-o", dist)
    assert stale.returncode == STALE and f"of no description that is named here: {dist}/old/" in stale.stderr
    one = desk.pvegen("build", "--no-lint", "--check", files[0], "-o", dist)
    assert one.returncode == 0 and f"not looked at, of other descriptions: {dist}/b/, {dist}/old/" in one.stderr


def _refuse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nobody look into a folder, root neither."""
    real = Path.iterdir, Path.exists

    def denied(path: Path) -> None:
        if path == folder or folder in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", lambda path: (denied(path), real[0](path))[1])
    monkeypatch.setattr(Path, "exists", lambda path: (path != folder and denied(path), real[1](path))[1])


def test_an_output_folder_that_cannot_be_read_is_told_with_what_to_do(
    dist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(monkeypatch, dist)
    with pytest.raises(Refused, match=r"cannot read .*dist: Permission denied\. Nothing was changed\. .* -o\."):
        build._refuse_strays(dist, NEW)
    with pytest.raises(Refused, match="cannot read"):
        build._compare(dist, NEW, None)


def test_another_clusters_folder_that_cannot_be_read_is_left_alone(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, dist / "two")
    assert output.strays(dist, NEW[:1]) == []
