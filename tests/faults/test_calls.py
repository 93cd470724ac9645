"""A system call that fails, on each path that the script writes to: the run says so, and no file is ever half.

An undisturbed run shows which paths are written, renamed, removed, made or synced by the script and the plain tools
that it calls. Each (call, path) fails with each of the errors, for as long as the run lasts.
"""

from __future__ import annotations

import functools
import re

import pytest
from sandbox import Tree
from scripts import support
from scripts.nodes import TARGETS
from scripts.support import Run

from . import sample
from .table import COLUMNS, LOCAL, hand_over
from .test_killed import cells
from .trials import KINDS, UNLIKE, end_state, points_of, seen, trial, undisturbed

pytestmark = [pytest.mark.sandbox, pytest.mark.faults]

CALLS, DISK = "ENOSPC, EIO, EROFS, EACCES on a call that writes", "a full disk"
SAMPLE = {
    CALLS: dict(zip(COLUMNS, (14, 8, 2, 2), strict=True)),
    DISK: dict(zip(LOCAL, (3, 2), strict=True)),
}
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES")
KIND_OF = {call: kind for kind, calls in KINDS.items() for call in calls.split(",")}
# The shell itself, and the tools that do no more than their own name says.
TOOLS = "dash|cp|mv|rm|ln|mkdir|rmdir|chmod|chown|sync|cat|touch|install|tee|mktemp|dd|tar|flock|ssh-keygen"
PLACES = re.compile(r"/(etc|root|var/lib/pvegen|var/log/pvegen|run/pvegen)(/|$)")
# What the stand-ins of pvecm and systemctl write by means of the same tools.
OTHERS = re.compile(r"/etc/(pve|systemd|rc\.d|resolv\.conf)|/root/\w+\.sh$")
LINE = re.compile(rf"\d+<(?:{TOOLS})>\s+(\w+)\((.*)")

Failing = tuple[str, str, str]
"""(kind of call, path, error)"""


@functools.cache
def failing(role: str, target: str) -> list[Failing]:
    """Every (kind, path, error) of an undisturbed run."""

    found = {point for line in seen(role, target).lines for point in _written(line)}
    return [(kind, path, error) for kind, path in sorted(found) for error in ERRORS]


def _written(line: str) -> list[tuple[str, str]]:
    """The (kind, path) of a line of strace's that is one of the script's own and writes."""
    found = LINE.match(line)
    if not found or found[1] not in KIND_OF:
        return []
    kind, words = KIND_OF[found[1]], found[2]
    if kind == "open" and not re.search("O_WRONLY|O_RDWR|O_CREAT", words):
        return []
    if kind == "write":
        # Of copy_file_range the second file is the one that is written.
        paths = re.findall(r"\d<(/[^>]*)>", words)[-1 if "copy" in found[1] else 0 :][:1]
    else:
        # Mkdir goes down step by step, and names each step alone.
        paths = re.findall(r'"((?:[^"\\]|\\.)+)"', words) or re.findall(r"^\d+<(/[^>]*)>", words)
        paths = paths[-1:] if kind in ("rename", "link") else paths
    if kind == "mkdir":
        return [(kind, path) for path in paths if "/" not in path and path not in ("etc", "var", "lib", "root", "run")]
    return [(kind, path) for path in paths if PLACES.match(path) and not OTHERS.match(path)]


def half(before: Tree, wanted: Tree, now: Tree) -> list[str]:
    """The files that are neither as they were nor as they are to be, nor whole as a step between has them.

    One that was cut short is the beginning of another, or ends within a line.
    """
    found = []
    for path, entry in now.items():
        others = [tree[path] for tree in (before, wanted) if path in tree]
        if not others or entry in others or entry.kind != "file" or path.startswith((support.STATE, *UNLIKE)):
            continue
        text = entry.text
        cut = any(other.kind == "file" and other.text.startswith(text) for other in others)
        if cut or not text.endswith("\n") or entry.mode not in {other.mode for other in others}:
            found.append(f"{path}: {entry}")
    return found


