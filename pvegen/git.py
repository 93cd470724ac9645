"""Calls of git in the repository that a folder is in, whatever a hook's environment says of another one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# Of the repository that git has run us for, with paths from where it did.
_OTHERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")
# Nothing is fetched or asked in between.
_ALONE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
LIMIT = 60
"""Seconds that a call may take."""


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """One call, whatever comes of it. Raises OSError where there is no git, subprocess.TimeoutExpired."""
    alone = {name: value for name, value in os.environ.items() if name not in _OTHERS} | _ALONE
    return subprocess.run(
        ["git", "-C", str(folder), *words],
        stdin=subprocess.DEVNULL, capture_output=True, env=alone, timeout=LIMIT, check=False,
    )  # fmt: skip
