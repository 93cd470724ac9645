"""Nodes of one cluster: descriptions in few words, their sandboxes on one switch, and what the nodes then see."""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from faults.sample import EVERY
from sandbox import SHELLS, Sandbox, Saved, Switch, made_once
from sandbox.machine import Machine
from sandbox.patience import LONGEST

from . import support
from .support import Run

GATEWAY = "10.0.0.1"
PASSWORD = "secret"
ANSWERS = {"(yes/no": "yes", "assword": PASSWORD}
"""To what ssh asks: whether the host key is right, and the password."""
LIMITS = {"unit": 10, "network": 8, "quorum": 15, "join": 60, "api": 15, "ssh": 10 * LONGEST}
TARGETS = ("alt-p8", "alt-p11")


def shells_and_targets(but: str = "") -> list[tuple[str, str]]:
    """(target, shell): every shell BUT one in turn on one target or the other, dash on both; all of both where EVERY.

    For what hangs on the shell, and on the target no more than what dash shows.
    """
    names = [name for name in SHELLS if name != but]
    return [
        (target, name)
        for number, name in enumerate(names)
        for turn, target in enumerate(TARGETS)
        if EVERY or name == "dash" or number % len(TARGETS) == turn
    ]


def grouped(name: str) -> list[Any]:
    """The targets as parameters of a fixture that is dear to make: with --dist loadgroup one worker makes it."""
    return [pytest.param(target, marks=pytest.mark.xdist_group(f"{name}-{target}")) for target in TARGETS]


def address(number: int) -> str:
    """The address of the node numbered from 1, without prefix length."""
    return f"10.0.0.{250 + number}"


def description(
    target: str = "alt-p8",
    nodes: int | Sequence[str] = 2,
    *,
    network: str = "",
    tables: str = "",
    limits: Mapping[str, int] | None = None,
    cluster: str = "",
) -> str:
    """A description with short limits. nodes: a count, or further lines for each node's table; tables: whole tables.

    A node has its address and eth0 as its NIC unless its own lines say so.
    """
    lines = ["format = 1", "[cluster]", 'name = "mypve"', f'target = "{target}"', 'domain = "example.org"', cluster]
    lines += ["[network]", f'gateway = "{GATEWAY}"', network, "[limits]"]
    lines += [f"{name} = {value}" for name, value in {**LIMITS, **(limits or {})}.items()]
    lines += [tables]
    for number, own in enumerate([""] * nodes if isinstance(nodes, int) else nodes, 1):
        lines += ["[[node]]", f'name = "pve{number}"']
        table = own.partition("[[")[0]
        lines += [] if re.search(r"^address =", table, re.M) else [f'address = "{address(number)}/24"']
        lines += [] if re.search(r"^nic =", table, re.M) else ['nic = "eth0"']
        lines += [own]
    return "\n".join(line for line in lines if line) + "\n"


@functools.cache
def root_key(name: str, bits: int = 1024) -> tuple[str, str]:
    """A key pair of root's for the node: private and public; small, since the script's own takes seconds to make."""
    return made_once(f"root's key on {name}, {bits} bits", functools.partial(_new_key, name, bits))


def _new_key(name: str, bits: int) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "key")
        words = ["ssh-keygen", "-q", "-t", "rsa", "-b", str(bits), "-N", "", "-C", f"root@{name}", "-f", str(path)]
        subprocess.run(words, check=True)
        return path.read_text(), Path(f"{path}.pub").read_text()


