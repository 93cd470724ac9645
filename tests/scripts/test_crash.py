"""A run that dies anywhere: the next one ends where an undisturbed one does, and nothing that was not ours is lost.

strace makes the script die before its N-th command, or a single file fail. Commands and subshells are counted apart
(vfork, clone). A sample of all N is tried; with PVEGEN_EVERY=1 in the environment all of them, which takes long.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import time
from collections.abc import Sequence

import pytest
from sandbox import Entry, Result, Sandbox, Tree, diff_trees

from . import support
from .nodes import TARGETS, Nodes, bail, description, in_quorum, members, trash
from .test_join import joined, ready, wait

pytestmark = pytest.mark.sandbox

EVERY = os.environ.get("PVEGEN_EVERY") == "1"
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
)
LIMITS = "[limits]\nunit = 10\nnetwork = 8\napi = 15\n"
# Files of an administrator's in what the script writes to: they are there at the end too.
ADMINS = {
    "/etc/hosts": "127.0.0.1 localhost.localdomain localhost\n10.0.0.9 printer # second floor\n",
    "/etc/net/ifaces/eth0/wpa.conf": "mine\n",
    "/etc/sysconfig/clock": "# by hand\nZONE=Asia/Omsk\nUTC=true\n",
}


def local(target: str) -> str:
    return support.build(support.ONE.format(target=target) + LIMITS)["pve1"]


def fresh(target: str) -> Sandbox:
    files = {path: text for path, text in ADMINS.items() if target == "alt-p8" or path == "/etc/hosts"}
    return Sandbox(target, "pve1", files=files)


def killed(box: Sandbox, call: str, n: int, signal: str = "KILL", path: str = support.PLACE) -> Result:
    """Runs apply until the script is about to make its N-th CALL (vfork or clone), and is killed there."""
    words = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal={signal}:when={n}"]
    return box.run([*words, "dash", path, "apply"], timeout=120)


def end_state(box: Sandbox) -> Tree:
    """What is on the disk, lists in the script's own state sorted."""
    found = {}
    for path, entry in box.changes().items():
        if any(path == top or path.startswith(f"{top}/") for top in UNLIKE):
            continue
        if path.startswith(support.STATE) and isinstance(entry.content, bytes) and path.endswith(("/index", "/units")):
            lines = {line for line in entry.content.splitlines(keepends=True) if b" /root/.ssh/" not in line}
            content = b"".join(sorted(lines))
            entry = Entry(entry.kind, entry.mode, entry.uid, entry.gid, content)
        found[path] = entry
    return found


@functools.cache
def undisturbed(target: str) -> tuple[Tree, dict[str, int]]:
    """The end state of a run that nothing disturbs, and how many commands and subshells it makes."""
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        words = ["strace", "-qq", "-o", "/tmp/calls", "-e", "trace=vfork,clone", "-e", "signal=none"]
        box.run([*words, "dash", support.PLACE, "apply"], timeout=120).check()
        text = box.read("/tmp/calls")
        box.remove("/tmp/calls")
        support.verify(box).expect(0)
        return end_state(box), {call: len(re.findall(rf"^{call}\(", text, re.M)) for call in ("vfork", "clone")}


PARTS = 4


@pytest.mark.trap("N6")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("call", ["vfork", "clone"])
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_before_any_command_the_next_run_finishes_the_work(target: str, call: str, part: int) -> None:
    wanted, counts = undisturbed(target)
    step = PARTS if EVERY else PARTS * 12
    offset = part if EVERY else part * 12
    for n in range(1 + offset, counts[call] + 1, step):
        with fresh(target) as box:
            box.put(support.PLACE, local(target))
            died = killed(box, call, n)
            assert died.status == 137, (n, died)
            second = support.apply(box)
            assert second.status == 0, f"after dying at {call} {n}\n{second}"
            changes = diff_trees(wanted, end_state(box))
            assert changes == [], f"after dying at {call} {n}: {[(str(c), c.before, c.after) for c in changes]}"
            assert trash(box) == [], (call, n)


