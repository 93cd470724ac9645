"""When a script that is not the one built here was built: its digest in git's history."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from pvegen.git import git

_DIGEST = re.compile(r"[0-9a-f]{64}")
# Whatever the repository's own configuration wants: nothing is run or shown in between.
_LOG = (
    "-c", "log.showRoot=true", "log", "--exclude=refs/stash", "--all", "--full-history", "--topo-order", "-m", "-s",
    "--no-show-signature", "--no-textconv", "--no-ext-diff", "--no-color", "--date=short", "--format=%H %h %cd",
)  # fmt: skip


class Dated(NamedTuple):
    """A build in git's history.

    age: older or newer than what is built here, or branch (neither is before the other);
    commit: the one that brought it, shortened; date: that of the commit, YYYY-MM-DD.
    """

    age: str
    commit: str
    date: str


class _Commit(NamedTuple):
    whole: str
    short: str
    date: str


def dated(folder: Path, node: str, digest: str, built: str) -> Dated | None:
    """The build of a node's script by its digest; None where git does not know it.

    Nor does it where it has a part of the history alone (a shallow clone), or is not there.
    folder: what is built, in its place in the working tree; digest, built: 64 hexadecimal
    digits, as in a script's second line, of what ran on the node and of what is built here.
    """
    if not _DIGEST.fullmatch(digest) or _git(folder, "rev-parse", "--is-shallow-repository") != "false\n":
        return None
    found = _brought(folder, node, digest)
    here = _commit_of(folder, node, built)
    after = [commit for commit in found if commit.whole != here and _is_before(folder, here, commit.whole)]
    if after:
        return _of("newer", after[-1])
    before = [commit for commit in found if _is_before(folder, commit.whole, here)]
    if before:
        return _of("older", before[0])
    return _of("branch", found[0]) if found else None


def _of(age: str, commit: _Commit) -> Dated:
    return Dated(age, commit.short, commit.date)


def _commit_of(folder: Path, node: str, built: str) -> str:
    """Where what is built here stands in the history: what is checked out, unless that has another build."""
    brought = [] if _has(folder, node, built, "HEAD") else _brought(folder, node, built)
    return brought[0].whole if brought else (_git(folder, "rev-parse", "HEAD") or "").strip()


def _brought(folder: Path, node: str, digest: str) -> list[_Commit]:
    """The commits that brought a build, the newest first: wherever the folder was then, and in merges, too."""
    lines = (_git(folder, *_LOG, f"-S{digest}", "--", _script(node)) or "").splitlines()
    commits = [_Commit(*line.split()) for line in dict.fromkeys(lines)]
    # Those that took it away are found as well.
    return [commit for commit in commits if _has(folder, node, digest, commit.whole)]


def _script(node: str) -> str:
    return f":(top,glob)**/{node}.sh"


def _has(folder: Path, node: str, digest: str, commit: str) -> bool:
    return _git(folder, "grep", "-q", "-F", "-e", digest, commit, "--", _script(node)) is not None


def _is_before(folder: Path, one: str, other: str) -> bool:
    """Whether a commit is the other one, or before it."""
    return _git(folder, "merge-base", "--is-ancestor", one, other) is not None


def _git(folder: Path, *words: str) -> str | None:
    """What git prints; None where it fails or is not there."""
    try:
        done = git(folder, *words)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
