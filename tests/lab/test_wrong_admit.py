"""What closes root's login again after `admit`: systemd's own timer, or a unit at the next boot, before sshd starts."""

import pytest
from scripts.nodes import TARGETS, login

from .conftest import MakeLab
from .descriptions import description
from .node import Node
from .states import prepared
from .waiting import until

pytestmark = pytest.mark.lab

target = pytest.mark.parametrize("target", TARGETS)
CLOSED, OPEN = ("prohibit-password", "yes"), ("yes", "yes")
PLACE = "/var/lib/pvegen/mypve"


def closed(node: Node) -> None:
    """Root gets in by key only, sshd says and does so, and nothing of `admit` is left."""
    assert login(node) == CLOSED
    until(lambda: not gets_in_by_password(node), "sshd has read its file", 15)
    assert not node.exists(f"{PLACE}/admitted")
    assert (
        node.run("ls /etc/systemd/system/*/pvegen* /etc/systemd/system/pvegen* /run/systemd/transient/pvegen*").stdout
        == ""
    )
    assert (
        "pvegen"
        not in node.run("systemctl list-timers --all; systemctl list-units --all 'pvegen*'; systemctl --failed").stdout
    )


def gets_in_by_password(node: Node) -> bool:
    """Whether a login of root by password really succeeds; the node asks itself."""
    words = ["ssh", "-o", "PubkeyAuthentication=no", "-o", "StrictHostKeyChecking=no", "root@127.0.0.1", "true"]
    return node.run(words, answers={"assword": "secret"}, timeout=30).status == 0


@pytest.mark.target("alt-p11")
def test_it_closes_after_its_time(lab: MakeLab) -> None:
    """Root's login that `admit` opened closes after its time, the session that opened it long gone."""
    text = description("alt-p11", 2, tables="[ssh]\nopen_minutes = 1")
    nodes = lab(text, names=["pve1"])
    node = nodes["pve1"]
    nodes.apply("pve1").expect(0)
    nodes.call("pve1", "admit").expect(0)
    assert login(node) == OPEN
    until(lambda: gets_in_by_password(node), "sshd has read its file", 15)
    assert "pvegen-close-later.timer" in node.run("systemctl list-timers").stdout
    pid = node.run("systemctl show -p MainPID sshd").stdout
    assert node.run("systemctl show -p AccuracyUSec pvegen-close-later.timer").stdout == "AccuracyUSec=1s\n"
    # A minute, and what a busy machine adds.
    assert nodes.until(lambda: not node.exists("/etc/systemd/system/pvegen-close.service"), "it is closed", 120) < 120
    nodes.until(lambda: "pvegen" not in node.run("systemctl list-units --all 'pvegen*'").stdout, "nothing is armed")
    closed(node)
    assert node.run("systemctl show -p MainPID sshd").stdout == pid
    assert nodes.apply("pve1").expect(0).changes == 0


@target
def test_it_is_closed_by_the_next_boot(lab: MakeLab, target: str) -> None:
    """Root's login that `admit` opened is closed by a reboot, and by a power cut, before sshd starts."""
    nodes = lab(description(target, 2), prepared, names=["pve1"])
    node = nodes["pve1"]
    for how in ("reboot", "power cut"):
        nodes.call("pve1", "admit").expect(0)
        assert login(node) == OPEN
        if how == "reboot":
            node.reboot()
        else:
            node.cut_power()
            node.start()
        closed(node)
        order = "systemctl show -p ExecMainExitTimestampMonotonic pvegen-close; systemctl show -p ExecMainStartTimestampMonotonic sshd"
        times = [int(line.partition("=")[2]) for line in node.run(order).stdout.split()]
        assert times[0] == 0 or times[0] <= times[1], times
        nodes.carry("pve1")
        assert nodes.apply("pve1").expect(0).changes == 0
