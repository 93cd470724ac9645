"""Joining: every reason not to join is seen before anything is lost, and the next run goes on."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sandbox import Sandbox, Saved, made_once
from sandbox.patience import LONGEST

from . import support
from .nodes import ANSWERS, LIMITS, TARGETS, Nodes, bail, description, grouped, in_quorum, members, root_key, trash
from .support import Run

pytestmark = pytest.mark.sandbox

Condition = Callable[[Nodes], Iterator[None]]


def trusted(nodes: Nodes, joiner: str, member: str = "pve1") -> None:
    """Lets root of the joiner into the member by key, as a first run that asked for the password leaves it."""
    public = nodes[joiner].read("/root/.ssh/id_rsa.pub")
    nodes[member].run("cat >>/root/.ssh/authorized_keys", stdin=public).check()
    number = int(member.removeprefix("pve"))
    nodes[joiner].run(f"ssh-keyscan 10.0.0.{250 + number} 2>/dev/null >/root/.ssh/known_hosts").check()


@contextmanager
def a_pair(target: str, **options: object) -> Iterator[Nodes]:
    """pve1 with its cluster; pve2 ready to join, its root trusted."""
    with Nodes(description(target, 2), **options) as nodes:  # type: ignore[arg-type]
        nodes.apply("pve1").expect(0)
        nodes.prepare("pve2")
        trusted(nodes, "pve2")
        yield nodes


@pytest.fixture(scope="module", params=grouped("pair"))
def pair(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    """A pair that is kept as it is by every test that uses it."""
    with ready(request.param) as nodes:
        yield nodes


@pytest.fixture
def still_a_pair(pair: Nodes) -> Iterator[Nodes]:
    """The pair, seen to be unjoined and sound after the test too."""
    yield pair
    wait(pair["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
    assert members(pair["pve1"]) == {"pve1": True}
    assert not pair["pve2"].exists("/etc/pve/corosync.conf")
    assert not pair["pve1"].exists("/etc/pve/priv/pvegen-join")


def adds(box: Sandbox) -> list[list[str]]:
    """The joins that were tried."""
    return [words for words in box.calls("pvecm") if words[1] == "add"]


def wait(box: Sandbox, condition: str, seconds: int = 10) -> None:
    """Until a shell condition holds in the node."""
    script = f"i=0; until {condition}; do i=$((i+1)); [ $i -lt {seconds * LONGEST * 20} ] || exit 1; sleep 0.05; done"
    box.run(script, timeout=max(60, 6 * seconds)).check()


# What a member or the joiner may be like, each with what has to be said about it -------------------------------------


def member_down(nodes: Nodes) -> Iterator[None]:
    nodes["pve1"].power_off()
    yield
    nodes["pve1"].boot()


def member_without_sshd(nodes: Nodes) -> Iterator[None]:
    nodes["pve1"].run("systemctl stop sshd").check()
    yield
    nodes["pve1"].run("systemctl start sshd").check()


def member_waits_for_a_ghost(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "ghost", "10.0.0.99")
    wait(nodes["pve1"], "grep -q '\"quorate\": 0' /etc/pve/.members")
    yield
    unlisted(nodes["pve1"], "ghost")


def ghost_is_offline(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "ghost", "10.0.0.99")
    quorate_alone(nodes["pve1"])
    yield
    unlisted(nodes["pve1"], "ghost")


def listed_already(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "pve2", "10.0.0.252")
    quorate_alone(nodes["pve1"])
    yield
    unlisted(nodes["pve1"], "pve2")


def other_series(nodes: Nodes) -> Iterator[None]:
    version = nodes["pve1"].system.settings["pve-version"]
    nodes["pve1"].setting("pve-version", "7.4-1/abcdef12")
    yield
    nodes["pve1"].setting("pve-version", version)


def other_host_key(nodes: Nodes) -> Iterator[None]:
    """Another machine answers for the member's address."""
    known = nodes["pve2"].read("/root/.ssh/known_hosts")
    key = root_key("a machine in between")[1].split()
    nodes["pve2"].put("/root/.ssh/known_hosts", f"10.0.0.251 {key[0]} {key[1]}\n")
    yield
    nodes["pve2"].put("/root/.ssh/known_hosts", known)


def clock_off(nodes: Nodes) -> Iterator[None]:
    nodes["pve2"].put("/usr/sbin/date", "#!/bin/sh\nexec /usr/bin/date -d '+5 minutes' \"$@\"\n", 0o755)
    yield
    nodes["pve2"].remove("/usr/sbin/date")


def address_taken(nodes: Nodes) -> Iterator[None]:
    listed(nodes["pve1"], "ghost", "10.0.0.252")
    quorate_alone(nodes["pve1"])
    yield
    unlisted(nodes["pve1"], "ghost")
    nodes["pve1"].run("sed -i '/ ghost$/d' /etc/hosts").check()


