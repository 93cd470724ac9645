"""What tests of node scripts share: scripts built in process, runs of them, and the pictures before and after."""

from __future__ import annotations

import functools
import os
import re
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import Change, Sandbox, Tree, diff_trees
from sandbox.patience import LONGEST

from .tap import Tap, parse

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
WIKI = (EXAMPLES / "mypve.toml").read_text("utf-8")
"""The wiki's two nodes on alt-p8, as the example has them."""
P11 = WIKI.replace('target = "alt-p8"', 'target = "alt-p11"')
"""The same two nodes on alt-p11."""
TEXTS = {"alt-p8": WIKI, "alt-p11": P11}
ONE = """
format = 1
[cluster]
name = "alone"
target = "{target}"
domain = "example.org"
timezone = "Europe/Moscow"
[network]
gateway = "10.0.0.1"
[[node]]
name = "pve1"
address = "10.0.0.251/24"
nic = "eth0"
"""
"""One local node; to be formatted with its target."""

PLACE = "/root/pve1.sh"
LOG = "/var/log/pvegen"
STATE = "/var/lib/pvegen"
# What is no work of a script: kernel file systems, the stand-ins' own state, and what a daemon keeps for itself.
NOT_OURS = ("/proc", "/sys", "/dev", "/run/standin", "/var/lib/standin", "/etc/pve", "/run/lock", "/run/pvegen")


def target_of(text: str) -> str:
    """The target that a description's text names: its sandbox's system has the same name."""
    return str(tomllib.loads(text)["cluster"]["target"])


@functools.cache
def view(text: str) -> Any:
    """A description's text with all that is derived; AssertionError with the mistakes where it has some."""
    from pvegen.description import load

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cluster.toml")
        Path(path).write_text(text, "utf-8")
        loaded = load(path)
    assert loaded.view is not None, [str(mistake) for mistake in loaded.mistakes]
    return loaded.view


@functools.cache
def build(text: str) -> dict[str, str]:
    """{node: script} of a description's text; AssertionError with the mistakes where it has some."""
    from pvegen import target
    from pvegen.plan import plan

    system = target.load(view(text).description.cluster.target)
    return {script.node: renderer().script(script).text for script in plan(view(text), system)}


@functools.cache
def renderer() -> Any:
    from unittest import mock

    from pvegen.render import Renderer

    with mock.patch.dict(os.environ, XDG_CACHE_HOME="/dev/null"):  # templates are not kept in anybody's home
        return Renderer()


def changed(text: str, *pairs: tuple[str, str]) -> str:
    """TEXT with each (old, new) of PAIRS replaced; every old has to be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def edit(box: Sandbox, *pairs: tuple[str, str], path: str = PLACE, to: str = "") -> None:
    """Replaces each (old, new) of PAIRS in the script at PATH, and has it agree with its digest again.

    to: where to write it instead.
    """
    from pvegen.render import signed

    box.put(to or path, signed(changed(box.read(path), *pairs)))


@dataclass
class Run:
    """One run of a script: exit status, output, and the output as TAP (None where it is none: help, wrong calls)."""

    status: int
    stdout: str
    stderr: str
    tap: Tap = field(default_factory=Tap)

    def __str__(self) -> str:
        return f"exit status {self.status}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"

    def expect(self, status: int) -> Run:
        """Itself where it ended with STATUS and wrote no error, else an AssertionError with all of the output."""
        assert self.status == status, str(self)
        assert self.stderr == "", str(self)
        return self

    @property
    def failures(self) -> list[str]:
        """The descriptions of the points that failed."""
        return [point.description for point in self.tap.failures()]

    @property
    def changes(self) -> int:
        """The count of changes that an apply or a check says; 0 where it says that there is nothing to do."""
        found = re.search(r"^# (?:Done\. Changes|Changes that wait): (\d+)", self.stdout, re.MULTILINE)
        assert found or self.status != 0 or "Nothing to do" in self.stdout, str(self)
        return int(found.group(1)) if found else 0


def run(box: Sandbox, *arguments: str, path: str = PLACE, shell: str = "dash", tap: bool = True, **more: Any) -> Run:
    """Runs the script at PATH in BOX; MORE are options of Sandbox.run. The output is read as TAP unless told not to."""
    done = box.run_file(path, *arguments, shell=shell, **{"timeout": 90, **more})
    out = Run(done.status, done.stdout, done.stderr)
    if tap:
        try:
            out.tap = parse(done.stdout)
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\n{out}") from None
    return out


def check(box: Sandbox, **more: Any) -> Run:
    return run(box, "check", **more)


def apply(box: Sandbox, *arguments: str, **more: Any) -> Run:
    return run(box, "apply", *arguments, **more)


def verify(box: Sandbox, **more: Any) -> Run:
    return run(box, "verify", **more)


def until_free(box: Sandbox) -> None:
    """Waits until nothing holds the lock: a command that a killed run has left does, for a moment."""
    box.run(f"[ ! -e /run/pvegen/lock ] || flock -w {20 * LONGEST} /run/pvegen/lock true").check()


def picture(box: Sandbox, *, skip: Sequence[str] = ()) -> Tree:
    """All of the node's disk that differs from a fresh installation, and /run."""
    tree = box.changes() | box.tree("/run")
    left_out = (*NOT_OURS, *skip)
    return {
        path: entry
        for path, entry in tree.items()
        if not any(path == top or path.startswith(f"{top}/") for top in left_out)
    }


def says_room(box: Sandbox) -> None:
    """From now on df says that there is room: a disk that fills up after the script has looked."""
    box.put("/usr/sbin/df", "#!/bin/sh\nprintf 'head\\nnode 1 0 1000000 0%% /\\n'\n", 0o755)


def untouched(before: Tree, after: Tree) -> list[Change]:
    """What differs between two pictures, for `assert untouched(a, b) == []`."""
    return diff_trees(before, after)


# Verbs of systemctl that touch nothing.
_LOOKS = {"show", "status", "is-active", "is-enabled", "is-failed", "cat", "list-unit-files", "is-system-running"}


def unit_calls(box: Sandbox) -> list[list[str]]:
    """The calls of systemctl since `forget_calls` that did more than look."""
    return [words for words in box.calls("systemctl") if not _LOOKS & set(words[1:])]


def sound_and_nothing_to_do(box: Sandbox, shell: str = "dash", path: str = PLACE) -> None:
    """Verifies, and applies the script again, which changes nothing at all."""
    verify(box, path=path, shell=shell).expect(0)
    before = picture(box, skip=[LOG])
    box.forget_calls()
    assert apply(box, path=path, shell=shell).expect(0).changes == 0
    assert (unit_calls(box), box.calls("pvecm")) == ([], [])
    assert untouched(before, picture(box, skip=[LOG])) == []


def neutral(text: str) -> str:
    """TEXT without what two runs cannot have in common: times, numbers of processes, digests of receipts."""
    text = re.sub(r"digest [2-9ACFHJKPRX-]{25}$", "digest DIGEST", text, flags=re.MULTILINE)
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*", "TIME", text)
    text = re.sub(r"pvegen-network-\d+-", "pvegen-network-N-", text)
    return re.sub(r"(pid|PID) \d+", r"\1 N", text)
