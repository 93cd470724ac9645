"""Bundles: the same bytes everywhere, whole or refused, by tar and by ISO image."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import desk
import pytest

from pvegen import build, errors
from pvegen.bundle import archive, file, iso
from pvegen.bundle.contents import START, Bundle, from_folder, sums_of
from pvegen.main import run


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a build made."""
    place = tmp_path_factory.mktemp("built")
    view = desk.view_of(desk.small(), place)
    build.build([view], place / "dist", check=False, lint=False, snippets=None, said=io.StringIO())
    return place / "dist" / "small"


@pytest.fixture(scope="module")
def tar(built: Path) -> bytes:
    return archive.pack(from_folder(built))


@pytest.fixture(scope="module")
def image(built: Path) -> bytes:
    return iso.pack(from_folder(built))


def _opened(data: bytes, name: str = "small.tar") -> Bundle:
    return file.opened(Path(name), data)


def _refusal(call: Callable[[], object]) -> str:
    with pytest.raises(errors.Refused) as caught:
        call()
    return str(caught.value)


def test_a_bundle_holds_all_and_says_what_to_read_first(built: Path, tar: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        names = opened.getnames()
    assert names == [
        f"small/{name}"
        for name in (
            START,
            "RUNBOOK.md",
            "SHA256SUMS",
            "manifest.toml",
            "pve1.sh",
            "pve2.sh",
            "pve3.sh",
            "runbook.html",
        )
    ]
    bundle = _opened(tar)
    for path in built.iterdir():
        assert path.name == "SHA256SUMS" or bundle.files[path.name] == path.read_bytes()


@pytest.mark.parametrize("kind", ["tar", "iso"])
def test_it_is_the_same_wherever_and_whenever_it_is_made(built: Path, tmp_path: Path, kind: str) -> None:
    made = []
    for number, zone in enumerate(("UTC", "Asia/Tokyo", "America/Caracas")):
        env = {"TZ": zone, "PYTHONHASHSEED": str(number), "LC_ALL": "C", "HOME": str(tmp_path)}
        done = desk.pvegen("bundle", built, "--iso", "-o", tmp_path / zone, env=env)
        assert done.returncode == 0, done.stderr
        data = (tmp_path / zone / f"small.{kind}").read_bytes()
        assert hashlib.sha256(data).hexdigest() in done.stdout
        made.append(data)
    assert len(set(made)) == 1


def test_it_is_the_same_another_day(built: Path, monkeypatch: pytest.MonkeyPatch, tar: bytes, image: bytes) -> None:
    import time

    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    assert archive.pack(from_folder(built)) == tar
    assert iso.pack(from_folder(built)) == image


def test_tools_of_a_node_unpack_and_check_it(tar: bytes, tmp_path: Path) -> None:
    (tmp_path / "small.tar").write_bytes(tar)
    line = "tar -xf small.tar && cd small && sha256sum -c SHA256SUMS && sh pve1.sh steps"
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count(": OK") == 7


def test_the_runbook_is_told_of_first(tar: bytes) -> None:
    bundle = _opened(tar)
    assert b"RUNBOOK.md" in bundle.files[START] and b"runbook.html" in bundle.files[START]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: (d / "pve1.sh").write_text("echo\n"), "pve1.sh is not as it was built"),
        (lambda d: (d / "pve1.sh").unlink(), "lacks pve1.sh"),
        (lambda d: (d / "RUNBOOK.md").write_text("# Runbook\n"), "RUNBOOK.md is not as it was built"),
        (lambda d: (d / "runbook.html").unlink(), "lacks runbook.html"),
        (lambda d: (d / "notes").write_text("x"), "notes"),
        (lambda d: (d / "folder").mkdir(), "folder"),
        (lambda d: (d / "manifest.toml").write_text("x["), "no manifest.toml"),
        (lambda d: (d / "manifest.toml").unlink(), "no manifest.toml"),
        (lambda d: (d / "SHA256SUMS").write_text(""), "SHA256SUMS is not as it was built"),
        (lambda d: (d / "SHA256SUMS").unlink(), "SHA256SUMS is not as it was built"),
    ],
)
def test_only_what_was_built_is_bundled(
    built: Path, tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    for path in built.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    change(folder)
    assert said in _refusal(lambda: from_folder(folder))


def test_every_flipped_byte_is_found(tar: bytes) -> None:
    """Without any signature: one wrong bit, in a header, a script, the padding or the end."""
    chosen = random.Random(1)
    positions = {*range(0, 1024, 7), *range(len(tar) - 2048, len(tar), 97), *chosen.sample(range(len(tar)), 250)}
    for position in sorted(positions):
        wrong = bytearray(tar)
        wrong[position] ^= 1 << chosen.randrange(8)
        _refusal(lambda wrong=bytes(wrong): _opened(wrong))


def test_every_flipped_byte_of_an_image_is_found(image: bytes) -> None:
    chosen = random.Random(2)
    for position in {*range(0x8000, 0x9800, 131), *chosen.sample(range(len(image)), 60), len(image) - 1}:
        wrong = bytearray(image)
        wrong[position] ^= 1 << chosen.randrange(8)
        _refusal(lambda wrong=bytes(wrong): _opened(wrong))


@pytest.mark.parametrize("length", [0, 1, 511, 512, 1024, 5000, -1, -512, -10240])
def test_a_cut_bundle_is_refused(tar: bytes, length: int) -> None:
    _refusal(lambda: _opened(tar[:length]))


def test_what_stands_behind_a_bundle_is_refused(tar: bytes, image: bytes) -> None:
    for data in (tar, image):
        _refusal(lambda data=data: _opened(data + bytes(512)))
        _refusal(lambda data=data: _opened(data + b"x"))


def _with(tar: bytes, *members: tarfile.TarInfo, order: int = 1) -> bytes:
    """The bundle once more with other members behind, or its own in reverse."""
    stream = io.BytesIO()
    bundle = _opened(tar)
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, content in list(bundle.files.items())[::order]:
            member = tarfile.TarInfo(f"small/{name}")
            member.size, member.mtime = len(content), archive.MADE
            made.addfile(member, io.BytesIO(content))
        for member in members:
            made.addfile(member, io.BytesIO(bytes(member.size)))
    return stream.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mtime = kind, target, archive.MADE
    return member


def test_the_helper_makes_a_bundle_where_it_adds_nothing(tar: bytes) -> None:
    assert _with(tar) == tar


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (_member("small/../../etc/cron.d/x"), "lead nowhere else"),
        (_member("/etc/cron.d/x"), "lead nowhere else"),
        (_member("../x"), "lead nowhere else"),
        (_member("small/deep/x"), "lead nowhere else"),
        (_member("x"), "lead nowhere else"),
        (_member("small/x", tarfile.SYMTYPE, "/etc/passwd"), "no plain file"),
        (_member("small/x", tarfile.LNKTYPE, "small/pve1.sh"), "no plain file"),
        (_member("small/x", tarfile.DIRTYPE), "no plain file"),
        (_member("small/x", tarfile.CHRTYPE), "no plain file"),
        (_member("small/x", tarfile.FIFOTYPE), "no plain file"),
        (_member("small/pve1.sh"), "twice"),
        (_member("other/x"), "one folder"),
        (_member("small/zzz.sh"), "no build made: zzz.sh"),
    ],
    ids=lambda value: f"{value.name}-{value.type.decode()}" if isinstance(value, tarfile.TarInfo) else "",
)
def test_members_that_do_not_belong_are_refused(tar: bytes, member: tarfile.TarInfo, said: str) -> None:
    assert said in _refusal(lambda: _opened(_with(tar, member)))


