"""Trials: a fresh node with its script, for a run that is disturbed, and the end state that the next one has to reach.

A column of the table is a role of the node (alone, first, joiner) on one or both network backends.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sandbox import SHELLS, Entry, Result, Sandbox, Saved, Tree, diff_trees, made_once
from scripts import support
from scripts.nodes import TARGETS, Nodes, bail, description, trash
from scripts.support import Run
from scripts.test_join import a_pair, wait

from . import sample
from .table import COLUMNS

LIMITS = "[limits]\nunit = 10\nnetwork = 8\napi = 15\n"
# Files of an administrator's in what the script writes to: they are there at the end too.
ADMINS = {
    "/etc/hosts": "127.0.0.1 localhost.localdomain localhost\n10.0.0.9 printer # second floor\n",
    "/etc/net/ifaces/eth0/wpa.conf": "mine\n",
    "/etc/sysconfig/clock": "# by hand\nZONE=Asia/Omsk\nUTC=true\n",
}
# Logs, databases and keys are never alike.
# ifupdown2 and resolvconf leave files of their own empty on a full disk.
UNLIKE = (
    "/etc/iproute2",
    "/var/tmp",
    "/etc/resolv.conf",
    support.LOG,
    "/var/lib/pve-cluster",
    "/run",
    "/root/.ssh",
    "/etc/corosync/authkey",
    "/var/lock",
    # Where stand-ins are put that misbehave.
    "/usr/sbin",
    "/usr/lib/real",
)
# Calls of one kind, which fail together: which of them a tool uses is its own affair.
KINDS = {
    "open": "open,openat,creat",
    "write": "write,pwrite64,writev,copy_file_range,sendfile",
    "rename": "rename,renameat,renameat2",
    "link": "link,linkat,symlink,symlinkat",
    "unlink": "unlink,unlinkat,rmdir",
    "mkdir": "mkdir,mkdirat",
    "mode": "chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat",
    "sync": "fsync,fdatasync,sync_file_range",
}
WRITING = ",".join(KINDS.values())
ROLES: dict[str, list[tuple[str, str]]] = {
    COLUMNS[0]: [("alone", "alt-p8")],
    COLUMNS[1]: [("alone", "alt-p11")],
    COLUMNS[2]: [("first", target) for target in TARGETS],
    COLUMNS[3]: [("joiner", target) for target in TARGETS],
}
"""Column of the table: the (role, target) that it has."""


@dataclass
class Trial:
    """A node of a role with its script, which nothing has run yet."""

    role: str
    target: str
    box: Sandbox
    nodes: Nodes | None = None
    shell: str = "dash"

    @property
    def path(self) -> str:
        return f"/root/{self.box.hostname}.sh"

    def apply(self, *before: str, timeout: float = 300, **more: Any) -> Result:
        """Runs apply behind the words given (strace and its options); a network that is not proved is waited for 180 s."""
        return self.box.run([*before, *self._words(), self.path, "apply"], timeout=timeout, **more)

    def _words(self) -> tuple[str, ...]:
        return ("dash",) if self.shell == "dash" else SHELLS[self.shell]

    def finish(self, why: object, *, booted: bool = False) -> None:
        """Applies again, undisturbed, until the work is done, and looks that all is as if nothing had happened.

        Where the node was BOOTED between, units ran that had not: of what the script has noted down the paths count.
        """
        self._apply_to_the_end(why)
        self.settle()
        wanted, found = undisturbed(self.role, self.target), end_state(self.box)
        if booted:
            wanted, found = without_notes(wanted), without_notes(found)
        changes = diff_trees(wanted, found)
        assert changes == [], f"after {why}: {[(str(c), c.before, c.after) for c in changes]}"
        assert trash(self.box) == [], why
        support.run(self.box, "verify", path=self.path, shell=self.shell).expect(0)

    def _apply_to_the_end(self, why: object) -> None:
        """One more apply is enough, but for a join that was cut in two: there the messages lead on."""
        said = []
        for _ in range(6):
            done = self._apply_when_free()
            if done.status == 0:
                return
            said.append(str(done))
            if self.role != "joiner" or not self._obey(done):
                break
        pytest.fail(f"after {why}\n" + "\n".join(said))

    def _apply_when_free(self) -> Run:
        """What a killed run has left running is waited for, as the message says."""
        for _ in range(60):
            done = support.run(self.box, "apply", path=self.path, shell=self.shell)
            if done.status != 78 or "another run of a pvegen script is under way" not in done.stdout:
                return done
            time.sleep(0.5)
        return done

    def _obey(self, done: Run) -> bool:
        """Does what the messages of a broken-off join say, literally; whether they say anything."""
        assert self.nodes is not None
        if left := re.search(r"what it has left away here: (.+)", done.stdout):
            self.box.run(left[1]).check()
        elif "pvecm delnode pve2" in done.stdout:
            self.nodes["pve1"].run("pvecm delnode pve2")
        elif "pvecm expected 1" in done.stdout:
            self.nodes["pve1"].run("pvecm expected 1").check()
            wait(self.nodes["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
        else:
            return bool(re.search("has no quorum", bail(done)))
        return True

    def settle(self) -> None:
        """Waits until the nodes of the cluster are in agreement."""
        if self.nodes is not None:
            for box in self.nodes.node.values():
                count = len(self.nodes.node)
                wait(box, f'[ "$(grep -c \'"online": 1\' /etc/pve/.members)" -eq {count} ]')


@contextlib.contextmanager
def trial(role: str, target: str) -> Iterator[Trial]:
    """A fresh trial. A joiner is ready to join and trusted, its first node in quorum."""
    files = {path: text for path, text in ADMINS.items() if target == "alt-p8" or path == "/etc/hosts"}
    if role == "alone":
        with Sandbox(target, "pve1", files=files) as box:
            box.put(support.PLACE, support.build(support.ONE.format(target=target) + LIMITS)["pve1"])
            yield Trial(role, target, box)
    elif role == "first":
        with Nodes(description(target, 2), ["pve1"], files=files) as nodes:
            yield Trial(role, target, nodes["pve1"], nodes)
    else:
        saved = made_once(f"joiner {target}", functools.partial(_saved_joiner, target, files))
        with Nodes(description(target, 2), saved=saved) as nodes:
            wait(nodes["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
            yield Trial(role, target, nodes["pve2"], nodes)


def _saved_joiner(target: str, files: dict[str, str]) -> dict[str, Saved]:
    with a_pair(target, files=files) as nodes:
        return nodes.save()


def end_state(box: Sandbox) -> Tree:
    """What is on the disk, lists in the script's own state sorted."""
    found = {}
    for path, entry in box.changes().items():
        if any(path == top or path.startswith(f"{top}/") for top in UNLIKE):
            continue
        if re.fullmatch(rf"{support.STATE}/[^/]+/[^/]+", path) and isinstance(entry.content, bytes):
            lines = set(entry.content.splitlines(keepends=True))
            if path.endswith("/units"):
                # One that two steps tell of their changes may have been told by either.
                lines = {line for line in lines if not line.endswith(b" tell\n")}
            content = b"".join(sorted(lines))
            entry = Entry(entry.kind, entry.mode, entry.uid, entry.gid, content)
        if path == "/etc/corosync/corosync.conf" and isinstance(entry.content, bytes):
            # A join that is led on by hand takes more steps.
            content = re.sub(rb"config_version: \d+", b"config_version: N", entry.content)
            entry = Entry(entry.kind, entry.mode, entry.uid, entry.gid, content)
        found[path] = entry
    return found


