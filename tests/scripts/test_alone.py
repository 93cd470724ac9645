"""A step that is run alone, a member that was damaged since, a node that was set up anew: nothing is taken for granted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox import Sandbox

from . import support
from .nodes import TARGETS, Nodes, bail, description, grouped, login
from .test_join import ready, wait

pytestmark = pytest.mark.sandbox

SSHD = "/etc/openssh/sshd_config"
BEFORE = {"alt-p8": ["time", "bridge", "mirror", "names", "ssh", "trust", "rrdcached", "stub", "services"]}
BEFORE["alt-p11"] = [step for step in BEFORE["alt-p8"] if step not in ("mirror", "rrdcached", "stub")]


def made(box: Sandbox) -> list[list[str]]:
    """The calls of pvecm that form a cluster."""
    return [words for words in box.calls("pvecm") if words[1] in ("create", "add")]


@pytest.mark.parametrize("target", TARGETS)
def test_creating_alone_does_not_open_root_s_login(target: str) -> None:
    """pvecm would set PermitRootLogin to yes, and what it was before would be forgotten."""
    with Nodes(description(target, 2), ["pve1"]) as nodes:
        box = nodes["pve1"]
        box.put(SSHD, "Port 22\nPermitRootLogin without-password\n", 0o600)
        for step in BEFORE[target]:
            nodes.apply("pve1", "--only", step).expect(0)
        stopped = nodes.apply("pve1", "--from", "create").expect(1)
        assert "PermitRootLogin is not yet put in front" in bail(stopped)
        assert "sh /root/pve1.sh apply, without" in stopped.tap.failures()[0].yaml["help"]
        assert made(box) == []
        nodes.apply("pve1").expect(0)
        assert login(box)[0] == "prohibit-password"


@pytest.mark.parametrize("target", TARGETS)
def test_creating_alone_does_not_take_a_wrong_address_for_good(target: str) -> None:
    with Nodes(description(target, 2), ["pve1"]) as nodes:
        box = nodes["pve1"]
        box.run("rm -f /etc/corosync/corosync.conf; echo '10.9.9.9 pve1.example.org pve1' >>/etc/hosts").check()
        box.run("systemctl start pve-cluster").check()
        nodes.apply("pve1", "--only", "root-login").expect(0)
        stopped = nodes.apply("pve1", "--only", "create").expect(1)
        assert 'pve1 resolves to "10.9.9.9", which is not its address' in bail(stopped)
        assert made(box) == []
        nodes.apply("pve1").expect(0)
        nodes.verify("pve1").expect(0)


def test_joining_alone_does_not_open_root_s_login() -> None:
    with ready("alt-p11") as nodes:
        nodes["pve2"].remove("/var/lib/pvegen/mypve/root-login")
        stopped = nodes.apply("pve2", "--only", "join").expect(1)
        assert "PermitRootLogin is not yet put in front" in bail(stopped)
        assert made(nodes["pve2"]) == []


@pytest.mark.trap("K1")
@pytest.mark.parametrize("target", TARGETS)
def test_a_first_node_that_was_set_up_anew_makes_no_second_cluster(target: str) -> None:
    with ready(target) as nodes:
        nodes.apply("pve2").expect(0)
        nodes["pve1"].close()
        fresh = nodes.add("pve1")
        public = fresh.read("/root/.ssh/id_rsa.pub")
        nodes["pve2"].run("pvecm expected 1").check()
        wait(nodes["pve2"], "grep -q '\"quorate\": 1' /etc/pve/.members")
        # Root's key here is the one that the cluster knows, as one that was saved and put back.
        assert public.split()[1] in nodes["pve2"].read("/etc/pve/priv/authorized_keys")
        fresh.run("ssh-keyscan 10.0.0.252 2>/dev/null >/root/.ssh/known_hosts").check()
        stopped = nodes.apply("pve1").expect(1)
        assert "pve2 is in a cluster mypve already" in bail(stopped)
        assert "pvecm delnode pve1" in stopped.tap.failures()[-1].yaml["help"]
        assert made(fresh) == []


def test_a_node_that_cannot_be_asked_is_named() -> None:
    """Also in a quiet run: with another key, a node that was set up anew is like one that is new."""
    with Nodes(description("alt-p8", 2)) as nodes:
        done = nodes.apply("pve1", "--quiet").expect(0)
        assert "pve2 is up, but root's key does not get in there" in done.stdout
        assert "see pvecm status on pve2" in done.stdout


def test_a_node_whose_pmxcfs_is_down_is_asked_all_the_same() -> None:
    with ready("alt-p8") as nodes:
        nodes.apply("pve2").expect(0)
        nodes["pve1"].close()
        fresh = nodes.add("pve1")
        # Its root's keys are the cluster's, which are not there while pmxcfs is down.
        public = fresh.read("/root/.ssh/id_rsa.pub")
        nodes["pve2"].run("systemctl stop pve-cluster; rm -f /root/.ssh/authorized_keys").check()
        nodes["pve2"].put("/root/.ssh/authorized_keys", public, 0o600)
        fresh.run("ssh-keyscan 10.0.0.252 2>/dev/null >/root/.ssh/known_hosts").check()
        assert "pve2 is in a cluster mypve already" in bail(nodes.apply("pve1").expect(1))


def test_several_addresses_of_a_name_are_one_line_of_output() -> None:
    with Nodes(description("alt-p11", 2), ["pve1"]) as nodes:
        box = nodes["pve1"]
        box.run("printf '10.0.0.251 pve1\\n10.9.9.9 pve1\\n' >>/etc/hosts; systemctl start pve-cluster").check()
        nodes.apply("pve1", "--only", "root-login").expect(0)
        stopped = nodes.apply("pve1", "--only", "create").expect(1)
        assert 'pve1 resolves to "10.0.0.251 10.9.9.9"' in bail(stopped)


# What was damaged since ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=grouped("alone-member"))
def member(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    """pve1 with its cluster; every test mends what it damages."""
    with Nodes(description(request.param, 2), ["pve1"]) as nodes:
        nodes.apply("pve1").expect(0)
        yield nodes


def test_a_member_that_was_not_made_by_a_script_has_nothing_to_keep(member: Nodes) -> None:
    box = member["pve1"]
    box.run("mv /var/lib/pvegen/mypve /root/state").check()
    assert member.call("pve1", "apply", "--only", "create").expect(0).changes == 0
    member.call("pve1", "verify", "--only", "create").expect(0)
    box.run("rm -rf /var/lib/pvegen/mypve; mv /root/state /var/lib/pvegen/mypve").check()


def test_what_closes_the_login_again_is_the_script(member: Nodes) -> None:
    """Read from a pipe in the folder of the shell, $0 is the shell's own name."""
    box = member["pve1"]
    done = box.run(["dash", "-s", "admit"], stdin=box.read("/root/pve1.sh"), cwd="/usr/bin")
    assert done.status == 78 and "run the script as a file" in done.stderr, done
    assert not box.exists("/var/lib/pvegen/mypve/close.sh")