def test_members_in_another_order_are_refused(tar: bytes) -> None:
    assert "byte by byte" in _refusal(lambda: _opened(_with(tar, order=-1)))


def test_a_changed_script_with_a_changed_sum_is_refused(tar: bytes) -> None:
    bundle = _opened(tar)
    files = {name: content for name, content in bundle.files.items() if name != "SHA256SUMS"}
    files["pve1.sh"] += b"# more\n"
    wrong = Bundle(bundle.cluster, archive.ordered({**files, "SHA256SUMS": sums_of(files)}))
    assert "pve1.sh is not as it was built" in _refusal(lambda: _opened(archive.pack(wrong)))


def test_an_image_has_every_file_under_its_name_by_every_way(image: bytes, built: Path) -> None:
    import pycdlib

    bundle = _opened(image, "small.iso")
    opened = pycdlib.PyCdlib()
    opened.open_fp(io.BytesIO(image))
    for name, content in from_folder(built).files.items():
        assert bundle.files[name] == content
        for way in ("rr_path", "joliet_path"):
            stream = io.BytesIO()
            opened.get_file_from_iso_fp(stream, **{way: f"/{name}"})
            assert stream.getvalue() == content
    opened.close()


def test_without_pycdlib_it_says_what_to_install(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycdlib", None)
    assert "pip install 'pvegen[iso]'" in _refusal(lambda: run(["bundle", str(built), "--iso", "-o", str(tmp_path)]))
    assert list(tmp_path.iterdir()) == []


def test_what_to_do_first_fits_a_console_and_is_in_order(tmp_path: Path) -> None:
    for path in [*desk.EXAMPLES, *desk.FIXTURES]:
        view = desk.view(path)
        build.build([view], tmp_path, check=False, lint=False, snippets=None, said=io.StringIO())
        folder = tmp_path / view.description.cluster.name
        text = from_folder(folder).files[START].decode("ascii")
        assert max(map(len, text.splitlines())) <= 72, path.name
        order = tomllib.loads((folder / "manifest.toml").read_text())["order"]
        places = [text.index(f"sh {name} apply") for name in order]
        assert places == sorted(places)
        for node in view.nodes:
            opens = view.description.ssh.trust == "password" and view.description.cluster.join == "ssh"
            assert (f"sh {node.name}.sh admit" in text) == (opens and bool(node.joined_by)), path.name


def test_of_several_clusters_one_has_to_be_named(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "build first" in _refusal(lambda: run(["bundle"]))
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "small").symlink_to(built)
    assert run(["bundle"]) == 0
    assert (tmp_path / "small.tar").exists()
    (tmp_path / "dist" / "other").symlink_to(built)
    assert "several clusters: other, small" in _refusal(lambda: run(["bundle"]))
