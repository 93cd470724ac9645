"""When a script that is not the one built here was built: its digest in git's history of the folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Dated(NamedTuple):
    """A build in git's history.

    age: older, newer or branch (neither before nor after what is checked out); commit:
    the one that brought it, shortened; date: that of the commit, YYYY-MM-DD.
    """

    age: str
    commit: str
    date: str


def dated(folder: Path, node: str, digest: str) -> Dated | None:
    """The build of a node's script by its digest; None where git does not know it, or there is no git.

    folder: what is built, in its place in the working tree; digest: 64 hexadecimal digits,
    as in the script's second line.
    """
    if not _DIGEST.fullmatch(digest):
        return None
    words = ["--all", "--no-textconv", "--no-ext-diff", "--format=%H %h %cs", f"-S{digest}", "--", f"{node}.sh"]
    found = _git(folder, "log", *words)
    if not found:
        return None
    whole, short, date = found.splitlines()[-1].split()
    if _git(folder, "merge-base", "--is-ancestor", whole, "HEAD") is not None:
        return Dated("older", short, date)
    ahead = _git(folder, "merge-base", "--is-ancestor", "HEAD", whole) is not None
    return Dated("newer" if ahead else "branch", short, date)


def _git(folder: Path, *words: str) -> str | None:
    """What git prints; None where it fails or is not there."""
    try:
        called = ["git", "-C", str(folder), *words]
        done = subprocess.run(called, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
