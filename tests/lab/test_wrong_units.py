"""Units that are not as a script needs them, by real systemd; configurations of sshd that were broken by hand."""

import pytest
from scripts.nodes import TARGETS, login

from .advice import follow
from .cluster import Lab
from .conftest import MakeLab
from .descriptions import description
from .node import Node

pytestmark = pytest.mark.lab

target = pytest.mark.parametrize("target", TARGETS)
SSHD = "/etc/openssh/sshd_config"


def drop_in(node: Node, unit: str, **keys: str) -> None:
    """Settings of a unit's service by hand, in place of its own; without any, away with them."""
    path = f"/etc/systemd/system/{unit}.service.d/by-hand.conf"
    node.remove(path)
    if keys:
        lines = [
            f"{key}=\n{key}={value}\n" if key.startswith("Exec") else f"{key}={value}\n" for key, value in keys.items()
        ]
        unit_keys = "".join(line for line in lines if line.startswith("StartLimit"))
        rest = "".join(line for line in lines if not line.startswith("StartLimit"))
        node.put(path, f"[Unit]\n{unit_keys}[Service]\n{rest}")
    node.run("systemctl daemon-reload").check()


def is_up(node: Node, unit: str) -> bool:
    return node.run(["systemctl", "is-active", unit]).stdout == "active\n"


def ready(nodes: Lab) -> Node:
    """pve1 with all that pve-cluster needs to come up."""
    for step in ("names", "stub"):
        if f"step_{step}()" in nodes.scripts["pve1"]:
            nodes.apply("pve1", "--only", step).expect(0)
    return nodes["pve1"]


def services(nodes: Lab, status: int) -> str:
    """The reasons why the step of PVE's services does not end well; none where it does."""
    done = nodes.apply("pve1", "--only", "services").expect(status)
    return "; ".join(done.failures)


@target
def test_a_unit_is_missing_or_masked(lab: MakeLab, target: str) -> None:
    """A needed unit masked: refused, the advice followed; one that PVE can do without: passed over."""
    nodes = lab(description(target, 1))
    node = nodes["pve1"]
    node.run("rm /lib/systemd/system/ksmtuned.service; systemctl daemon-reload").check()
    node.run("systemctl mask rrdcached pve-cluster 2>&1").check()
    done = nodes.apply("pve1").expect(78)
    assert done.failures == ["services: pve-cluster is masked"], done
    assert not node.exists("/var/lib/pvegen")
    follow(node, done, "systemctl unmask")
    nodes.apply("pve1").expect(0)
    assert is_up(node, "pve-cluster") and node.run("systemctl is-enabled rrdcached").stdout == "masked\n"


@pytest.mark.target("alt-p8")
def test_a_unit_fails(lab: MakeLab) -> None:
    """pve-cluster fails: the run stops and says so; with its fault mended the next run goes on."""
    nodes = lab(description("alt-p8", 1))
    node = ready(nodes)
    drop_in(node, "pve-cluster", ExecStart="/bin/false", Restart="no")
    assert services(nodes, 1) == "pve-cluster does not run"
    drop_in(node, "pve-cluster")
    node.run("systemctl stop ksmtuned").check()
    drop_in(node, "ksmtuned", ExecStartPre="/bin/false")
    assert services(nodes, 1) == "ksmtuned does not run"
    drop_in(node, "ksmtuned")
    assert services(nodes, 0) == ""
    assert is_up(node, "pve-cluster") and is_up(node, "ksmtuned")


@pytest.mark.target("alt-p8")
def test_a_unit_is_slow(lab: MakeLab) -> None:
    """pve-cluster takes ten seconds to start: waited for."""
    nodes = lab(description("alt-p8", 1))
    node = ready(nodes)
    node.run("systemctl stop pve-cluster; systemctl reset-failed pve-cluster")
    drop_in(node, "pve-cluster", ExecStartPre="/bin/sleep 10")
    assert services(nodes, 0) == ""
    assert is_up(node, "pve-cluster")


@pytest.mark.target("alt-p11")
def test_a_unit_has_hit_its_start_limit_at_boot(lab: MakeLab) -> None:
    """pve-cluster failed at boot up to its start limit, for want of a name: apply brings it up."""
    nodes = lab(description("alt-p11", 1))
    node = nodes["pve1"]
    drop_in(node, "pve-cluster", StartLimitIntervalSec="1h", StartLimitBurst="5")
    node.reboot()
    nodes.until(lambda: node.run("systemctl is-active pve-cluster").stdout == "failed\n", "it has failed for good")
    # While it enables a unit, systemd forgets the limits.
    node.run("systemctl enable --now rpcbind").check()
    # Somebody tries what anybody would try.
    node.run("for i in 1 2 3 4 5 6; do systemctl start pve-cluster; done")
    ready(nodes)
    assert node.run("systemctl start pve-cluster").status != 0
    assert "Start request repeated too quickly" in node.run("journalctl -b -u pve-cluster").stdout
    assert services(nodes, 0) == ""
    assert is_up(node, "pve-cluster")


# sshd ---------------------------------------------------------------------------------------------------------------


@target
def test_sshd_s_configuration_was_broken_by_hand(lab: MakeLab, target: str) -> None:
    """sshd_config broken by hand before the run: nothing is written, sshd runs on; mended, the run goes on."""
    nodes = lab(description(target, 2), names=["pve1"])
    node = nodes["pve1"]
    good = node.read(SSHD)
    node.put(SSHD, f"{good}NoSuchOption yes\n")
    done = nodes.apply("pve1").expect(78)
    assert "sshd does not accept" in str(done.failures)
    assert not node.exists("/var/lib/pvegen") and is_up(node, "sshd")
    assert node.read(SSHD) == f"{good}NoSuchOption yes\n"
    node.put(SSHD, good)
    pid = node.run("systemctl show -p MainPID sshd").stdout
    nodes.apply("pve1", "--only", "ssh").expect(0)
    assert node.run("systemctl show -p MainPID sshd").stdout == pid and is_up(node, "sshd")


@target
def test_sshd_s_configuration_has_match_blocks(lab: MakeLab, target: str) -> None:
    """Match blocks at the end of sshd_config: root's login and the ticket are as described all the same."""
    nodes = lab(description(target, 2), names=["pve1"])
    node = nodes["pve1"]
    node.put(
        SSHD,
        node.read(SSHD)
        + "Match User backup\n    PermitRootLogin no\nMatch Address 10.9.0.0/24\n    X11Forwarding no\n",
    )
    nodes.apply("pve1", "--only", "ssh").expect(0)
    shown = node.run("sshd -T -C user=root,host=pve1,addr=10.0.0.11").check().stdout
    assert "acceptenv LC_PVE_TICKET" in shown
    assert login(node)[0] == "prohibit-password"
    assert is_up(node, "sshd")
