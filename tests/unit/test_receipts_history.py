"""Which build of git's history a node ran: of histories as people make them, and of repositories that are not ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pvegen.receipts.history import dated

A, B, C, D = (letter * 64 for letter in "abcd")
WHO = (
    "-c",
    "user.name=x",
    "-c",
    "user.email=x@example.org",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "advice.detachedHead=false",
)


class Repository:
    """A repository with what is built in dist/trio/, one script of it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")

    @property
    def folder(self) -> Path:
        return self.place / "dist" / "trio"

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *WHO, *words], cwd=self.place, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, digest: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = f"#!/bin/sh\ndigest='{digest}'\n" + "true\n" * 50
        (self.folder / "pve1.sh").write_text(text)

    def build(self, digest: str) -> str:
        """Commits a build; gives its short name."""
        self.write(digest)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", digest[:4])
        return self.git("rev-parse", "--short", "HEAD")

    def beside(self, digest: str) -> str:
        """Commits a build on a branch of its own, "side"; gives its short name, main being checked out again."""
        self.git("checkout", "-q", "-b", "side")
        made = self.build(digest)
        self.git("checkout", "-q", "main")
        return made

    def told(self, digest: str, built: str) -> tuple[str, str] | None:
        found = dated(self.folder, "pve1", digest, built)
        assert found is None or found.date == self.git("show", "-s", "--format=%cs", found.commit)
        return (found.age, found.commit) if found else None


@pytest.fixture
def one(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "one")


def test_older_newer_and_unknown(one: Repository) -> None:
    first, second = one.build(A), one.build(B)
    assert one.told(A, B) == ("older", first)
    assert one.told(C, B) is None
    one.git("checkout", "-q", "HEAD~1")
    assert one.told(B, A) == ("newer", second)


def test_a_build_that_came_by_a_squashed_branch_is_of_this_one(one: Repository) -> None:
    one.build(A)
    one.beside(B)
    one.git("merge", "-q", "--squash", "side")
    squashed = one.build(B)
    one.build(C)
    assert one.told(B, C) == ("older", squashed)


def test_a_build_made_in_a_merge_is_its(one: Repository) -> None:
    one.build(A)
    side = one.beside(B)
    one.build(C)
    one.git("merge", "-q", "-s", "ours", "--no-commit", "side")
    merge = one.build(D)
    one.build(A)
    assert one.told(D, A) == ("older", merge)
    assert one.told(B, A) == ("older", side)


@pytest.mark.parametrize("root", ["true", "false"])
def test_who_took_a_build_away_did_not_bring_it(one: Repository, root: str) -> None:
    one.git("config", "log.showRoot", root)
    first = one.build(A)
    one.build(B)
    assert one.told(A, B) == ("older", first)


def test_what_is_built_here_counts_and_not_only_what_is_checked_out(one: Repository) -> None:
    """Of files taken from an earlier commit, and of builds that are not committed yet."""
    one.build(A)
    last = one.build(B)
    one.git("checkout", "-q", "HEAD~1", "--", "dist")
    assert one.told(B, A) == ("newer", last)
    one.write(C)
    assert one.told(B, C) == ("older", last)


def test_a_build_on_both_sides_is_not_called_older(one: Repository) -> None:
    """Built, replaced, and built again: from the middle it is before and after."""
    one.build(A)
    middle = one.build(B)
    again = one.build(A)
    assert one.told(B, A) == ("older", middle)
    one.git("checkout", "-q", middle)
    assert one.told(A, B) == ("newer", again)


def test_another_branch_is_told_and_a_stash_is_none(one: Repository) -> None:
    one.build(A)
    side = one.beside(B)
    one.build(C)
    assert one.told(B, C) == ("branch", side)
    one.write(D)
    one.git("add", "-A")
    one.git("stash")
    assert one.told(D, C) is None


def test_a_folder_may_have_had_another_name(one: Repository) -> None:
    first = one.build(A)
    one.build(B)
    one.git("mv", "dist", "out")
    one.git("commit", "-q", "-m", "moved")
    found = dated(one.place / "out" / "trio", "pve1", A, B)
    assert found and found[:2] == ("older", first)


def test_a_part_of_the_history_says_nothing(one: Repository, tmp_path: Path) -> None:
    for digest in (A, B, C):
        one.build(digest)
    one.git("clone", "-q", "--depth", "2", one.place.as_uri(), str(tmp_path / "shallow"))
    assert dated(tmp_path / "shallow" / "dist" / "trio", "pve1", B, C) is None


def test_no_repository_no_git_and_no_digest(one: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one.build(A)
    one.build(B)
    assert dated(tmp_path, "pve1", A, B) is None
    assert dated(tmp_path / "missing", "pve1", A, B) is None
    assert one.told("a", B) is None
    # A hook's own environment names its repository, not ours.
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert dated(one.folder, "pve1", A, B)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dated(one.folder, "pve1", A, B) is None


def test_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/kl\xe4r"))
    folder.mkdir()
    assert dated(folder, "pve1", A, B) is None
    one = Repository(folder)
    first = one.build(A)
    one.build(B)
    assert one.told(A, B) == ("older", first)


def test_nothing_that_the_repository_names_is_run(one: Repository, tmp_path: Path) -> None:
    """What signatures are checked with, what a file is shown by, and whom missing objects are fetched from."""
    first = one.build(A)
    one.build(B)
    one.git("config", "uploadpack.allowFilter", "true")
    part = Repository(tmp_path / "part")
    part.git("remote", "add", "origin", one.place.as_uri())
    part.git("fetch", "-q", "--filter=blob:none", "origin", "main")
    part.git("checkout", "-q", "main")
    trap, ran = tmp_path / "trap", tmp_path / "ran"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >>{ran}\nexit 1\n')
    trap.chmod(0o755)
    (one.place / ".gitattributes").write_text("*.sh diff=mine\n")
    signed = one.git("cat-file", "commit", "HEAD").replace("\n\n", "\ngpgsig x\n\n", 1)
    made = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
        cwd=one.place, input=f"{signed}\n", capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    one.git("reset", "-q", made)
    for key in (
        "gpg.program",
        "diff.mine.textconv",
        "diff.mine.command",
        "diff.external",
        "core.pager",
        "core.fsmonitor",
    ):
        one.git("config", key, str(trap))
    one.git("config", "log.showSignature", "true")
    part.git("config", "remote.origin.uploadpack", str(trap))
    ran.unlink(missing_ok=True)
    found = dated(one.folder, "pve1", A, B)
    assert found and found[:2] == ("older", first)
    dated(part.folder, "pve1", A, B)
    assert not ran.exists(), ran.read_text()