def names(done: Run, path: str) -> bool:
    """Whether what the run said names the path, the file that it stands for, or a directory above it."""
    plain = re.sub(r"/\.?([^/]*?)\.(pvegen|new|next)$", r"/\1", path)
    said = [word.rstrip(".,:;/'") for word in re.findall(r"(?<![\w/])/[\w./@+-]+", done.stdout + done.stderr)]
    return any(
        plain == word or plain.startswith(f"{word}/") or path in word or plain in word for word in said if len(word) > 4
    )


def ended_well(done: Run, why: object) -> None:
    """Exit status 1 or 78 and a reason."""
    assert done.status in (1, 78), (why, str(done))
    # No digest, or that of nothing at all.
    unread = re.search(r"^This copy is damaged: its digest is (\?|e3b0c44298fc[0-9a-f]{52})", done.stderr, re.M)
    before_all = done.status == 78 and unread
    assert before_all or re.search(r"^Bail out! .|^# Not as described", done.stdout, re.M), (why, str(done))


@pytest.mark.parametrize(("row", "column", "part"), cells(CALLS))
def test_a_call_that_fails(row: str, column: str, part: int, request: pytest.FixtureRequest) -> None:
    points, mine = points_of(row, column, part, SAMPLE[row][column], failing)
    for role, target, (kind, path, error) in mine:
        why = f"{error} on {kind} of {path}: {role} {target}"
        with trial(role, target) as tried:
            before = tried.box.changes()
            calls = KINDS[kind]
            words = ["strace", "-f", "-D", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-P", path]
            ran = tried.apply(*words, "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}")
            done = Run(ran.status, ran.stdout, ran.stderr)
            if ".receipt" in path and kind != "unlink":
                # It comes after all work, and does not change how that has ended.
                assert done.status == 0 and re.search("^# No receipt: .", done.stdout, re.M), (why, str(done))
            elif done.status != 0 or kind == "sync":
                ended_well(done, why)
                assert path.startswith("/") is False or names(done, path), (why, str(done))
            assert half(before, undisturbed(role, target), end_state(tried.box)) == [], (why, str(done))
            # Services that the run has started stay under strace: without it their calls would fail.
            if error == "EIO" and role == "alone":
                tried.box.power_cut()
            tried.finish(why, booted=error == "EIO")
    hand_over(request, row, column, points, len(mine), part, sample.PARTS)


@functools.cache
def sizes(role: str, target: str) -> list[int]:
    """Bytes that are free on a disk that gets full."""
    return [4096 * pages for pages in range(0, 64)]


@pytest.mark.parametrize(("row", "column", "part"), cells(DISK))
def test_a_full_disk(row: str, column: str, part: int, request: pytest.FixtureRequest) -> None:
    points, mine = points_of(row, column, part, SAMPLE[row][column], sizes)
    for role, target, free in mine:
        why = f"{free} bytes free: {role} {target}"
        with trial(role, target) as tried:
            before = tried.box.changes()
            tried.box.fill_disk(free)
            ran = tried.apply()
            tried.box.empty_disk()
            done = Run(ran.status, ran.stdout, ran.stderr)
            if done.status:
                ended_well(done, why)
                assert re.search(r"cannot write|No space left|free", done.stdout + done.stderr), (why, str(done))
            assert half(before, undisturbed(role, target), end_state(tried.box)) == [], (why, str(done))
            tried.finish(why, booted=True)
    hand_over(request, row, column, points, len(mine), part, sample.PARTS)


@pytest.mark.parametrize("target", TARGETS)
def test_the_points_are_found(target: str) -> None:
    """The list is of the script's own paths, with those that matter in it."""
    found = {(kind, path) for kind, path, _ in failing("alone", target)}
    assert {"open", "write", "rename", "unlink", "sync", "mkdir", "mode"} <= {kind for kind, _ in found}
    assert ("rename", "/etc/hosts") in found
