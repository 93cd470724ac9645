"""Hostile nodes: odd files, names and environments, planted commands and links. Nothing of theirs runs or is followed.

And secrets: passwords and private keys reach no script, log, process list or place that others can read.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sandbox import SHELLS, Sandbox

from . import support
from .conftest import Make
from .nodes import ANSWERS, PASSWORD, TARGETS, Nodes, description, trash

pytestmark = pytest.mark.sandbox

ALONE = {system: support.ONE.format(target=system) for system in support.TEXTS}
SECRET = "kept-secret-5417"

# Odd contents -----------------------------------------------------------------------------------------------------

LINE = b"x" * 1_000_000
CONTENTS: dict[str, bytes] = {
    "binary": bytes(range(1, 256)) * 3 + b"\n",
    "NUL": b"# a\0b\n127.0.0.1 localhost\n",
    "no last line end": b"127.0.0.1 localhost",
    "a very long line": b"127.0.0.1 localhost\n# " + LINE + b"\n",
    "Windows line ends": b"127.0.0.1 localhost\r\n10.0.0.9 printer\r\n",
    "shell text": b"127.0.0.1 localhost\n# $(touch /evil) `touch /evil` \"; touch /evil; '\n%s %n -e \\n *\n",
    "empty": b"",
    "lines of ours alone": b"END\n# END pvegen\n# BEGIN\nx\n",
}
PLACES = {
    "alt-p8": ["/etc/hosts", "/etc/sysconfig/clock", "/etc/timezone", "/etc/net/ifaces/vmbr0/options"],
    "alt-p11": ["/etc/hosts", "/etc/sysconfig/clock"],
}


@pytest.mark.trap("B21")
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("system", PLACES)
def test_odd_contents(make: Make, system: str, content: str) -> None:
    """Each run ends; it ends in the described state or refuses, and what others wrote stays or is kept."""
    box = make(ALONE[system])
    for path in PLACES[system]:
        box.put(path, CONTENTS[content])
    done = support.apply(box)
    assert done.status in (0, 78), str(done)
    assert not box.exists("/evil")
    if done.status == 0:
        support.verify(box).expect(0)
        assert support.apply(box).expect(0).changes == 0
        first = f"{support.STATE}/alone/first/etc/hosts"
        if box.exists(first):
            assert box.root.read(first) == CONTENTS[content]
        if content == "a very long line":
            assert LINE in box.root.read("/etc/hosts")
    else:
        assert all(box.root.read(path) == CONTENTS[content] for path in PLACES[system])
    assert trash(box) == []


NAMES = [
    "with blank",
    "-n",
    "--help",
    "new\nline",
    "*",
    "$(touch evil)",
    "`touch evil`",
    "a'b",
    'a"b',
    "é",
    ".hidden",
    "eth0 ",
]


@pytest.mark.parametrize("system", ALONE)
def test_odd_names(make: Make, system: str) -> None:
    """Files and directories beside ours may be called anything."""
    top = "/etc/net/ifaces" if system == "alt-p8" else "/etc/network/interfaces.d"
    box = make(ALONE[system])
    for name in NAMES:
        # The programs that read these directories pass over such names, or not: that is theirs.
        box.put(f"{top}/{name}" if system == "alt-p11" else f"{top}/{name}/note", "# kept\n")
    box.put("/root/-n", "kept\n")
    done = support.apply(box).expect(0)
    assert done.failures == []
    for name in NAMES:
        assert box.read(f"{top}/{name}" if system == "alt-p11" else f"{top}/{name}/note") == "# kept\n"
    assert box.run(["find", "/", "-xdev", "-name", "evil"]).stdout == ""
    assert support.apply(box).expect(0).changes == 0
    support.verify(box).expect(0)


# Environments -----------------------------------------------------------------------------------------------------

EVIL = "printf 'evil\\n' >>/tmp/evil; exit 0"
SETTINGS = {
    "PATH": "/home/mallory:.:/tmp",
    "IFS": "/etc",
    "ENV": "/home/mallory/env",
    "CDPATH": "/home/mallory:/tmp",
    "GREP_OPTIONS": "-v",
    "POSIXLY_CORRECT": "1",
    "TMPDIR": "/home/mallory",
    "TMP": "/home/mallory",
    "HOME": "/home/mallory",
    "TAR_OPTIONS": "--to-command=/home/mallory/cat",
    "LC_ALL": "tr_TR.UTF-8",
    "PS4": "$(touch /tmp/evil)",
    "SHELL": "/home/mallory/cat",
    "PAGER": "/home/mallory/cat",
    "EDITOR": "/home/mallory/cat",
    "SSH_ASKPASS": "/home/mallory/cat",
    "SSH_AUTH_SOCK": "/home/mallory/socket",
    "RSYNC_RSH": "/home/mallory/cat",
    "GIT_SSH": "/home/mallory/cat",
    "LESSOPEN": "|/home/mallory/cat %s",
    "SYSTEMD_PAGER": "/home/mallory/cat",
    "AWKPATH": "/home/mallory",
    "GCONV_PATH": "/home/mallory",
    "LOCPATH": "/home/mallory",
    "TZDIR": "/home/mallory",
    "NLSPATH": "/home/mallory/%N",
    "OPENSSL_CONF": "/home/mallory/openssl.cnf",
    "RES_OPTIONS": "debug timeout:1",
    "HOSTALIASES": "/home/mallory/hosts",
    "BASH_FUNC_cat%%": "() { touch /tmp/evil; }",
    "BASH_FUNC_main%%": "() { touch /tmp/evil; }",
    "MAILPATH": "/home/mallory",
    "PYTHONPATH": "/home/mallory",
    "PERL5OPT": "-Mevil",
}
PLANTED = [
    "cat",
    "ls",
    "awk",
    "cp",
    "mv",
    "rm",
    "mkdir",
    "ip",
    "systemctl",
    "sed",
    "grep",
    "sync",
    "date",
    "id",
    "uname",
    "dash",
    "sh",
    "find",
    "readlink",
    "pvecm",
    "ssh",
]


@contextmanager
def planted(box: Sandbox) -> Iterator[None]:
    """A user's directory full of commands, and afterwards a look that none of them ran."""
    for name in PLANTED:
        box.put(f"/home/mallory/{name}", f"#!/bin/sh\n{EVIL}\n", 0o755)
    box.put("/home/mallory/env", "touch /tmp/evil; alias printf='touch /tmp/evil; printf'\n")
    box.put("/home/mallory/cdpath/etc/x", "")
    box.run("chown -R 1000:1000 /home/mallory; chmod 777 /home/mallory").check()
    yield
    assert not box.exists("/tmp/evil")


