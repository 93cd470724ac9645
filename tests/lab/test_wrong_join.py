"""Joins that go wrong: each is refused and nothing touched, or the next run mends it, or a message leads out."""

import pytest
from scripts.nodes import ANSWERS, TARGETS, bail, in_quorum, members

from .cluster import Lab
from .conftest import MakeLab
from .moments import reach
from .states import fresh
from .wrong import Going, both_in, follow, help_of, is_alone, is_unjoined, mend, ready, three, untouched

pytestmark = pytest.mark.lab

target = pytest.mark.parametrize("target", TARGETS)
on_p8, on_p11 = pytest.mark.target("alt-p8"), pytest.mark.target("alt-p11")


@on_p8
def test_joiner_first(lab: MakeLab) -> None:
    """Wrong order: the joiner before its member is on, and before its member has created the cluster."""
    nodes = lab(three("alt-p8"), fresh, only=("pve1", "pve2"))
    nodes["pve1"].cut_power()
    stopped = nodes.apply("pve2", timeout=200).expect(1)  # the network has to be brought up first
    assert "member pve1 does not answer" in str(stopped.failures), str(stopped)
    with untouched(nodes["pve2"]):
        refused = nodes.apply("pve2").expect(78)
    assert refused.failures == ["join: member pve1 does not answer"]
    is_unjoined(nodes["pve2"])
    nodes.start("pve1")
    stopped = nodes.apply("pve2", timeout=200)
    assert stopped.status == 1 and "does not get into pve1" in bail(stopped), str(stopped)
    early = nodes.call("pve1", "admit")
    assert early.status == 78 and "not in cluster mypve yet" in early.stderr, str(early)
    public = nodes["pve2"].read("/root/.ssh/id_rsa.pub")
    nodes["pve1"].put("/root/.ssh/authorized_keys", public, 0o600)
    nodes["pve2"].run("ssh-keyscan -T 60 10.0.0.11 >/root/.ssh/known_hosts 2>/dev/null").check()
    refused = nodes.apply("pve2").expect(78)
    assert refused.failures == ["join: pve1 is not in cluster mypve"]
    is_unjoined(nodes["pve2"])
    assert help_of(refused).startswith("Apply the script of pve1 first")
    nodes.apply("pve1").expect(0)
    assert mend(nodes, "pve2") == []
    both_in(nodes, "pve1", "pve2")


@pytest.mark.both_targets
@target
def test_two_at_the_same_moment(lab: MakeLab, target: str) -> None:
    """Two joiners at the same moment: both are in after each was repeated as it said."""
    nodes = ready(lab, target)
    going = {name: Going(nodes, name) for name in ("pve2", "pve3")}
    for name, one in going.items():
        run = one.ended()
        assert run.status in (0, 1, 78), str(run)
        told = ("is joining the cluster just now", "a node of the cluster is offline", "has no quorum")
        assert run.status == 0 or any(text in run.stdout for text in told), f"{name}\n{run}"
    assert any(one.ended().status == 0 for one in going.values())
    for name in going:
        nodes.apply(name, answers=ANSWERS).expect(0)
    both_in(nodes, "pve1", "pve2", "pve3")


@pytest.mark.both_targets
@target
@pytest.mark.standin("the copy fails by pvecm's switch for it")
def test_half_joined(lab: MakeLab, target: str) -> None:
    """Half-joined: the member lists the node, the copy failed; the messages lead out."""
    nodes = ready(lab, target, "pve1", "pve2")
    nodes["pve2"].put("/var/lib/standin/fail/pvecm-add-copy", "")
    stopped = nodes.apply("pve2", answers=ANSWERS, timeout=200)
    assert stopped.status == 1, str(stopped)
    assert "pve2" in members(nodes["pve1"])
    nodes.until(lambda: not in_quorum(nodes["pve1"]), "the member waits for a second vote")
    nodes["pve2"].remove("/var/lib/standin/fail/pvecm-add-copy")
    done = mend(nodes, "pve2")
    assert "pve1: pvecm expected 1" in done and "pve1: pvecm delnode pve2" in done
    both_in(nodes, "pve1", "pve2")


@on_p8
def test_wrong_password(lab: MakeLab) -> None:
    """Wrong password, three times over: nothing joins; the right one then does."""
    nodes = ready(lab, "alt-p8", "pve1", "pve2")
    stopped = nodes.apply("pve2", answers={**ANSWERS, "assword": "guessed"})
    assert stopped.status == 1 and "root here does not get into pve1 by key" in stopped.stdout, str(stopped)
    is_unjoined(nodes["pve2"])
    is_alone(nodes)
    assert follow(nodes, "pve2", help_of(stopped)) == ["pve1: sh pve1.sh admit"]
    nodes.apply("pve2", answers=ANSWERS).expect(0)
    both_in(nodes, "pve1", "pve2")


@on_p11
def test_unknown_host_key(lab: MakeLab) -> None:
    """Unknown host key: whoever says no to it does not join, and sends no password; whoever says yes does."""
    nodes = ready(lab, "alt-p11", "pve1", "pve2")
    stopped = nodes.apply("pve2", answers={**ANSWERS, "(yes/no": "no"})
    assert stopped.status == 1 and "Host key verification failed" in stopped.stdout, str(stopped)
    assert "assword" not in stopped.stdout.partition("Host key verification failed")[0].partition("(yes/no")[2]
    is_unjoined(nodes["pve2"])
    is_alone(nodes)
    nodes.apply("pve2", answers=ANSWERS).expect(0)
    both_in(nodes, "pve1", "pve2")