def same_machine_id(nodes: Nodes) -> Iterator[None]:
    own = nodes["pve2"].read("/etc/machine-id")
    nodes["pve2"].put("/etc/machine-id", nodes["pve1"].read("/etc/machine-id"))
    yield
    nodes["pve2"].put("/etc/machine-id", own)


def same_host_key(nodes: Nodes) -> Iterator[None]:
    path = f"{nodes['pve1'].system.settings['ssh-dir']}/ssh_host_ed25519_key.pub"
    own = nodes["pve2"].read(path)
    # Without a comment, as some tools write it.
    nodes["pve2"].put(path, " ".join(nodes["pve1"].read(path).split()[:2]) + "\n")
    yield
    nodes["pve2"].put(path, own)


CONDITIONS: dict[str, tuple[Condition, str]] = {
    "member_down": (member_down, "member pve1 does not answer"),
    "member_without_sshd": (member_without_sshd, "member pve1 does not answer"),
    "member_without_quorum": (member_waits_for_a_ghost, "pve1 has no quorum"),
    "another_node_offline": (ghost_is_offline, "a node of the cluster is offline"),
    "listed_already": (listed_already, "the cluster lists pve2 already"),
    "other_series": (other_series, "pve1 runs Proxmox VE 7.4-1, this node"),
    "address_taken": (address_taken, "a node of the cluster has the address 10.0.0.252 already"),
    "same_machine_id": (same_machine_id, "this node has the machine id of pve1: one of them is a copy of the other"),
    "same_host_key": (same_host_key, "this node has a host key of pve1, /etc/"),
    "other_host_key": (other_host_key, "pve1 shows another host key than this node knows of it"),
    "clock_off": (clock_off, "clock is 300 s away from that of pve1"),
}


def in_round_seconds(text: str) -> str:
    """TEXT with a clock that is 300 s away, give or take the seconds that pass between the looks at one and the other."""
    return re.sub(r"clock is (29\d|30\d) s away", "clock is 300 s away", text)


def listed(box: Sandbox, name: str, address: str) -> None:
    """A node that a join was begun for is in the member's configuration, and is not there."""
    box.run(f"printf '%s {name}\\n' {address} >>/etc/hosts").check()
    option = "--ring0_addr" if box.system.network == "etcnet" else "--link0"
    box.run(["pvecm", "addnode", name, option, address]).check()


def quorate_alone(box: Sandbox) -> None:
    """The way out that messages name, on the member."""
    wait(box, "grep -q '\"quorate\": 0' /etc/pve/.members")
    box.run("pvecm expected 1").check()
    wait(box, "grep -q '\"quorate\": 1' /etc/pve/.members")


def unlisted(box: Sandbox, name: str) -> None:
    if not in_quorum(box):
        quorate_alone(box)
    box.run(["pvecm", "delnode", name])
    box.run(f"sed -i '/ {name}$/{{ /^10.0.0.99/d; }}' /etc/hosts").check()


@contextmanager
def under(condition: Condition, nodes: Nodes) -> Iterator[None]:
    """The condition for the length of a with statement."""
    made = condition(nodes)
    next(made)
    try:
        yield
    finally:
        next(made, None)


@pytest.mark.trap("K2", "K9", "K10", "K12")
@pytest.mark.parametrize("name", CONDITIONS)
def test_refused_before_anything_is_touched(still_a_pair: Nodes, name: str) -> None:
    """Where root gets into the member already, the first pass knows: 78, and nothing is changed."""
    nodes = still_a_pair
    condition, said = CONDITIONS[name]
    with under(condition, nodes):
        before = support.picture(nodes["pve2"], skip=[support.LOG])
        nodes["pve2"].forget_calls()
        refused = nodes.apply("pve2").expect(78)
        assert [text for text in refused.failures if said in in_round_seconds(text)], str(refused)
        assert support.untouched(before, support.picture(nodes["pve2"], skip=[support.LOG])) == []
        assert support.unit_calls(nodes["pve2"]) == nodes["pve2"].calls("pvecm") == []


@pytest.mark.trap("K9", "K10", "K12")
@pytest.mark.parametrize("name", [name for name in CONDITIONS if name not in ("member_down", "other_host_key")])
@pytest.mark.parametrize("pair", grouped("pair")[:1], indirect=True)
def test_stopped_right_before_pvecm_where_only_the_password_opens(still_a_pair: Nodes, name: str) -> None:
    """Where root is let in by password, what the member says is known only then: 1, and nothing joined."""
    nodes = still_a_pair
    condition, said = CONDITIONS[name]
    known = nodes["pve2"].read("/root/.ssh/known_hosts")
    nodes["pve1"].run("cp /root/.ssh/authorized_keys /tmp/keys; : >/root/.ssh/authorized_keys").check()
    nodes["pve2"].remove("/root/.ssh/known_hosts")
    nodes.call("pve1", "admit").expect(0)
    with under(condition, nodes):
        nodes["pve2"].forget_calls()
        stopped = nodes.apply("pve2", answers=ANSWERS)
        assert stopped.status == (78 if "sshd" in name else 1), str(stopped)
        assert said in in_round_seconds(stopped.stdout), str(stopped)
        assert nodes["pve2"].calls("pvecm") == []
    nodes.call("pve1", "close").expect(0)
    nodes["pve1"].run("cat /tmp/keys >/root/.ssh/authorized_keys").check()
    nodes["pve2"].put("/root/.ssh/known_hosts", known)