@pytest.mark.parametrize("target", TARGETS)
def test_killed_again_and_again_it_gets_to_the_end(target: str) -> None:
    """Each run dies a little later than the one before."""
    wanted, counts = undisturbed(target)
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        for n in range(40, counts["vfork"] + 1, 1 if EVERY else 10):
            killed(box, "vfork", n)
        support.apply(box).expect(0)
        assert diff_trees(wanted, end_state(box)) == []
        assert trash(box) == []


@pytest.mark.parametrize("target", TARGETS)
def test_what_stood_there_first_is_kept_as_it_was(target: str) -> None:
    """The copies are of the very first state, also where the first run died and the second went on."""
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        before = {path: box.read(path) for path in ADMINS if box.exists(path)}
        for n in range(60, undisturbed(target)[1]["vfork"], 25):
            killed(box, "vfork", n)
        support.apply(box).expect(0)
        support.apply(box).expect(0)
        for path, text in before.items():
            copy = f"{support.STATE}/alone/first{path}"
            assert box.read(copy if box.exists(copy) else path) == text, path


@pytest.mark.parametrize(("name", "status"), [("HUP", 129), ("INT", 130), ("TERM", 143)])
def test_a_signal_ends_the_run_in_order(name: str, status: int) -> None:
    """It says so, with the status of the signal; nothing half is left, and the next run goes on."""
    wanted, counts = undisturbed("alt-p8")
    seen = set()
    with fresh("alt-p8") as box:
        box.put(support.PLACE, local("alt-p8"))
        for n in range(counts["vfork"] // 3, counts["vfork"] + 30, 16):
            done = killed(box, "vfork", n, name)
            seen.add(done.status)
            assert done.status in (0, status), done
            if done.status:
                assert re.search(r"^Bail out! interrupted", done.stdout, re.M), done
            assert [path for path in trash(box) if path.endswith(".pvegen")] == [], n
        assert status in seen
        support.apply(box).expect(0)
        assert diff_trees(wanted, end_state(box)) == []


FAULTS = {
    "alt-p8": ["/etc/hosts", "/etc/timezone", "/etc/net/ifaces/vmbr0/options", "/etc/net/ifaces/eth0/options"],
    "alt-p11": ["/etc/hosts", "/etc/network/interfaces"],
}


@pytest.mark.parametrize(
    ("target", "path", "error"),
    [(target, path, "EIO") for target, paths in FAULTS.items() for path in paths]
    + [("alt-p8", "/etc/hosts", "ENOSPC"), ("alt-p11", "/etc/hosts", "EROFS")],
)
def test_a_file_that_cannot_be_put_in_place_ends_the_run(target: str, path: str, error: str) -> None:
    """Exit status 1 and the path; the file is the old one or not there, never half."""
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        before = box.read(path) if box.exists(path) else None
        moves = "rename,renameat,renameat2"
        words = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", f"trace={moves}"]
        done = box.run([*words, "-e", f"inject={moves}:error={error}", "dash", support.PLACE, "apply"], timeout=120)
        assert done.status == 1, done
        assert f"cannot write {path}" in done.stdout and "df -h" in done.stdout
        assert (box.read(path) if box.exists(path) else None) == before
        support.apply(box).expect(0)
        assert trash(box) == []
        assert diff_trees(undisturbed(target)[0], end_state(box)) == []


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("free", [0, 16384, 32768])
def test_a_full_disk_ends_the_run_and_the_next_one_finishes(target: str, free: int) -> None:
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        whole = {path: box.read(path) for path in ADMINS if box.exists(path)}
        support.says_room(box)
        box.fill_disk(free)
        done = support.apply(box, tap=False)
        box.empty_disk()
        box.remove("/usr/sbin/df")
        assert done.status in (1, 78), str(done)
        assert re.search(r"cannot write|No space left", done.stdout + done.stderr), str(done)
        for path, text in whole.items():
            now = box.read(path)
            assert now == text or text.splitlines()[0] in now, path
        support.apply(box).expect(0)
        assert diff_trees(undisturbed(target)[0], end_state(box)) == []
        assert trash(box) == []


# In a cluster -------------------------------------------------------------------------------------------------------


def begin(nodes: Nodes, name: str) -> threading.Thread:
    """Starts an apply; gives when pvecm add has begun there."""
    nodes[name].forget_calls()
    thread = threading.Thread(target=lambda: swallow(nodes, name))
    thread.start()
    for _ in range(600):
        if [words for words in nodes[name].calls("pvecm") if words[1] == "add"]:
            return thread
        time.sleep(0.02)
    raise AssertionError("pvecm add never began")


def swallow(nodes: Nodes, name: str) -> None:
    with contextlib.suppress(OSError, AssertionError):  # the node goes away under it
        nodes.apply(name, tap=False)


@pytest.mark.parametrize("target", TARGETS)
def test_a_script_killed_during_its_join_does_not_get_a_second_join_in_its_way(target: str) -> None:
    """pvecm goes on by itself; until its end another run is refused, and after it goes on."""
    with ready(target) as nodes:
        thread = begin(nodes, "pve2")
        nodes["pve2"].run("pkill -KILL -f '^[^ ]*dash /root/pve2.sh apply'")
        thread.join()
        again = nodes.apply("pve2", tap=False)
        if again.status:
            assert again.status == 78 and "another run of a pvegen script is under way" in again.stdout, str(again)
        wait(nodes["pve2"], "! pgrep -f 'pvecm [a]dd' >/dev/null", 30)
        nodes.apply("pve2").expect(0)
        joined(nodes)


CUTS = [(target, after) for target in TARGETS for after in (0.1, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4)]
SAMPLE = [("alt-p8", 0.1), ("alt-p8", 1.6), ("alt-p11", 0.8), ("alt-p11", 2.4)]


@pytest.mark.trap("B6")
@pytest.mark.parametrize(("target", "after"), CUTS if EVERY else SAMPLE)
def test_a_power_cut_of_the_joiner_is_led_to_the_end_by_the_messages(target: str, after: float) -> None:
    with ready(target) as nodes:
        thread = begin(nodes, "pve2")
        time.sleep(after)
        nodes["pve2"].power_off()
        thread.join()
        nodes["pve2"].boot()
        follow(nodes, "pve2")
        joined(nodes)


def follow(nodes: Nodes, name: str) -> None:
    """Applies until the node is in the cluster, and does what messages say, literally."""
    said = []
    for _ in range(6):
        done = nodes.apply(name)
        if done.status == 0:
            return
        said.append(bail(done) + " " + " ".join(done.failures))
        if "mv /etc/corosync/authkey /root/" in done.stdout:
            nodes[name].run("mv /etc/corosync/authkey /root/").check()
        elif f"pvecm delnode {name}" in done.stdout:
            nodes["pve1"].run(f"pvecm delnode {name}")
        elif "pvecm expected 1" in done.stdout:
            nodes["pve1"].run("pvecm expected 1").check()
            wait(nodes["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
        else:
            pytest.fail(f"no way out is named:\n{done}")
    pytest.fail("no end is in sight:\n" + "\n".join(said))


@pytest.mark.parametrize("target", TARGETS)
def test_a_power_cut_of_the_first_node_during_create(target: str) -> None:
    delays: Sequence[float] = (0.1, 0.7, 1.5) if EVERY else (0.7,)
    for after in delays:
        with Nodes(description(target, 2), ["pve1"]) as nodes:
            thread = threading.Thread(target=lambda n=nodes: swallow(n, "pve1"))
            thread.start()
            for _ in range(600):
                if [words for words in nodes["pve1"].calls("pvecm") if words[1] == "create"]:
                    break
                time.sleep(0.02)
            time.sleep(after)
            nodes["pve1"].power_off()
            thread.join()
            nodes["pve1"].boot()
            nodes.apply("pve1").expect(0)
            assert in_quorum(nodes["pve1"]) and members(nodes["pve1"]) == {"pve1": True}
            nodes.verify("pve1").expect(0)
            assert trash(nodes["pve1"]) == []