def other_host_keys(lab: Lab, name: str) -> None:
    """Another machine answers for the address of a node: the node, with other host keys."""
    lab[name].run(
        f"for t in rsa ed25519; do rm -f {lab.ssh_dir}/ssh_host_${{t}}_key*; "
        f"ssh-keygen -q -N '' -t $t -f {lab.ssh_dir}/ssh_host_${{t}}_key; done; systemctl restart sshd"
    ).check()


@on_p11
def test_changed_host_key(lab: MakeLab) -> None:
    """Changed host key (a man in the middle): refused, no password sent, untouched; the message leads out."""
    nodes = ready(lab, "alt-p11", "pve1", "pve2")
    nodes["pve2"].run("ssh-keyscan -T 60 10.0.0.11 >/root/.ssh/known_hosts 2>/dev/null").check()
    other_host_keys(nodes, "pve1")
    with untouched(nodes["pve2"]):
        refused = nodes.apply("pve2", answers=ANSWERS)
    assert refused.status == 78 and "another host key than this node knows of it" in refused.stdout, str(refused)
    assert "password:" not in refused.stdout
    is_alone(nodes)
    assert follow(nodes, "pve2", help_of(refused)) == ["pve2: ssh-keygen -R 10.0.0.11"]
    nodes.apply("pve2", answers=ANSWERS).expect(0)
    # The cluster's own file of pve1 has its old key until somebody says so, and verify sees it.
    stale = nodes.call("pve2", "verify").expect(1)
    assert stale.failures == ["root reaches pve1 by key"] and "pvecm updatecerts" in help_of(stale)
    nodes["pve1"].run("pvecm updatecerts").check()
    both_in(nodes, "pve1", "pve2")


@on_p11
def test_wrong_fingerprint(lab: MakeLab) -> None:
    """Wrong fingerprint at pvecm's own join through the API: nothing joins, whatever its exit status."""
    nodes = ready(lab, "alt-p11", "pve1", "pve2", admit=False)
    command = f"pvecm add 10.0.0.11 --fingerprint {':'.join(['AB'] * 32)}"
    done = nodes["pve2"].run(command, answers=ANSWERS)
    assert done.status == 0 and "certificate verify failed" in done.stdout, str(done)
    is_unjoined(nodes["pve2"])
    is_alone(nodes)
    nodes.call("pve1", "admit").expect(0)
    nodes.apply("pve2", answers=ANSWERS).expect(0)
    both_in(nodes, "pve1", "pve2")


# The cable ------------------------------------------------------------------------------------------------------------


@on_p11
def test_cable_out_before(lab: MakeLab) -> None:
    """Cable out before the join: refused, untouched; plugged in, the node joins."""
    nodes = ready(lab, "alt-p11", "pve1", "pve2")
    nodes["pve2"].unplug()
    with untouched(nodes["pve2"]):
        refused = nodes.apply("pve2").expect(78)
    assert "member pve1 does not answer" in str(refused.failures), str(refused)
    nodes["pve2"].plug()
    nodes["pve2"].run("ping -c 1 -w 15 10.0.0.11").check()
    nodes.apply("pve2", answers=ANSWERS).expect(0)
    both_in(nodes, "pve1", "pve2")


@pytest.mark.both_targets
@pytest.mark.parametrize(
    ("target", "pulled_at"), [("alt-p8", "listed by the member"), ("alt-p11", "pve-cluster started")]
)
def test_cable_out_during(lab: MakeLab, target: str, pulled_at: str) -> None:
    """Cable out in the midst of the join until the member has lost its quorum: plugged in again, it ends well."""
    nodes = ready(lab, target, "pve1", "pve2")
    going = Going(nodes, "pve2")
    reach(nodes, pulled_at, going.goes)
    nodes["pve2"].unplug()
    nodes.until(lambda: not in_quorum(nodes["pve1"]), "the member misses a vote")
    nodes["pve2"].plug()
    going.ended()
    mend(nodes, "pve2")
    both_in(nodes, "pve1", "pve2")


@on_p8
def test_cable_out_while_asking(lab: MakeLab) -> None:
    """Cable out while the member is being asked: the script does not wait for ever, nothing is touched."""
    nodes = ready(lab, "alt-p8", "pve1", "pve2")
    public = nodes["pve2"].read("/root/.ssh/id_rsa.pub")
    nodes["pve1"].run("cat >>/root/.ssh/authorized_keys", stdin=public).check()
    nodes["pve2"].run("ssh-keyscan -T 60 10.0.0.11 >/root/.ssh/known_hosts 2>/dev/null").check()
    version = nodes["pve1"].read("/usr/bin/pveversion")
    nodes["pve1"].put("/usr/bin/pveversion", "#!/bin/sh\n: >/run/asked\nsleep 1000\n")
    with untouched(nodes["pve2"]):
        going = Going(nodes, "pve2")
        nodes.until(lambda: nodes["pve1"].exists("/run/asked"), "the member is asked")
        nodes["pve2"].unplug()
        refused = going.ended()
        assert refused.status == 78 and "member pve1 does not answer" in refused.stdout, str(refused)
    nodes["pve2"].plug()
    nodes["pve1"].put("/usr/bin/pveversion", version)
    assert mend(nodes, "pve2") == []
    both_in(nodes, "pve1", "pve2")