def without_notes(tree: Tree) -> Tree:
    """The tree, what stands in the script's own files left out."""
    return {
        path: Entry(entry.kind, entry.mode, entry.uid, entry.gid) if path.startswith(support.STATE) else entry
        for path, entry in tree.items()
    }


@dataclass(frozen=True)
class Seen:
    """What a run that nothing disturbs did: the end state, what it forked, and strace's lines of what it called."""

    state: Tree
    commands: list[tuple[str, int]]
    lines: list[str]


def undisturbed(role: str, target: str) -> Tree:
    """The end state of a run that nothing disturbs."""
    return seen(role, target).state


def commands(role: str, target: str) -> list[tuple[str, int]]:
    """The points before which the script can be killed: (vfork or clone, number from 1)."""
    return seen(role, target).commands


@functools.cache
def seen(role: str, target: str) -> Seen:
    """One run under strace, for all that is asked of it."""

    def make() -> Seen:
        with trial(role, target) as tried:
            words = ["strace", "-f", "-D", "-qq", "-y", "--decode-pids=comm", "--seccomp-bpf", "-o", "/dev/shm/calls"]
            tried.apply(*words, "-e", f"trace=execve,vfork,clone,{WRITING}", "-e", "signal=none").check()
            lines = tried.box.read("/dev/shm/calls").splitlines()
            tried.settle()
            support.run(tried.box, "verify", path=tried.path).expect(0)
            state = end_state(tried.box)
        shell = lines[0].partition("<")[0]
        calls = [found[1] for line in lines if (found := re.match(rf"{shell}<[^>]*>\s+(vfork|clone)\(", line))]
        return Seen(state, [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)], lines)

    return made_once(f"undisturbed {role} {target}", make)


def points_of(
    row: str, column: str, part: int, count: int, of: Callable[[str, str], list[Any]]
) -> tuple[int, list[tuple[str, str, Any]]]:
    """How many points a cell of the table has, those that OF gives, and the (role, target, point) that a part tries."""
    points = {role_and_target: of(*role_and_target) for role_and_target in ROLES[column]}
    picked = [(*group, point) for group, point in sample.pick_named(points, count, row, column)]
    return sum(map(len, points.values())), sample.share(picked, part)