@pytest.mark.trap("B21")
@pytest.mark.parametrize("shell", ["dash", "bash-posix", "busybox", "mksh", "yash", "ksh93"])
def test_an_environment_that_somebody_set(make: Make, shell: str) -> None:
    """All of it at once, from a directory of a user's, with the widest of umasks: a whole apply ends as it always does."""
    box = make(ALONE["alt-p8"])
    with planted(box):
        settings = [f"{name}={value}" for name, value in SETTINGS.items()]
        words = ["env", "-C", "/home/mallory", *settings, *SHELLS[shell], support.PLACE, "apply"]
        done = box.run(["/usr/bin/dash", "-c", 'umask 000; exec "$@"', "sh", *words], timeout=120)
        assert done.status == 0, done
    lines = [line for line in done.stderr.splitlines() if not re.search("locale|LC_", line)]
    assert lines == [], done
    modes = {path: entry for path, entry in box.changes().items() if entry.kind in ("file", "directory")}
    open_to_all = [
        path
        for path, entry in modes.items()
        if entry.mode & 0o022 and not path.startswith(("/home", "/tmp", "/var/tmp", "/run"))
    ]
    assert open_to_all == []
    private = [path for path in modes if path.startswith((support.STATE, support.LOG))]
    assert private and box.run(["ls", "/var/log/pvegen", "/var/lib/pvegen/alone"], user="nobody").status != 0
    support.verify(box).expect(0)


def test_libraries_that_somebody_names(make: Make) -> None:
    """What the loader reads is read before any script; what is named there and is no library is passed over."""
    box = make(ALONE["alt-p8"])
    box.put("/home/mallory/evil.so", "no library\n", 0o755)
    words = ["env", "LD_LIBRARY_PATH=/home/mallory", "LD_BIND_NOW=1", "dash", support.PLACE, "apply"]
    assert box.run(words, timeout=120).status == 0
    support.verify(box).expect(0)