DAMAGES = {
    "root's login opened": (
        f"sed -i '1i PermitRootLogin yes' {SSHD}; systemctl reload-or-restart sshd",
        f"sed -i 1d {SSHD}; systemctl reload-or-restart sshd",
        "PermitRootLogin is as described",
    ),
    "no key of corosync": (
        "mv /etc/corosync/authkey /root/",
        "mv /root/authkey /etc/corosync/",
        "corosync has its key and the cluster's configuration",
    ),
    "no configuration of corosync": (
        "mv /etc/corosync/corosync.conf /root/",
        "mv /root/corosync.conf /etc/corosync/",
        "corosync has its key and the cluster's configuration",
    ),
}


@pytest.mark.trap("C3")
@pytest.mark.parametrize("name", DAMAGES)
def test_verify_of_one_step_sees_it(member: Nodes, name: str) -> None:
    damage, mend, said = DAMAGES[name]
    member.call("pve1", "verify", "--only", "create").expect(0)
    member["pve1"].run(damage).check()
    assert member.call("pve1", "verify", "--only", "create").expect(1).failures == [said]
    member["pve1"].run(mend).check()
    member.verify("pve1").expect(0)


def test_an_sshd_that_does_not_come_up_at_boot_is_seen_and_mended(member: Nodes) -> None:
    box = member["pve1"]
    box.run("systemctl disable sshd; systemctl stop sshd").check()
    assert "sshd" in str(member.call("pve1", "verify", "--only", "ssh").expect(1).failures)
    member.call("pve1", "apply", "--only", "ssh").expect(0)
    member.call("pve1", "verify", "--only", "ssh").expect(0)
    assert box.run("systemctl is-enabled sshd && systemctl is-active sshd").status == 0


def test_a_match_of_the_cluster_s_own_network_is_looked_at(member: Nodes) -> None:
    """Its list of variables stands in place of ours for whom it is for."""
    box = member["pve1"]
    before = box.read(SSHD)
    box.put(SSHD, f"{before}Match Address 10.0.0.0/24\n    AcceptEnv LANG\n", 0o600)
    box.run("systemctl reload-or-restart sshd").check()
    seen = member.call("pve1", "verify", "--only", "ssh").expect(1)
    assert seen.failures == ["sshd takes LC_PVE_TICKET from pve2"]
    assert "Match block" in seen.tap.failures()[0].yaml["help"]
    box.put(SSHD, before, 0o600)
    box.run("systemctl reload-or-restart sshd").check()
    member.call("pve1", "verify", "--only", "ssh").expect(0)


KILL = "pkill -KILL -f '^[^ ]*dash /root/pve1.sh apply'; sleep 1"