@pytest.mark.trap("K12")
@pytest.mark.parametrize("pair", grouped("pair")[:1], indirect=True)
def test_another_machine_of_the_name_that_is_online_is_not_to_be_taken_out(still_a_pair: Nodes) -> None:
    """The member's answer on its way here is made to say so."""
    box = still_a_pair["pve2"]
    made = listed_already(still_a_pair)
    next(made)
    online = 's/"pve2": { "id": \\([0-9]*\\), "online": 0/"pve2": { "id": \\1, "online": 1/'
    ssh = f"""#!/bin/sh
        case " $* " in *pveversion*) /usr/bin/ssh "$@" | sed '{online}' ;; *) exec /usr/bin/ssh "$@" ;; esac
        """
    box.put("/usr/sbin/ssh", ssh, 0o755)
    try:
        refused = still_a_pair.apply("pve2").expect(78)
        help_ = help_of(refused, "the cluster lists pve2 already, and sees it online")
        assert "take nothing out of the cluster" in help_ and "delnode" not in help_
    finally:
        box.remove("/usr/sbin/ssh")
        next(made, None)


@pytest.mark.parametrize("pair", grouped("pair")[:1], indirect=True)
def test_nobody_joins_a_cluster_that_has_a_qdevice(still_a_pair: Nodes) -> None:
    """PVE's manual has it taken away before nodes are added."""
    member = still_a_pair["pve1"]
    before = member.read("/etc/pve/corosync.conf")
    member.run(r"sed 's/^quorum {/&\n  device {\n    model: net\n  }/' /etc/pve/corosync.conf >/tmp/conf").check()
    try:
        member.run("cat /tmp/conf >/etc/pve/corosync.conf").check()
        stopped = still_a_pair.apply("pve2").expect(1)
        assert bail(stopped).endswith(
            "the cluster of pve1 has a QDevice, which counts for the nodes that were there when it was set up"
        )
        assert adds(still_a_pair["pve2"]) == []
    finally:
        member.run("cat >/etc/pve/corosync.conf", stdin=before).check()


VALUABLES = {
    "guest": ("/etc/pve/qemu-server/100.conf", "memory: 512\n"),
    "container": ("/etc/pve/lxc/101.conf", "arch: amd64\n"),
    "storage": ("/etc/pve/storage.cfg", "dir: local\n\tpath /var/lib/vz\n\nnfs: backup\n\tserver 10.0.0.9\n"),
    "user": ("/etc/pve/user.cfg", "user:root@pam:1:0:::::\nuser:anna@pve:1:0:::::\n"),
    "rule": ("/etc/pve/firewall/cluster.fw", "[OPTIONS]\nenable: 1\n"),
    "settings": ("/etc/pve/datacenter.cfg", "keyboard: ru\nmigration: secure,network=10.1.0.0/24\n"),
    "notes": ("/etc/pve/nodes/pve2/config", "description: mine\n"),
    "certificate": ("/etc/pve/nodes/pve2/pveproxy-ssl.pem", "mine\n"),
    "ceph": ("/etc/pve/ceph.conf", "[global]\nfsid = 1\n"),
    "ceph's key": ("/etc/pve/priv/ceph.client.admin.keyring", "[client.admin]\nkey = A\n"),
    "metrics": ("/etc/pve/status.cfg", "influxdb: mine\n\tserver 10.0.0.9\n"),
    "job": ("/etc/pve/vzdump.cron", "PATH=/bin\n0 2 * * 6           root vzdump --all 1\n"),
}


@pytest.mark.trap("K3")
@pytest.mark.parametrize("name", VALUABLES)
@pytest.mark.parametrize("pair", grouped("pair")[:1], indirect=True)
def test_what_joining_would_throw_away_is_named(still_a_pair: Nodes, name: str) -> None:
    box, (path, text) = still_a_pair["pve2"], VALUABLES[name]
    box.run(f"mkdir -p {path.rpartition('/')[0]}").check()
    box.run(f"cat >{path}", stdin=text).check()
    try:
        refused = still_a_pair.apply("pve2").expect(78)
        assert [t for t in refused.failures if "joining would throw away" in t and path.rpartition("/")[2] in t]
        assert box.read(path) == text
    finally:
        box.run(f"rm {path}").check()