@pytest.mark.trap("B17")
@pytest.mark.parametrize("system", ALONE)
def test_planted_links(make: Make, system: str) -> None:
    """Whatever name a script might take in a place that all may write to, a link there leads nowhere."""
    box = make(ALONE[system])
    box.put("/etc/victim", "whole\n", 0o600)
    names = [
        name.format(base=base, pid=pid)
        for base in ("pvegen", "alone", "pve1", "pve1.sh", "hosts", "interfaces", "sh", "tmp", "lock", "script", "x")
        for pid in range(2, 400, 7)
        for name in ("{base}", "{base}.{pid}", "{base}-{pid}", "{base}{pid}", ".{base}", "{base}.tmp", "{base}.lock")
    ]
    script = "cd /tmp && while read -r name; do for top in /tmp /var/tmp /dev/shm /run/lock; do ln -sfn /etc/victim $top/$name; done; done"
    box.run(script, stdin="\n".join(sorted(set(names))) + "\n", user=None).check()
    support.apply(box).expect(0)
    assert box.read("/etc/victim") == "whole\n"
    assert box.tree("/etc/victim")["/etc/victim"].mode == 0o600
    left = box.run("find /tmp /var/tmp /dev/shm /run/lock ! -type l ! -type d").stdout.split()
    assert [path for path in left if "pvegen" in path or "pve1" in path] == []


def test_nothing_is_left_where_all_may_write(make: Make) -> None:
    box = make(ALONE["alt-p11"])
    support.apply(box).expect(0)
    found = box.run("find /tmp /var/tmp /dev/shm /run/lock ! -type d").stdout.split()
    # ifupdown2's own.
    assert [path for path in found if not path.startswith(("/run/lock/pve", "/var/tmp/network/"))] == [], found


# Secrets ----------------------------------------------------------------------------------------------------------


class Watch:
    """Looks at all processes, at /tmp and at the modes of private keys of a node, as often as it can."""

    def __init__(self, *boxes: Sandbox) -> None:
        self.boxes = boxes
        self.seen: set[str] = set()
        self.looks = 0
        self.done = False

    def __enter__(self) -> Watch:
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done = True
        self.thread.join()

    def _watch(self) -> None:
        nodes = {os.stat(f"/proc/{box.pid}/ns/pid").st_ino for box in self.boxes}
        while not self.done:
            self.looks += 1
            for process in filter(str.isdigit, os.listdir("/proc")):
                self._look_at(process, nodes)
            for box in self.boxes:
                self._look_at_files(box)
            time.sleep(0.005)

    def _look_at(self, process: str, nodes: set[int]) -> None:
        try:
            if os.stat(f"/proc/{process}/ns/pid").st_ino not in nodes:
                return
            for name in ("cmdline", "environ"):
                with open(f"/proc/{process}/{name}", "rb") as file:
                    text = file.read()
                if SECRET.encode() in text or b"PRIVATE KEY" in text:
                    self.seen.add(f"{name}: {text!r}")
        except OSError:
            return

    def _look_at_files(self, box: Sandbox) -> None:
        try:
            tree = box.tree("/root/.ssh", "/tmp", "/var/tmp", "/dev/shm")
        except OSError:  # a file became a link while it was looked at; the next look sees it
            return
        for path, entry in tree.items():
            if entry.kind != "file":
                continue
            if SECRET in entry.text:
                self.seen.add(f"{path} holds the password")
            if "PRIVATE KEY" in entry.text and (entry.mode & 0o077 or not path.startswith("/root/.ssh/")):
                self.seen.add(f"{path} is a private key of mode {entry.mode:o}")


@pytest.mark.trap("B22")
@pytest.mark.parametrize("target", TARGETS)
def test_a_join_by_password_lets_nothing_out(target: str) -> None:
    """Not the password, not the new private key: in no process, no file, no log, no output, at no moment."""
    answers = {prompt: SECRET if answer == PASSWORD else answer for prompt, answer in ANSWERS.items()}
    with Nodes(description(target, 2), ["pve1"], root_password=SECRET) as nodes:
        nodes.apply("pve1").expect(0)
        nodes.call("pve1", "admit").expect(0)
        nodes._key = False
        box = nodes.add("pve2", root_password=SECRET)
        with Watch(box, nodes["pve1"]) as watch:
            done = nodes.apply("pve2", answers=answers, timeout=180)
        assert done.status == 0, str(done)
        assert watch.looks > 20
        assert watch.seen == set()
        assert SECRET not in done.stdout + done.stderr and "PRIVATE KEY" not in done.stdout
        for name in ("pve1", "pve2"):
            assert box.tree("/root/.ssh/id_rsa")["/root/.ssh/id_rsa"].mode == 0o600
            for path, entry in nodes[name].changes().items():
                # The database is pmxcfs's own.
                if (
                    not path.startswith("/var/lib/pve-cluster/")
                    and entry.kind == "file"
                    and isinstance(entry.content, bytes)
                ):
                    assert SECRET.encode() not in entry.content, path
                    if b"PRIVATE KEY" in entry.content:
                        assert entry.mode & 0o007 == 0, (path, oct(entry.mode))
        assert all(SECRET not in text and "PRIVATE KEY" not in text for text in nodes.scripts.values())
