"""rollback: the node is as the first apply found it; what others changed since, and what a cluster stands on, stays."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import pytest
from faults.sample import EVERY
from faults.trials import ADMINS, LIMITS
from sandbox import Sandbox, Saved, Tree, diff_trees, made_once

from . import support
from .nodes import TARGETS, Nodes, description, login, shells_and_targets, trash
from .test_join import ready

pytestmark = pytest.mark.sandbox

STORE = f"{support.STATE}/alone"
# What services write for themselves, and what stays on purpose: the log.
OTHERS = (
    "/etc/iproute2", "/var/tmp", "/var/lib/pve-cluster", "/run", "/var/lock", "/etc/resolv.conf", support.LOG,
    "/var/lib/pve-manager", "/tmp", "/root/.ssh/known_hosts", "/var/log",
)  # fmt: skip
SSHD = "/etc/openssh/sshd_config"


def local(target: str) -> str:
    return support.build(support.ONE.format(target=target) + LIMITS)["pve1"]


def disk(box: Sandbox) -> Tree:
    """What stands where the script writes, without what is no work of it."""
    tree = box.tree("/etc", "/root", support.STATE, "/var/lib/rrdcached")
    return {
        path: entry
        for path, entry in tree.items()
        if not any(path == top or path.startswith(f"{top}/") for top in (*OTHERS, *support.NOT_OURS))
    }


def units(box: Sandbox) -> dict[str, str]:
    """How each unit of the script stands."""
    names = re.search(r"^unit_names='(.*)'", box.read(support.PLACE), re.M)
    assert names
    text = box.run(
        f"for u in {names[1]}; do printf '%s ' $u $(systemctl is-enabled $u 2>&1) $(systemctl is-active $u); echo; done"
    ).stdout
    return {line.split()[0]: line.split(" ", 1)[1] for line in text.splitlines()}


def fresh(target: str, **options: object) -> Sandbox:
    files = {path: text for path, text in ADMINS.items() if target == "alt-p8" or path == "/etc/hosts"}
    # Whether p11's have failed yet, without a name for their node, is a matter of milliseconds.
    held = ["pve-cluster", "pveproxy"] if target == "alt-p11" else []
    return Sandbox(target, "pve1", files=files, held=held, **options)  # type: ignore[arg-type]


def same(before: Tree, box: Sandbox) -> None:
    changes = diff_trees(before, disk(box))
    assert changes == [], [(str(c), c.before, c.after) for c in changes]


def rollback(box: Sandbox, *words: str, **more: object) -> support.Run:
    return support.run(box, "rollback", *words, **more)  # type: ignore[arg-type]


def addresses(box: Sandbox) -> str:
    return box.run("ip -o -4 addr show | awk '{ print $2, $4 }'; ip route").check().stdout


@pytest.mark.trap("B19")
@pytest.mark.parametrize("target", TARGETS)
def test_all_is_as_it_was_first_and_apply_works_again(target: str) -> None:
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        box.run(
            "chmod 640 /etc/hosts; chown 7:8 /etc/hosts; setfattr -n user.mine -v yes /etc/hosts; setfacl -m u:9:r /etc/hosts"
        )
        marks = box.run("getfacl -p /etc/hosts; getfattr -d /etc/hosts").stdout
        before, stood, net = disk(box), units(box), addresses(box)
        support.apply(box).expect(0)
        first = disk(box)
        assert box.run(f"stat -c %a {STORE}").stdout == "700\n"
        rollback(box).expect(0)
        same(before, box)
        assert units(box) == stood
        assert addresses(box) == net
        assert box.run("getfacl -p /etc/hosts; getfattr -d /etc/hosts").stdout == marks
        assert not box.exists(support.STATE)
        rollback(box).expect(0)
        support.apply(box).expect(0)
        # The certificate that pve-cluster made is there the second time.
        changes = {c.path for c in diff_trees(first, disk(box))}
        assert changes <= {f"{STORE}/units"}, changes
        support.verify(box).expect(0)


@pytest.mark.parametrize(("target", "shell"), shells_and_targets(but="dash"))
def test_in_every_shell(target: str, shell: str) -> None:
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        before, stood, net = disk(box), units(box), addresses(box)
        support.apply(box, shell=shell).expect(0)
        box.run("echo '10.0.0.77 nas' >>/etc/hosts").check()
        rollback(box, shell=shell).expect(0)
        assert box.read("/etc/hosts") == ADMINS["/etc/hosts"] + "10.0.0.77 nas\n"
        box.put("/etc/hosts", ADMINS["/etc/hosts"])
        same(before, box)
        assert (units(box), addresses(box)) == (stood, net)


@pytest.mark.parametrize("target", TARGETS)
def test_a_node_that_no_script_has_changed(target: str) -> None:
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        before = disk(box)
        done = rollback(box).expect(0)
        assert "Nothing to put back" in done.stdout
        same(before, box)


def test_what_a_daemon_wrote_into_a_directory_of_ours_is_no_failure() -> None:
    """As rrdcached with its journal: the directory stays with what is in it, and all else goes back."""
    with fresh("alt-p8") as box:
        box.put(support.PLACE, local("alt-p8"))
        support.apply(box, "--only", "rrdcached").expect(0)
        box.put("/var/lib/rrdcached/journal/rrd.journal.1", "update\n")
        done = rollback(box).expect(0)
        assert "ok 1 - /var/lib/rrdcached/journal # SKIP its daemon has written into it" in done.stdout, done
        assert box.read("/var/lib/rrdcached/journal/rrd.journal.1") == "update\n"
        assert not box.exists("/var/lib/rrdcached/db") and not box.exists(support.STATE)


def test_wrong_calls_of_rollback() -> None:
    with Sandbox("alt-p8", "pve1", start=True) as box:
        box.put(support.PLACE, local("alt-p8"))
        for words in (["--overwrite"], ["--from", "time"], ["--only", "nosuch"]):
            assert rollback(box, *words, tap=False).status == 64, words
        box.run("hostname other").check()
        assert rollback(box).status == 78


# Changed since by others --------------------------------------------------------------------------------------------


@pytest.mark.trap("B19")
def test_what_others_changed_is_left_and_said() -> None:
    with fresh("alt-p8") as box:
        box.put(support.PLACE, local("alt-p8"))
        before = disk(box)
        support.apply(box).expect(0)
        box.run("echo '10.0.0.77 nas' >>/etc/hosts; echo Asia/Omsk >/etc/timezone").check()
        box.run("echo 'ZONE=Asia/Tomsk' >/etc/sysconfig/clock").check()
        done = rollback(box)
        assert done.status == 1, str(done)
        left = {point.description: point for point in done.tap.failures()}
        assert set(left) == {
            f"{p} was changed by others since; it is left as it is" for p in ("/etc/timezone", "/etc/sysconfig/clock")
        }
        point = left["/etc/sysconfig/clock was changed by others since; it is left as it is"]
        digest = box.run("sha256sum </etc/sysconfig/clock").stdout.split()[0]
        kept = f"{STORE}/first/etc/sysconfig/clock"
        assert point.yaml["found"].strip() == digest and kept in point.yaml["help"]
        assert point.yaml["first"].strip() == box.run(f"sha256sum <{kept}").stdout.split()[0]
        assert box.read(kept) == ADMINS["/etc/sysconfig/clock"]
        # Of a file that was edited, what was ours is out and the rest stays.
        assert box.read("/etc/hosts") == ADMINS["/etc/hosts"] + "10.0.0.77 nas\n"
        changed = {c.path for c in diff_trees(before, disk(box)) if not c.path.startswith(support.STATE)}
        assert changed == {"/etc/hosts", "/etc/timezone", "/etc/sysconfig/clock"}
        # Once they are as they were, nothing is left to say.
        box.run(f"cp -a {kept} /etc/sysconfig/clock; rm /etc/timezone").check()
        rollback(box).expect(0)
        assert not box.exists(support.STATE)


@pytest.mark.trap("B19")
def test_a_change_by_others_that_we_wrote_over_is_not_lost() -> None:
    """The block is written anew into a file that somebody else has edited meanwhile."""
    with fresh("alt-p8") as box:
        box.put(support.PLACE, local("alt-p8"))
        support.apply(box, "--only", "names").expect(0)
        box.run("sed -i '/BEGIN pvegen/,/END pvegen/d' /etc/hosts; echo '10.0.0.77 nas' >>/etc/hosts").check()
        support.apply(box, "--only", "names").expect(0)
        rollback(box).expect(0)
        assert box.read("/etc/hosts") == ADMINS["/etc/hosts"] + "10.0.0.77 nas\n"


def test_a_line_that_we_took_the_place_of_is_named() -> None:
    hosts = "127.0.0.1 localhost pve1\n"
    with Sandbox("alt-p8", "pve1", files={"/etc/hosts": hosts}) as box:
        box.put(support.PLACE, local("alt-p8"))
        support.apply(box, "--only", "names").expect(0)
        box.run("echo '10.0.0.77 nas' >>/etc/hosts").check()
        done = rollback(box)
        assert done.status == 1 and done.tap.failures()[-1].yaml["missing"].strip() == hosts.strip(), str(done)


def test_a_network_that_others_changed_is_not_put_back_by_half() -> None:
    with fresh("alt-p8") as box:
        box.put(support.PLACE, local("alt-p8"))
        support.apply(box).expect(0)
        box.run("echo '# mine' >>/etc/net/ifaces/vmbr0/options").check()
        net = box.tree("/etc/net")
        box.forget_calls()
        done = rollback(box)
        assert done.status == 1 and "/etc/net/ifaces/vmbr0/options was changed by others" in str(done.failures)
        assert diff_trees(net, box.tree("/etc/net")) == []
        assert not [
            words for words in support.unit_calls(box) if words[-1] == "network" and words[1] in ("stop", "start")
        ]


def test_stanzas_that_our_block_replaced_come_back() -> None:
    """Without them the node would have no network at its next boot."""
    with fresh("alt-p11") as box:
        box.put(support.PLACE, local("alt-p11"))
        first = box.read("/etc/network/interfaces")
        support.apply(box, "--only", "bridge").expect(0)
        box.run(
            "printf '\\nauto vmbr9\\niface vmbr9 inet manual\\n\\tbridge-ports none\\n' >>/etc/network/interfaces"
        ).check()
        net = addresses(box)
        done = rollback(box)
        now = box.read("/etc/network/interfaces")
        assert "pvegen" not in now and "iface vmbr9 inet manual" in now
        for line in first.splitlines():
            assert line in now.splitlines(), (line, now, str(done))
        assert done.status == 0, str(done)
        box.run("ip link del vmbr9")
        assert addresses(box) == net


def test_a_bridge_with_guests_is_not_taken_down() -> None:
    with fresh("alt-p8") as box:
        box.put(support.PLACE, local("alt-p8"))
        support.apply(box).expect(0)
        box.run("ip link add tap100i0 type veth peer name x && ip link set tap100i0 master vmbr0").check()
        net = box.tree("/etc/net")
        done = rollback(box)
        assert done.status == 1 and "guests are plugged into" in str(done.failures)
        assert diff_trees(net, box.tree("/etc/net")) == []


# One step alone -----------------------------------------------------------------------------------------------------

STEPS = {
    "alt-p8": ["time", "bridge", "names", "rrdcached", "stub", "services", "manager"],
    "alt-p11": ["time", "bridge", "names", "services", "manager"],
}


@pytest.mark.parametrize("target", TARGETS)
def test_one_step_after_the_other(target: str) -> None:
    """Each goes alone; when all are gone, nothing of ours is left."""
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        before, stood = disk(box), units(box)
        support.apply(box).expect(0)
        for step in reversed(STEPS[target]):
            others = {s for s in STEPS[target] if s != step}
            done = rollback(box, "--only", step).expect(0)
            assert not any(re.search(rf"^# Subtest: {other}$", done.stdout, re.M) for other in others)
            assert f" {step}:" not in box.run(f"cat {STORE}/index").stdout
        same(before, box)
        assert units(box) == stood


@pytest.mark.parametrize("target", TARGETS)
def test_one_step_and_back_again(target: str) -> None:
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        support.apply(box).expect(0)
        wanted = disk(box)
        for step in ("time", "names"):
            rollback(box, "--only", step).expect(0)
            assert support.check(box).status == (0 if step == "time" and target == "alt-p11" else 2)
            support.apply(box).expect(0)
            paths = {c.path for c in diff_trees(wanted, disk(box))}
            assert paths <= {f"{STORE}/index", f"{STORE}/units"}, step


@pytest.mark.parametrize("step", ["ssh", "root-login"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_file_of_two_steps_keeps_the_block_of_the_other(target: str, step: str) -> None:
    blocks = {"ssh": "AcceptEnv LC_PVE_TICKET", "root-login": " PermitRootLogin "}
    other = next(name for name in blocks if name != step)
    with Nodes(description(target, 2, tables='[ssh]\nroot_login = "prohibit-password"'), ["pve1"]) as nodes:
        box = nodes["pve1"]
        first = box.read(SSHD)
        for name in blocks:
            nodes.apply("pve1", "--only", name).expect(0)
        nodes.call("pve1", "rollback", "--only", step).expect(0)
        now = box.read(SSHD)
        assert blocks[step] not in now.replace(first, "") and blocks[other] in now
        nodes.call("pve1", "rollback", "--only", step).expect(0)
        assert box.read(SSHD) == now
        nodes.call("pve1", "rollback").expect(0)
        assert box.read(SSHD) == first and not box.exists(support.STATE)


def test_a_file_that_sshd_does_not_take_is_not_put_back() -> None:
    with Nodes(description("alt-p8", 2), ["pve1"]) as nodes:
        box = nodes["pve1"]
        nodes.apply("pve1", "--only", "ssh").expect(0)
        now = box.read(SSHD)
        store = f"{support.STATE}/mypve"
        box.run(f"echo Nonsense >>{store}/first{SSHD}").check()
        done = nodes.call("pve1", "rollback")
        assert done.status == 1 and "would not be accepted" in done.stdout, str(done)
        assert box.read(SSHD) == now


# In a cluster -------------------------------------------------------------------------------------------------------


@pytest.mark.trap("B20")
@pytest.mark.parametrize("target", TARGETS)
def test_a_member_stays_a_member(target: str) -> None:
    with ready(target) as nodes:
        nodes.apply("pve2").expect(0)
        zone = {name: nodes[name].run("readlink /etc/localtime").stdout for name in nodes.node}
        assert len(zone) == 2
        for name in ("pve2", "pve1"):
            box = nodes[name]
            kept = {path: box.read(path) for path in ("/etc/hosts", SSHD, "/etc/corosync/corosync.conf")}
            net, access = addresses(box), login(box)
            box.forget_calls()
            done = nodes.call(name, "rollback").expect(0)
            assert "pvecm delnode" in done.stdout
            assert {path: box.read(path) for path in kept} == kept
            assert (addresses(box), login(box)) == (net, access)
            assert box.calls("pvecm") == []
            touched = {unit for words in support.unit_calls(box) for unit in words[2:]}
            assert not touched & {"corosync", "pve-cluster", "sshd", "pvedaemon", "pveproxy"}, touched
            again = nodes.call(name, "rollback").expect(0)
            assert "# SKIP" in again.stdout
        for name in nodes.node:
            nodes.apply(name).expect(0)
            nodes.verify(name).expect(0)


def test_what_admit_opened_is_closed_first() -> None:
    with ready("alt-p11") as nodes:
        box = nodes["pve1"]
        before = login(box)
        nodes.call("pve1", "admit").expect(0)
        assert login(box) != before
        nodes.call("pve1", "rollback").expect(0)
        assert login(box) == before
        assert not box.exists("/etc/systemd/system/pvegen-close.service")


# Runs that die ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Applied:
    """A node to which all is applied, switched off; what it was before; how many commands and subshells a rollback makes."""

    saved: Saved
    before: Tree
    units: dict[str, str]
    addresses: str
    commands: dict[str, int]


def applied(target: str) -> Applied:
    return made_once(f"applied {target}", functools.partial(_applied, target))


def _applied(target: str) -> Applied:
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        before, stood, net = disk(box), units(box), addresses(box)
        support.apply(box).expect(0)
        saved = box.save()
    with Sandbox(target, "pve1", saved=saved) as box:
        words = ["strace", "-qq", "-o", "/tmp/calls", "-e", "trace=vfork,clone", "-e", "signal=none"]
        box.run([*words, "dash", support.PLACE, "rollback"], timeout=120).check()
        text = box.read("/tmp/calls")
        counts = {call: len(re.findall(rf"^{call}\(", text, re.M)) for call in ("vfork", "clone")}
    return Applied(saved, before, stood, net, counts)


def die(box: Sandbox, call: str, kind: str, n: int) -> int:
    words = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject={kind}:signal=KILL:when={n}"]
    status = box.run([*words, "dash", support.PLACE, call], timeout=120).status
    support.until_free(box)
    return status


@pytest.mark.trap("B19")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", ["vfork", "clone"])
def test_a_rollback_that_dies_anywhere_is_ended_by_the_next(target: str, kind: str) -> None:
    node = applied(target)
    count = node.commands[kind]
    for n in range(3, count + 1, 1 if EVERY else max(1, count // 6)):
        with Sandbox(target, "pve1", saved=node.saved) as box:
            # How often it looks for the end of the switch is another thing each time.
            assert die(box, "rollback", kind, n) in ((137,) if n < count * 0.7 else (0, 137)), n
            rollback(box).expect(0)
            same(node.before, box)
            assert (units(box), addresses(box)) == (node.units, node.addresses), n
            assert trash(box) == [] and not box.exists(support.STATE), n


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", ["vfork", "clone"])
def test_an_apply_that_died_part_way_is_rolled_back(target: str, kind: str) -> None:
    for n in range(20, 500, 1 if EVERY else 60):
        with fresh(target) as box:
            box.put(support.PLACE, local(target))
            before, stood, net = disk(box), units(box), addresses(box)
            if die(box, "apply", kind, n) != 137:
                break
            rollback(box).expect(0)
            same(before, box)
            assert (units(box), addresses(box)) == (stood, net), n
            assert trash(box) == [], n


# An earlier store ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_a_store_without_an_index_is_adopted(target: str) -> None:
    """As scripts kept it before there was a rollback: paths that were not there, units without what was done to them."""
    with fresh(target) as box:
        box.put(support.PLACE, local(target))
        before, stood = disk(box), units(box)
        support.apply(box).expect(0)
        box.run(
            f"cd {STORE} && awk '$3 == \"absent\" {{ print $9 }}' index >made && rm index && "
            "awk '!seen[$1]++ { print $1, $2, $3 }' units >u && mv u units"
        ).check()
        done = rollback(box)
        # Digests of files that were edited were not known then: what cannot be told to be ours stays.
        left = {text.split()[0] for text in done.failures}
        assert left <= {"/etc/sysconfig/clock", "/root/.ssh/id_rsa", "/root/.ssh/id_rsa.pub", "/root/.ssh/"}, str(done)
        paths = {c.path for c in diff_trees(before, disk(box)) if not c.path.startswith(support.STATE)}
        # Its lines are those of before, not its bytes.
        interfaces = "/etc/network/interfaces"
        if interfaces in paths:
            paths.remove(interfaces)
            now, then = sorted(box.read(interfaces).split()), sorted(before[interfaces].text.split())
            assert now == then
        assert paths <= left | {"/root/.ssh"}, (paths, str(done))
        assert units(box) == stood