@pytest.mark.parametrize("pair", grouped("pair")[:1], indirect=True)
def test_what_every_installation_has_is_not_of_value(still_a_pair: Nodes) -> None:
    box = still_a_pair["pve2"]
    texts = {
        "storage.cfg": "dir: local\n\tpath /var/lib/vz\n\nlvmthin: local-lvm\n\tthinpool data\n\nbtrfs: local-btrfs\n\tpath /var/lib/pve/local-btrfs\n",
        "user.cfg": "user:root@pam:1:0:::a@example.org::\n",
        "vzdump.cron": '# cluster wide vzdump cron schedule\n\nPATH="/usr/sbin:/usr/bin:/sbin:/bin"\n\n',
    }
    for name, text in texts.items():
        box.run(f"cat >/etc/pve/{name}", stdin=text).check()
    seen = still_a_pair.call("pve2", "check")
    box.run("rm " + " ".join(f"/etc/pve/{name}" for name in texts)).check()
    assert seen.tap.find("nothing in /etc/pve would be lost").ok


@pytest.mark.trap("B6")
def test_an_authkey_without_a_cluster_is_refused(still_a_pair: Nodes) -> None:
    box = still_a_pair["pve2"]
    box.put("/etc/corosync/authkey", "key")
    try:
        refused = still_a_pair.apply("pve2").expect(78)
        assert "there is a /etc/corosync/authkey, but no cluster" in str(refused.failures)
    finally:
        box.remove("/etc/corosync/authkey")


@pytest.mark.trap("K2")
def test_the_member_is_in_another_cluster(still_a_pair: Nodes) -> None:
    other = description(TARGETS[still_a_pair.system == "alt-p11"], 2).replace('name = "mypve"', 'name = "other"')
    box = still_a_pair["pve2"]
    box.put("/root/other.sh", support.build(other)["pve2"])
    refused = support.run(box, "apply", path="/root/other.sh").expect(78)
    assert "pve1 is not in cluster other" in str(refused.failures)


@pytest.mark.trap("K4")
@pytest.mark.parametrize("pair", grouped("pair")[:1], indirect=True)
def test_a_wrong_password_joins_nothing(still_a_pair: Nodes) -> None:
    nodes = still_a_pair
    nodes["pve1"].run("cp /root/.ssh/authorized_keys /tmp/keys; : >/root/.ssh/authorized_keys").check()
    nodes.call("pve1", "admit").expect(0)
    stopped = nodes.apply("pve2", answers={**ANSWERS, "assword": "guessed"})
    assert stopped.status == 1 and "root here does not get into pve1 by key" in stopped.stdout, str(stopped)
    stopped = nodes.apply("pve2")
    assert stopped.status == 1 and "Run this on a terminal" in stopped.stdout, str(stopped)
    nodes.call("pve1", "close").expect(0)
    nodes["pve1"].run("cat /tmp/keys >/root/.ssh/authorized_keys").check()


@pytest.mark.parametrize("pair", grouped("pair")[:1], indirect=True)
def test_a_key_at_the_end_of_a_line_without_end_is_not_glued_to(still_a_pair: Nodes) -> None:
    """The password is asked for once; the key goes below those that are there, each key once."""
    nodes = still_a_pair
    keys = nodes["pve1"].read("/root/.ssh/authorized_keys")
    nodes["pve1"].run("printf 'ssh-rsa AAAA an-admin' >/root/.ssh/authorized_keys").check()
    nodes.call("pve1", "admit").expect(0)
    with under(clock_off, nodes):  # so that it ends before pvecm
        assert nodes.apply("pve2", answers=ANSWERS).status == 1
    nodes.call("pve1", "close").expect(0)
    lines = nodes["pve1"].read("/root/.ssh/authorized_keys").splitlines()
    nodes["pve1"].run("cat >/root/.ssh/authorized_keys", stdin=keys).check()
    assert lines == ["ssh-rsa AAAA an-admin", nodes["pve2"].read("/root/.ssh/id_rsa.pub").strip()]


@pytest.mark.parametrize("pair", grouped("pair")[1:], indirect=True)
@pytest.mark.parametrize("shell", ["bash-posix", "busybox", "mksh", "yash", "ksh93"])
def test_in_every_shell_a_join_that_fails_lets_the_lock_go(still_a_pair: Nodes, shell: str) -> None:
    nodes = still_a_pair
    nodes["pve1"].fail("pvecm-addnode")
    nodes["pve2"].forget_calls()
    stopped = nodes.apply("pve2", shell=shell)
    nodes["pve1"].fail("pvecm-addnode", on=False)
    assert stopped.status == 1 and "has not brought this node into the cluster" in bail(stopped), str(stopped)
    assert len(adds(nodes["pve2"])) == 1
    assert not nodes["pve1"].exists("/etc/pve/priv/pvegen-join")