class Nodes:
    """Sandboxes pve1, pve2, ... of one description on one switch, each with its script at /root/NAME.sh.

    names: which of the description's nodes to make, all by default; key: whether root has a key pair before the
    script makes one; saved: what `save` gave of earlier ones, from where they go on; more_nics: {name: addresses} of NICs
    beside eth0; switch: what they are plugged into, a plain one by default; options: those of Sandbox, for all.
    """

    def __init__(
        self,
        text: str,
        names: Sequence[str] = (),
        *,
        key: bool = True,
        saved: Mapping[str, Saved] | None = None,
        more_nics: Mapping[str, Sequence[str]] | None = None,
        switch: Switch | None = None,
        **options: Any,
    ) -> None:
        self.text, self.scripts = text, support.build(text)
        self.system = support.target_of(text)
        self.node: dict[str, Sandbox] = {}
        self._names = names or list(self.scripts)
        self._key = key
        self.switch = switch or Switch(f"{GATEWAY}/24")
        self._more_nics = dict(more_nics or {})
        self._saved = dict(saved or {})
        self._options = {"root_password": PASSWORD, "gateway": GATEWAY, **options}
        self._stack = ExitStack()

    def __enter__(self) -> Nodes:
        with ExitStack() as stack:
            stack.enter_context(self.switch)
            self._stack = stack
            for name in self._names:
                self.add(name)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, name: str, **options: Any) -> Sandbox:
        """One more node on the switch."""
        number = int(name.removeprefix("pve"))
        saved = self._saved.pop(name, None)
        nics = {"eth0": [f"{address(number)}/24"], **self._more_nics}
        made = {"system": self.system, "nics": nics, **self._options, **options, "saved": saved}
        box = Sandbox(hostname=name, switch=self.switch, **made)
        self.node[name] = self._stack.enter_context(box)
        box.put(f"/root/{name}.sh", self.scripts[name])
        if self._key and saved is None:
            private, public = root_key(name)
            box.put("/root/.ssh/id_rsa", private, 0o600)
            box.put("/root/.ssh/id_rsa.pub", public)
        return box

    def save(self) -> dict[str, Saved]:
        """Shuts all nodes down, and gives what others need to go on from there."""
        return {name: box.save() for name, box in self.node.items()}

    def __getitem__(self, name: str) -> Sandbox:
        return self.node[name]

    def rebuild(self, text: str) -> None:
        """Carries the scripts of another description to the nodes."""
        self.text, self.scripts = text, support.build(text)
        for name, box in self.node.items():
            box.put(f"/root/{name}.sh", self.scripts[name])

    def call(self, name: str, *words: str, **options: Any) -> Run:
        """Runs a node's script there; options are those of support.run."""
        options.setdefault("tap", words[:1] in (("apply",), ("check",), ("verify",)) and "answers" not in options)
        return support.run(self.node[name], *words, path=f"/root/{name}.sh", **options)

    def apply(self, name: str, *words: str, **options: Any) -> Run:
        return self.call(name, "apply", *words, **options)

    def verify(self, name: str) -> Run:
        return self.call(name, "verify")

    def prepare(self, name: str, **options: Any) -> None:
        """Applies a joining node's script up to the join, where it stops for want of trust."""
        done = self.apply(name, **options)
        assert done.status == 1 and "does not get into" in bail(done), str(done)

    def join(self, name: str, member: str = "pve1", **options: Any) -> Run:
        """Opens the member and joins by password on a terminal; gives the apply that did it."""
        self.call(member, "admit", **options).expect(0)
        return self.apply(name, answers=ANSWERS, **options).expect(0)

    def form(self, shell: str = "dash") -> None:
        """Brings all nodes into the cluster, one after the other, by scripts that SHELL runs; closes the first again."""
        first, *others = self.node
        self.apply(first, shell=shell).expect(0)
        for name in others:
            self.prepare(name, shell=shell)
            self.join(name, first, shell=shell)
        self.call(first, "close", shell=shell).expect(0)

    def whole(self, shell: str = "dash") -> None:
        """Fails unless all see all, in quorum, nothing is left over, and their scripts find all well and nothing to do."""
        self.agree()
        for name, box in self.node.items():
            assert trash(box) == [], name
            support.sound_and_nothing_to_do(box, shell, f"/root/{name}.sh")

    def agree(self) -> None:
        """Fails unless each node sees all of them, and no other, in quorum: soon, for one whose network was switched."""
        wanted = {name: (dict.fromkeys(self.node, True), True) for name in self.node}
        end = time.monotonic() + 15 * LONGEST
        while (found := {name: (members(box), in_quorum(box)) for name, box in self.node.items()}) != wanted:
            assert time.monotonic() < end, found
            time.sleep(0.1)

    def roll_back(self, shell: str = "dash") -> None:
        """Rolls all back, the last one first: they stay in the cluster, and apply and verify hold again."""
        for name in reversed(self.node):
            assert "pvecm delnode" in self.call(name, "rollback", shell=shell).expect(0).stdout
        for name in self.node:
            self.agree()
            self.apply(name, shell=shell).expect(0)
            self.call(name, "verify", shell=shell).expect(0)


def bail(done: Run) -> str:
    """The reason on the line "Bail out!"; empty without one."""
    found = re.search(r"^Bail out! (.*)$", done.stdout, re.M)
    return found[1] if found else ""


def members(box: Sandbox) -> dict[str, bool]:
    """{name: online} of the nodes that a member sees in /etc/pve/.members."""
    text = box.read("/etc/pve/.members")
    return {name: online == "1" for name, online in re.findall(r'"(\w+)": \{ "id": \d+, "online": (\d)', text)}


def in_quorum(box: Sandbox) -> bool:
    return '"quorate": 1' in box.read("/etc/pve/.members")


def known_to_pve(box: Machine, name: str) -> list[str]:
    """Words of ssh to a node as PVE itself gives them: from pve-cluster 8.0.6 on its host key is in a file of its own."""
    file = f"/etc/pve/nodes/{name}/ssh_known_hosts"
    words = [f"HostKeyAlias={name}", f"UserKnownHostsFile={file}", "GlobalKnownHostsFile=none"]
    return [word for one in words for word in ("-o", one)] if box.exists(file) else []


def login(box: Sandbox) -> tuple[str, str]:
    """sshd's PermitRootLogin and PasswordAuthentication for root, as it says itself."""
    text = box.run("sshd -T -C user=root,host=localhost,addr=127.0.0.1").check().stdout
    found = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    return found["permitrootlogin"].replace("without-password", "prohibit-password"), found["passwordauthentication"]


def trash(box: Sandbox) -> list[str]:
    """Temporary files of ours that are left anywhere on the node's disk."""
    return [path for path in box.changes() if re.search(r"\.pvegen$|\.(new|next)$", path)]
