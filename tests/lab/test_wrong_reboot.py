"""The new network comes with the next boot: the units that try it there, prove it and take it back, by real systemd."""

import pytest
from sandbox import diff_trees
from scripts import support
from scripts.nodes import TARGETS

from .conftest import MakeLab
from .switching import DIRECTORY, bridge, clean, decided, files, is_new, is_old, on_the_nic, right, seen, silent

pytestmark = pytest.mark.lab

target = pytest.mark.parametrize("target", TARGETS)


@target
def test_the_next_boot_proves_the_new_network(lab: MakeLab, target: str) -> None:
    """apply --activate reboot: the boot tries, proves and keeps the new network."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    done = bridge(nodes, "--activate", "reboot").expect(1)
    assert "the new network waits for the next boot" in done.stdout
    assert is_old(node)
    assert bridge(nodes).status == 78
    node.reboot()
    nodes.until(lambda: decided(node, "kept"), "the new network is kept")
    assert is_new(node)
    assert node.run("systemctl is-active 'pvegen-network-back*'").status != 0
    bridge(nodes).expect(0)
    clean(node)
    node.cut_power()
    node.start()
    assert is_new(node)
    assert bridge(nodes).expect(0).changes == 0


@pytest.mark.both_targets
@target
def test_the_next_boot_does_not_prove_the_new_network(lab: MakeLab, target: str) -> None:
    """apply --activate reboot with a gateway that does not answer: taken back by the timer, or by one more boot."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    disk = files(node)
    silent(nodes)
    bridge(nodes, "--activate", "reboot", "--confirm-within", "60").expect(1)
    node.reboot()
    nodes.until(lambda: seen(node), "the new network was looked at in vain")
    assert not is_old(node)
    node.cut_power()
    node.start()
    assert is_old(node)
    nodes.carry("pve1")
    assert "was taken back" in bridge(nodes, "--activate", "reboot", "--confirm-within", "1").expect(1).stdout
    # The guard at boot gives a minute more, for the boot itself.
    support.edit(node, ("switch_within + 60", "switch_within + 19"), path=f"{DIRECTORY}/script.sh")
    node.reboot()
    nodes.until(lambda: decided(node, "reverted"), "the old network is back")
    assert is_old(node)
    # The units of the guard stay until the next run.
    assert [c.path for c in diff_trees(disk, files(node)) if "pvegen" not in c.path] == []
    right(nodes)
    assert "was taken back" in bridge(nodes).expect(0).stdout
    assert is_new(node)
    clean(node)