# Tests that end with the node joined, each with a pair of its own -----------------------------------------------------


@contextmanager
def ready(target: str, **options: object) -> Iterator[Nodes]:
    """A pair as above: made once, shut down and saved, and booted again from what is on its disks."""
    saved = made_once(f"ready {target}", functools.partial(_saved_pair, target))
    with Nodes(description(target, 2, **options), saved=saved) as nodes:  # type: ignore[arg-type]
        wait(nodes["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
        yield nodes


def _saved_pair(target: str) -> dict[str, Saved]:
    with a_pair(target) as nodes:
        return nodes.save()


def joined(nodes: Nodes, count: int = 2) -> None:
    """All nodes see all, verify is content, nothing of the join is left."""
    names = {f"pve{n}": True for n in range(1, count + 1)}
    for box in list(nodes.node.values())[:count]:
        wait(box, f'[ "$(grep -c \'"online": 1\' /etc/pve/.members)" -eq {count} ]')
        wait(box, "grep -q '\"quorate\": 1' /etc/pve/.members")
        assert members(box) == names
        # Whoever joined has taken it away, and the others hear of it.
        wait(box, "[ ! -e /etc/pve/priv/pvegen-join ]")
        assert trash(box) == []
    for name in names:
        nodes.verify(name).expect(0)


def help_of(run: Run, part: str) -> str:
    """What a run says is to be done about the point with PART in it."""
    return next(point.yaml["help"] for point in run.tap.failures() if part in point.description)


MADE_ANEW = "#!/bin/sh\n[ -e /etc/machine-id ] || echo 0123456789abcdef0123456789abcdef >/etc/machine-id\n"


@pytest.mark.trap("K12")
@pytest.mark.parametrize("target", TARGETS)
def test_a_copy_of_the_member_gets_what_is_its_own_by_the_messages(target: str) -> None:
    with ready(target) as nodes:
        member, copy = nodes["pve1"], nodes["pve2"]
        folder = member.system.settings["ssh-dir"]
        copy.put("/usr/sbin/systemd-machine-id-setup", MADE_ANEW, 0o755)
        for path in (
            "/etc/machine-id",
            *(f"{folder}/ssh_host_{kind}_key{end}" for kind in ("rsa", "ed25519") for end in ("", ".pub")),
        ):
            copy.put(path, member.read(path), 0o600)
        refused = nodes.apply("pve2").expect(78)
        copy.run(help_of(refused, "the machine id of pve1").partition("this is the copy, here: ")[2]).check()
        refused = nodes.apply("pve2").expect(78)
        copy.run(help_of(refused, "a host key of pve1").partition("this is the copy, here: ")[2], timeout=120).check()
        nodes.apply("pve2").expect(0)
        joined(nodes)


@pytest.mark.parametrize("text", ["", "uninitialized\n"])
def test_machine_ids_that_are_yet_to_be_made_are_no_copies(still_a_pair: Nodes, text: str) -> None:
    own = {name: box.read("/etc/machine-id") for name, box in still_a_pair.node.items()}
    for box in still_a_pair.node.values():
        box.put("/etc/machine-id", text)
    with under(same_host_key, still_a_pair):
        refused = still_a_pair.apply("pve2").expect(78)
    for name, box in still_a_pair.node.items():
        box.put("/etc/machine-id", own[name])
    assert len(refused.failures) == 1 and "a host key of pve1" in refused.failures[0]


@pytest.mark.trap("B6")
@pytest.mark.parametrize("target", TARGETS)
def test_a_half_done_join_is_led_to_its_end_by_the_messages(target: str) -> None:
    """The member lists the node and waits for it, and the node has got nothing: each message is followed literally."""
    with ready(target) as nodes:
        nodes["pve2"].fail("pvecm-add-copy")
        stopped = nodes.apply("pve2").expect(1)
        assert "pve1 has no quorum" in bail(stopped), str(stopped)
        assert "If it waits for a node whose join was broken off: pvecm expected 1" in stopped.stdout
        nodes["pve2"].fail("pvecm-add-copy", on=False)
        assert not in_quorum(nodes["pve1"])
        nodes.apply("pve2").expect(78)
        nodes["pve1"].run("pvecm expected 1").check()
        wait(nodes["pve1"], "grep -q '\"quorate\": 1' /etc/pve/.members")
        refused = nodes.apply("pve2").expect(78)
        assert "On pve1: pvecm delnode pve2; then apply here again." in refused.stdout
        nodes["pve1"].run("pvecm delnode pve2")
        nodes.apply("pve2").expect(0)
        joined(nodes)


@pytest.mark.trap("K4")
@pytest.mark.parametrize("target", TARGETS)
def test_pvecm_that_fails_is_not_believed(target: str) -> None:
    """On PVE from 5.2 on it exits with 0 all the same."""
    with ready(target) as nodes:
        nodes["pve1"].fail("pvecm-addnode")
        stopped = nodes.apply("pve2").expect(1)
        assert "pvecm add has not brought this node into the cluster" in bail(stopped), str(stopped)
        assert "got lock request timeout" in stopped.stdout
        assert members(nodes["pve1"]) == {"pve1": True}
        assert not nodes["pve1"].exists("/etc/pve/priv/pvegen-join")
        nodes["pve1"].fail("pvecm-addnode", on=False)
        nodes.apply("pve2").expect(0)
        joined(nodes)


SSH = """#!/bin/sh
case " $* " in
    *BatchMode=yes*" true ")
        printf '%s\\n' "$*" >>/root/asked
        case $(wc -l </root/asked) in {refused}) echo "ssh: connect to host $4 port 22: Connection refused" >&2; exit 255 ;; esac
        ;;
esac
exec /usr/bin/ssh "$@"
"""


def test_a_member_whose_sshd_refuses_for_a_moment_is_asked_again() -> None:
    """So does one that was just told to read its configuration anew: before anything is done, and before the join."""
    with a_pair("alt-p11") as nodes:
        nodes["pve2"].put("/usr/sbin/ssh", SSH.format(refused="1 | 3"), 0o755)
        nodes.apply("pve2").expect(0)
        assert nodes["pve2"].read("/root/asked").count(f"-o ConnectTimeout={LIMITS['ssh']} ") == 4
        nodes.agree()


def test_a_member_is_not_tried_more_often_than_its_sshd_bears() -> None:
    """OpenSSH from 9.8 on counts 5 seconds for a key that it does not take and 1 for who only looks, and shuts out above 15."""
    with Nodes(description("alt-p11", 2)) as nodes:
        nodes.apply("pve1").expect(0)
        nodes["pve2"].put("/usr/sbin/ssh", SSH.format(refused="none"), 0o755)
        nodes["pve2"].put("/usr/sbin/ssh-keyscan", "#!/bin/sh\necho keyscan >>/root/asked\n", 0o755)
        nodes.prepare("pve2")
        assert len(nodes["pve2"].read("/root/asked").splitlines()) == 2
        nodes["pve2"].remove("/root/asked")
        nodes.join("pve2")
        # One in each phase, and one that sees that the password has brought the key in.
        assert len(nodes["pve2"].read("/root/asked").splitlines()) == 3


@pytest.mark.trap("K5")
def test_pvecm_that_hangs_is_ended_and_the_node_is_healthy_after_the_next_run() -> None:
    with ready("alt-p11") as nodes:
        # Long enough to get as far as the quorum.
        support.edit(nodes["pve2"], ("\nlimit_join=60\n", f"\nlimit_join={5 * LONGEST}\n"), path="/root/pve2.sh")
        nodes["pve2"].fail("pvecm-hang")
        first = nodes.apply("pve2")
        assert first.status in (0, 1), str(first)
        assert "pvecm: exit status 124" in first.stdout
        nodes["pve2"].fail("pvecm-hang", on=False)
        nodes.apply("pve2").expect(0)
        joined(nodes)


@pytest.mark.trap("K8")
def test_a_join_from_within_etc_pve_is_no_join_from_within_etc_pve() -> None:
    with ready("alt-p11") as nodes:
        nodes.apply("pve2", cwd="/etc/pve").expect(0)
        joined(nodes)


@pytest.mark.trap("K2")
@pytest.mark.parametrize("target", TARGETS)
def test_a_member_that_is_not_created_yet(target: str) -> None:
    with Nodes(description(target, 2)) as nodes:
        trusted(nodes, "pve2")
        for attempt in ("bridge still to be made", "bridge there"):
            ended = nodes.apply("pve2")
            # The network here is brought up first, where it was not as described: the join itself asks then.
            assert ended.status in (1, 78), attempt
            assert "pve1 is not in cluster mypve" in ended.stdout, str(ended)
            assert adds(nodes["pve2"]) == []
        assert ended.status == 78
        nodes.apply("pve1").expect(0)
        trusted(nodes, "pve2")
        nodes.apply("pve2").expect(0)
        joined(nodes)


def test_a_host_key_that_is_not_the_described_one_ends_the_join() -> None:
    """Under trust = "keys" nobody is asked, and nothing is taken unseen."""
    trust = '[ssh]\ntrust = "keys"'
    with Nodes(description("alt-p8", 2, tables=trust)) as nodes:
        printed = []
        for name in nodes.node:
            nodes.apply(name, "--only", "trust").expect(0)
            printed.append(nodes.call(name, "keys").expect(0).stdout)
        strange = '"' + " ".join(root_key("a strange host")[1].split()[:2]) + '",'
        wrong = re.sub(r'    "ssh-.*\n', "", printed[0]).replace("ssh_host_keys = [", f"ssh_host_keys = [{strange}")
        nodes.rebuild(description("alt-p8", [wrong, printed[1]], tables=trust))
        nodes.apply("pve1").expect(0)
        stopped = nodes.apply("pve2", answers=ANSWERS)
        assert stopped.status == 1 and "pve1 shows another host key than this node knows" in stopped.stdout, str(
            stopped
        )
        assert "Where the description states the key (ssh_host_keys) and is wrong, correct it there." in stopped.stdout
        assert "assword" not in stopped.stderr and adds(nodes["pve2"]) == []
        nodes.rebuild(description("alt-p8", printed, tables=trust))
        nodes.apply("pve2").expect(0)
        joined(nodes)


@pytest.mark.trap("K1", "B7")
def test_own_cluster_is_another_one() -> None:
    with Nodes(description("alt-p8", 2), ["pve2"]) as nodes:
        box = nodes["pve2"]
        box.run("printf '10.0.0.252 pve2\\n' >>/etc/hosts; rm /etc/corosync/corosync.conf").check()
        box.run("systemctl start pve-cluster && pvecm create other").check()
        wait(box, "grep -q '\"quorate\": 1' /etc/pve/.members")
        before = support.picture(box, skip=[support.LOG])
        refused = nodes.apply("pve2").expect(78)
        assert "this node is in cluster other, not mypve" in str(refused.failures)
        assert help_of(refused, "in cluster other").startswith("A node is never taken out of a cluster")
        assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []


@pytest.mark.trap("B8")
def test_a_node_that_was_taken_out_of_another_cluster() -> None:
    """What it has left of it is named, and the message leads out."""
    with ready("alt-p8") as nodes:
        box = nodes["pve2"]
        box.run("printf '10.0.0.252 pve2\\n' >>/etc/hosts; systemctl start pve-cluster && pvecm create other").check()
        wait(box, "grep -q '\"quorate\": 1' /etc/pve/.members")
        box.run(
            "sed 's/name: pve2/name: old/; s/config_version: 1/config_version: 2/' /etc/pve/corosync.conf >/tmp/left"
        )
        box.run("cat /tmp/left >/etc/pve/corosync.conf").check()
        refused = nodes.apply("pve2").expect(78)
        clean(nodes, "pve2", help_of(refused, "this node is in cluster other, not mypve"))


def clean(nodes: Nodes, name: str, help_: str) -> None:
    """Does literally what a message says to a node that was taken out; the node then joins as any new one."""
    commands = help_.partition("then clean it, here: ")[2].partition("; and apply again")[0]
    assert commands.startswith("systemctl stop pve-cluster corosync; "), help_
    nodes[name].run(commands, timeout=120).check()
    assert not nodes[name].exists("/etc/corosync/authkey")
    nodes.apply(name).expect(0)
    joined(nodes)


@pytest.mark.trap("B8")
@pytest.mark.parametrize("target", TARGETS)
def test_a_node_that_was_taken_out_is_not_put_back_before_it_was_cleaned(target: str) -> None:
    with ready(target) as nodes:
        nodes.apply("pve2").expect(0)
        nodes["pve1"].run("pvecm delnode pve2")
        wait(nodes["pve1"], "! grep -q pve2 /etc/pve/.members")
        # It hears of it a moment later; until then it is a member like any other.
        wait(nodes["pve2"], "! grep -q 'name: pve2' /etc/pve/corosync.conf")
        for call, status in (("check", 78), ("verify", 1), ("apply", 78)):
            seen = nodes.call("pve2", call)
            assert seen.status == status and "is not listed in it as pve2: it was taken out" in str(seen.failures), str(
                seen
            )
        assert members(nodes["pve1"]) == {"pve1": True}
        clean(nodes, "pve2", help_of(seen, "is not listed in it"))


@pytest.mark.trap("B8")
@pytest.mark.parametrize("target", TARGETS)
def test_a_node_that_was_taken_out_while_it_was_down(target: str) -> None:
    """It knows nothing of it, and waits for the others in vain."""
    with ready(target, limits={"quorum": 4}) as nodes:
        nodes.apply("pve2").expect(0)
        joined(nodes)
        nodes["pve2"].run("echo memory: 512 >/etc/pve/qemu-server/100.conf").check()
        nodes["pve2"].run("printf 'nfs: shared\\n\\tserver 10.0.0.9\\n' >/etc/pve/storage.cfg").check()
        nodes["pve2"].power_off()
        quorate_alone(nodes["pve1"])
        nodes["pve1"].run("pvecm delnode pve2")
        wait(nodes["pve1"], "! grep -q pve2 /etc/pve/.members")
        nodes["pve2"].boot()
        stopped = nodes.apply("pve2").expect(1)
        help_ = help_of(stopped, "pve2 is in cluster mypve, quorate")
        assert (
            "If the others no longer list pve2 (on one of them: pvecm nodes), it was taken out while it was down"
            in help_
        )
        assert "pve2" not in nodes["pve1"].run("pvecm nodes").stdout
        assert nodes.verify("pve2").status == 1
        clean(nodes, "pve2", help_)


@pytest.mark.trap("B6")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("left", (["authkey"], ["authkey", "corosync.conf"]), ids=" ".join)
def test_what_a_join_that_was_broken_off_has_left_is_led_out_by_the_messages(target: str, left: list[str]) -> None:
    """The member lists the node, and all that the node has is the key, or corosync's configuration with it, of which a
    pmxcfs with its old database takes no notice: both halves of the message are followed.
    """
    with ready(target) as nodes:
        listed(nodes["pve1"], "pve2", "10.0.0.252")
        quorate_alone(nodes["pve1"])
        for name in left:
            text = nodes["pve1"].run(f"base64 /etc/corosync/{name}").stdout
            nodes["pve2"].run(f"umask 077; base64 -d >/etc/corosync/{name}", stdin=text).check()
        refused = nodes.apply("pve2").expect(78)
        help_ = help_of(refused, "there is a /etc/corosync/authkey, but no cluster")
        assert "pve2" in nodes["pve1"].run("pvecm nodes").stdout + nodes["pve1"].read("/etc/pve/corosync.conf")
        there = re.search(r"is listed, there: (.+?)\. Then", help_)
        assert there is not None
        nodes["pve1"].run(there[1])
        nodes["pve2"].run(help_.rpartition("away here: ")[2]).check()
        nodes.apply("pve2").expect(0)
        joined(nodes)


@pytest.mark.trap("C2")
def test_an_imported_stub_is_led_out_by_the_message() -> None:
    """pve-cluster was started before the script came, and has taken the package's example for a cluster's."""
    with Nodes(description("alt-p8", 2)) as nodes:
        nodes.apply("pve1").expect(0)
        box = nodes["pve2"]
        box.run("printf '10.0.0.252 pve2\\n' >>/etc/hosts; systemctl start pve-cluster").check()
        refused = nodes.apply("pve2").expect(78)
        assert "lists no nodes: an example was taken for a cluster's configuration" in str(refused.failures)
        help_ = next(p.yaml["help"] for p in refused.tap.failures() if "lists no nodes" in p.description)
        box.run(help_).check()
        nodes.prepare("pve2")
        nodes.join("pve2")
        joined(nodes)


@pytest.mark.trap("K7")
@pytest.mark.parametrize("target", TARGETS)
def test_two_that_join_at_the_same_moment_do_not_break_the_member(target: str) -> None:
    """Each ends joined at once, or is told to wait and ends joined in its next run."""
    with Nodes(description(target, 3)) as nodes:
        nodes.apply("pve1").expect(0)
        for name in ("pve2", "pve3"):
            nodes.prepare(name)
            trusted(nodes, name)
        ended = at_once(nodes, "pve2", "pve3")
        for name, run in ended.items():
            assert run.status in (0, 1, 78), str(run)
            if run.status:
                told = ("is joining the cluster just now", "a node of the cluster is offline", "has no quorum")
                assert any(text in run.stdout for text in told), str(run)
                nodes.apply(name).expect(0)
        joined(nodes, 3)


def at_once(nodes: Nodes, *names: str) -> dict[str, Run]:
    """Applies the scripts of several nodes, all started at the same moment."""
    ended: dict[str, Run] = {}
    threads = [threading.Thread(target=lambda n=name: ended.update({n: nodes.apply(n)})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


@pytest.mark.trap("K7")
def test_the_lock_of_another_joiner_is_kept_and_a_stale_one_is_not() -> None:
    with ready("alt-p11") as nodes:
        member = nodes["pve1"]
        member.run("mkdir /etc/pve/priv/pvegen-join && echo pve3 >/etc/pve/priv/pvegen-join/node").check()
        stopped = nodes.apply("pve2").expect(1)
        assert "pve3 is joining the cluster just now" in bail(stopped)
        assert nodes["pve2"].calls("pvecm") == []
        assert member.read("/etc/pve/priv/pvegen-join/node") == "pve3\n"
        # Where the other run was broken off, the message says how to let it go.
        member.run(help_of(stopped, "pve3 is joining").rpartition("or on pve1: ")[2]).check()
        assert not member.exists("/etc/pve/priv/pvegen-join")
        # Its own, from a run that was broken off, holds nobody.
        member.run("mkdir /etc/pve/priv/pvegen-join && echo pve2 >/etc/pve/priv/pvegen-join/node").check()
        nodes.apply("pve2").expect(0)
        joined(nodes)