def test_a_command_whose_shell_was_killed_has_failed(member: Nodes) -> None:
    box = member["pve1"]
    box.run("rm /root/.ssh/id_rsa.pub; mv /root/.ssh/id_rsa /root/kept").check()
    box.put("/usr/sbin/ssh-keygen", "#!/bin/sh\nkill -KILL $PPID\nsleep 1\n", 0o755)
    stopped = member.apply("pve1", "--only", "trust")
    assert stopped.status == 1 and "cannot write /root/.ssh/id_rsa" in bail(stopped), str(stopped)
    box.remove("/usr/sbin/ssh-keygen")
    box.run("mv /root/kept /root/.ssh/id_rsa; ssh-keygen -y -f /root/.ssh/id_rsa >/root/.ssh/id_rsa.pub").check()


def test_half_a_key_pair_does_not_stay(member: Nodes) -> None:
    """ssh-keygen writes one half after the other; a run that dies between leaves none."""
    box = member["pve1"]
    private, public = box.read("/root/.ssh/id_rsa"), box.read("/root/.ssh/id_rsa.pub")
    box.run("rm /root/.ssh/id_rsa /root/.ssh/id_rsa.pub").check()
    box.put("/usr/sbin/ssh-keygen", f'#!/bin/sh\n/usr/bin/ssh-keygen "$@"\n{KILL}\n', 0o755)
    assert member.apply("pve1", "--only", "trust", tap=False).status == 137
    assert not box.exists("/root/.ssh/id_rsa")
    box.remove("/usr/sbin/ssh-keygen")
    member.apply("pve1", "--only", "trust").expect(0)
    assert box.run("ssh-keygen -y -f /root/.ssh/id_rsa").check().stdout.split()[1] in box.read("/root/.ssh/id_rsa.pub")
    assert [name for name in box.run("ls -A /root/.ssh").stdout.split() if "pvegen" in name] == []
    box.put("/root/.ssh/id_rsa", private, 0o600)
    box.put("/root/.ssh/id_rsa.pub", public)


def test_a_unit_that_a_change_has_started_is_not_started_again(alone: Sandbox) -> None:
    alone.run("systemctl stop rrdcached").check()
    alone.forget_calls()
    support.apply(alone).expect(0)
    started = [words for words in support.unit_calls(alone) if "rrdcached" in str(words[2:])]
    assert [words[1] for words in started] == ["restart", "enable"]
    assert "rrdcached disabled inactive" in alone.read("/var/lib/pvegen/alone/units")


def test_a_masked_rrdcached_holds_nothing_up(alone: Sandbox) -> None:
    alone.run("systemctl stop rrdcached; systemctl mask rrdcached").check()
    done = support.apply(alone).expect(0)
    assert "SKIP masked by somebody" in done.stdout
    support.verify(alone).expect(0)


def test_no_time_service_is_one_failure(alone: Sandbox) -> None:
    support.apply(alone).expect(0)
    alone.run("rm -f /usr/lib/systemd/system/ntpd.service /usr/lib/systemd/system/chronyd.service "
              "/usr/lib/systemd/system/openntpd.service /usr/lib/systemd/system/systemd-timesyncd.service")  # fmt: skip
    alone.run("rm -rf /var/lib/standin/sysv/ntpd /etc/init.d/ntpd /etc/rc.d/init.d/ntpd")
    failures = support.run(alone, "verify", "--only", "time").expect(1).failures
    assert len(failures) == 1 and "there is no time service" in failures[0]


def test_a_bridge_that_runs_with_stp_is_taken_over() -> None:
    """While STP is on, the kernel takes no forward delay of 0."""
    with Nodes(description("alt-p11", 1), ["pve1"], key=False) as nodes:
        box = nodes["pve1"]
        box.run("ip link set dev vmbr0 type bridge stp_state 1").check()
        box.run("sed -i 's/bridge-stp off/bridge-stp on/; s/bridge-fd 0/bridge-fd 15/' /etc/network/interfaces").check()
        assert "bridge-stp on" in box.read("/etc/network/interfaces")
        box.run("ip link set dev vmbr0 type bridge forward_delay 1500").check()
        nodes.apply("pve1", "--only", "bridge").expect(0)
        assert box.read("/sys/class/net/vmbr0/bridge/stp_state").strip() == "0"
        nodes.call("pve1", "verify", "--only", "bridge").expect(0)


def test_an_example_that_was_taken_for_a_cluster_on_a_local_node(alone: Sandbox) -> None:
    alone.run("echo '10.0.0.251 pve1' >>/etc/hosts; systemctl start pve-cluster").check()
    refused = support.apply(alone).expect(78)
    assert "lists no nodes: an example was taken for a cluster's configuration" in str(refused.failures)
    alone.run(refused.tap.failures()[0].yaml["help"]).check()
    support.apply(alone).expect(0)
    support.verify(alone).expect(0)


@pytest.fixture
def alone() -> Iterator[Sandbox]:
    with Sandbox("alt-p8", "pve1") as box:
        box.put(support.PLACE, support.build(support.ONE.format(target="alt-p8"))["pve1"])
        yield box
