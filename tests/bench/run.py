"""What pvegen costs, as ratios to what cannot be had for less, all measured in this run.

    python tests/bench/run.py [a b c d]

Each ratio is of medians; the two sides of it run in turns, so that whatever else the
machine does falls on both. d needs what the sandbox needs (root, namespaces).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

IMPORTS = "import click, jinja2, tomllib, tomli_w"
HEAD = """\
format = 1
[cluster]
name = "{name}"
target = "{target}"
domain = "example.org"
[network]
gateway = "10.0.0.254"
nic = "eth0"
"""
NODE = """\
[[node]]
name = "{name}{number}"
address = "10.0.0.{number}/24"
"""


class Desk:
    """A folder to build in, with everything compiled beforehand as it is where pvegen is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.env |= {
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(folder / "pyc"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def run(self, words: Sequence[object]) -> float:
        """Run a command to its end; seconds."""
        began = time.perf_counter()
        done = subprocess.run([*map(str, words)], env=self.env, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{words}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return time.perf_counter() - began

    def build(self, *arguments: object) -> float:
        return self.run([sys.executable, "-m", "pvegen", "build", *arguments])

    def describe(self, name: str, nodes: int, target: str = "alt-p11") -> Path:
        """A description of so many nodes that are all alike."""
        path = self.folder / f"{name}.toml"
        text = "".join(NODE.format(name="pve", number=number) for number in range(1, nodes + 1))
        path.write_text(HEAD.format(name=name, target=target) + text)
        return path

    def shellcheck(self) -> list[object]:
        """One run of ShellCheck on one script."""
        from pvegen import lint

        if not (self.folder / "dist" / "three").exists():
            self.build("--no-lint", self.describe("three", 3))
        return [*lint.command()[:-1], self.folder / "dist" / "three" / "pve2.sh"]


def in_turns(times: int, *sides: Callable[[], float]) -> list[float]:
    """The median of each side, after one run of each that does not count."""
    for side in sides:
        side()
    rounds = [[side() for side in sides] for _ in range(times)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def tell(what: str, ours: float, theirs: float, aim: float, note: str) -> None:
    """One ratio, and whether it is what it should be."""
    ratio = ours / theirs
    verdict = "ok" if ratio <= aim else "MISSED"
    print(f"{what}: {ratio:.2f} (aim: at most {aim:g}, {verdict})\n   {note}", flush=True)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def bench_a(desk: Desk) -> None:
    """Three nodes without lint."""
    path = desk.describe("three", 3)
    build, imports = in_turns(
        21, lambda: desk.build("--no-lint", path), lambda: desk.run([sys.executable, "-c", IMPORTS])
    )
    note = f"{milliseconds(build)} to {milliseconds(imports)} for importing click, jinja2, tomllib and tomli_w"
    tell("a. three nodes without lint", build, imports, 1.5, note)


def bench_b(desk: Desk) -> None:
    """Three nodes with lint."""
    path, shellcheck = desk.describe("three", 3), desk.shellcheck()
    build, once = in_turns(5, lambda: desk.build(path), lambda: desk.run(shellcheck))
    note = f"{milliseconds(build)} to {milliseconds(once)} for one ShellCheck run on one script"
    tell("b. three nodes with lint", build, once, 1.5, note)


def bench_c(desk: Desk) -> None:
    """A thousand nodes: 250 clusters, on two systems."""
    paths = [desk.describe(f"c{number}", 4, ("alt-p8", "alt-p11")[number % 2]) for number in range(250)]
    shellcheck = desk.shellcheck()
    before = desk.run(shellcheck)
    build = desk.build(*paths)
    once = (before + desk.run(shellcheck)) / 2
    note = f"{milliseconds(build)} to {milliseconds(once)} for one ShellCheck run on one script"
    tell("c. 1,000 nodes in 250 clusters, with lint", build, once, 10, note)


def bench_d(desk: Desk) -> None:
    """A node run that changes nothing, in a sandbox under dash."""
    from node import compare
    from sandbox import missing_requirement

    if reason := missing_requirement():
        print(f"d. a node run that changes nothing: not measured: {reason}")
        return
    for system in ("alt-p8", "alt-p11"):
        path = desk.describe(f"one-{system}", 1, system)
        desk.build("--no-lint", path)
        script = (desk.folder / "dist" / path.stem / "pve1.sh").read_text()
        for call in ("apply", "check"):
            run, bare, counts = compare(system, script, call)
            note = f"{milliseconds(run)} to {milliseconds(bare)} for the bare commands that look; {counts}"
            tell(f"d. {call} that changes nothing, {system}", run, bare, 2, note)


def main() -> None:
    benches = {"a": bench_a, "b": bench_b, "c": bench_c, "d": bench_d}
    chosen = sys.argv[1:] or list(benches)
    if unknown := set(chosen) - set(benches):
        sys.exit(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(benches)}")
    with tempfile.TemporaryDirectory(prefix="pvegen-bench-") as folder:
        for name in chosen:
            benches[name](Desk(Path(folder)))


if __name__ == "__main__":
    main()
