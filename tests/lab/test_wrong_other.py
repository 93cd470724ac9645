"""A node that is another one than its script takes it for: from another cluster, another node, of another's address."""

import pytest
from scripts import support
from scripts.nodes import ANSWERS, in_quorum, members

from .conftest import MakeLab
from .states import formed
from .wrong import Going, both_in, follow, hasty, help_of, is_alone, mend, ready, said, three, untouched

pytestmark = pytest.mark.lab


@pytest.mark.target("alt-p11")
def test_once_in_another_cluster(lab: MakeLab) -> None:
    """A node that was taken out of another cluster, its key and configuration left: refused; cleaned, it joins."""
    nodes = ready(lab, "alt-p11", admit=False)
    nodes["pve3"].run("pvecm create other").check()
    nodes.until(lambda: in_quorum(nodes["pve3"]), "another cluster is there")
    public = nodes["pve2"].read("/root/.ssh/id_rsa.pub")
    nodes["pve3"].run("cat >>/root/.ssh/authorized_keys", stdin=public).check()
    nodes["pve2"].run("ssh-keyscan -T 60 10.0.0.13 >/root/.ssh/known_hosts 2>/dev/null").check()
    nodes["pve2"].run("pvecm add 10.0.0.13 --use_ssh", timeout=120).check()
    nodes.until(lambda: members(nodes["pve3"]).get("pve2") and in_quorum(nodes["pve3"]), "pve2 is in it")
    said(nodes["pve3"], "pvecm delnode pve2")
    nodes.until(lambda: "name: pve2" not in nodes["pve2"].read("/etc/pve/corosync.conf"), "pve2 hears of it")
    nodes["pve3"].stop()
    with untouched(nodes["pve2"]):
        refused = nodes.apply("pve2").expect(78)
        assert "this node is in cluster other, not mypve" in str(refused.failures), str(refused)
    is_alone(nodes)
    assert len(follow(nodes, "pve2", help_of(refused))) == 1
    nodes.call("pve1", "admit").expect(0)
    nodes.apply("pve2", answers=ANSWERS, timeout=200).expect(0)
    both_in(nodes, "pve1", "pve2")


@pytest.mark.target("alt-p8")
def test_script_of_another_node(lab: MakeLab) -> None:
    """The script of another node: refused, untouched, the cluster whole."""
    nodes = lab(three("alt-p8"), formed)
    nodes.until_whole()
    nodes["pve2"].put("/root/pve3.sh", nodes.scripts["pve3"])
    for call in ("check", "apply", "verify", "rollback", "confirm"):
        with untouched(nodes["pve2"]):
            run = support.run(nodes["pve2"], call, path="/root/pve3.sh", tap=False)
        assert run.status == (1 if call == "verify" else 78), str(run)
        assert "this script is for pve3, and this host is pve2" in run.stdout + run.stderr, str(run)
    both_in(nodes, "pve1", "pve2", "pve3")


@pytest.mark.target("alt-p11")
def test_same_address_twice(lab: MakeLab) -> None:
    """The same address twice: a node was given another's by hand; its script puts it right, the cluster is whole."""
    nodes = lab(three("alt-p11"), formed)
    nodes.until_whole()
    path = "/etc/network/interfaces"
    text = nodes["pve3"].read(path)
    nodes["pve3"].put(path, text.replace("10.0.0.13/24", "10.0.0.12/24"))
    nodes["pve3"].run("ifreload -a").check()
    nodes.until(lambda: not nodes.whole(), "the cluster is broken")
    seen = nodes.verify("pve3")
    assert seen.status == 1 and "vmbr0 has 10.0.0.13/24" in str(seen.failures), str(seen)
    assert nodes.apply("pve3", timeout=200).expect(0).changes > 0
    assert nodes["pve3"].read(path) == text
    both_in(nodes, "pve1", "pve2", "pve3")


@pytest.mark.target("alt-p11")
def test_same_address_while_joining(lab: MakeLab) -> None:
    """A stranger has the joiner's address too: whatever comes of the join, with the stranger gone all is well."""
    nodes = ready(lab, "alt-p11")
    hasty(nodes, quorum=40)
    stranger = nodes["pve3"]
    stranger.run("ip address flush dev vmbr0 && ip address add 10.0.0.12/24 dev vmbr0").check()
    stranger.run("ping -c 1 -w 15 10.0.0.11").check()
    going = Going(nodes, "pve2")
    going.wait(40)
    stranger.unplug()
    going.ended()
    mend(nodes, "pve2")
    both_in(nodes, "pve1", "pve2")
