"""The network is switched to one that does not work, or is disturbed while it is switched: old or new, and whole."""

import pytest
from sandbox import diff_trees
from scripts.nodes import TARGETS

from .advice import command
from .conftest import MakeLab
from .switching import (
    SILENT,
    Administrator,
    begins_to_answer,
    bridge,
    clean,
    decided,
    files,
    is_new,
    is_old,
    kill_run,
    lives,
    network,
    no_run,
    on_the_nic,
    right,
    seen,
    silent,
    under_way,
)

pytestmark = pytest.mark.lab

target = pytest.mark.parametrize("target", TARGETS)


@pytest.mark.both_targets
@target
def test_a_gateway_that_does_not_answer(lab: MakeLab, target: str) -> None:
    """A gateway that does not answer: the old network is back within its time, an open ssh session lives on."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    disk = files(node)
    with Administrator(nodes) as admin, admin.session() as login:
        silent(nodes)
        done = bridge(nodes, "--confirm-within", "12").expect(1)
        assert "was not proved within 12 s; the old one is back" in str(done.failures)
        assert is_old(node) and lives(login) and admin.gets_in()
        assert diff_trees(disk, files(node)) == []
        clean(node)
        right(nodes)
        bridge(nodes).expect(0)
        assert is_new(node) and lives(login) and admin.gets_in()
        clean(node)
    assert bridge(nodes).expect(0).changes == 0


@target
def test_the_cable_is_pulled_during_the_switch(lab: MakeLab, target: str) -> None:
    """The cable pulled during the switch: the old network is back; plugged in within the time, the new one is kept."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    silent(nodes)
    with under_way(nodes, "--confirm-within", "20") as done:
        nodes.until(lambda: seen(node), "the new network was looked at in vain")
        node.unplug()
        begins_to_answer(nodes)
    assert done[0].status == 1 and is_old(node), done
    clean(node)
    begins_to_answer(nodes, so=False)
    node.plug()
    with under_way(nodes) as done:
        nodes.until(lambda: seen(node), "the new network was looked at in vain")
        node.unplug()
        begins_to_answer(nodes)
        node.plug()
    assert done[0].status == 0 and is_new(node, SILENT), done
    clean(node)


@target
def test_the_power_is_cut_before_the_new_network_is_kept(lab: MakeLab, target: str) -> None:
    """Power cut during the switch, before it is kept: the boot finds the old network, the next run switches."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    disk = files(node)
    silent(nodes)
    with under_way(nodes):
        nodes.until(lambda: seen(node), "the new network was looked at in vain")
        node.cut_power()
    node.start()
    assert is_old(node)
    changes = [c.path for c in diff_trees(disk, files(node)) if "pvegen" not in c.path]
    assert changes == [] or target == "alt-p8", changes
    right(nodes)
    done = bridge(nodes).expect(0)
    assert "was taken back" in done.stdout
    assert is_new(node)
    clean(node)


@target
def test_the_run_is_killed_and_the_power_is_cut_after_the_new_network_is_kept(lab: MakeLab, target: str) -> None:
    """The run killed during the switch: it is proved and kept all the same, a power cut later too; then tidied up."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    silent(nodes)
    with Administrator(nodes) as admin:
        with admin.start("exec sh /root/pve1.sh apply --only bridge") as login:
            nodes.until(lambda: seen(node), "the new network was looked at in vain")
            kill_run(node)
            login.kill()
        assert not decided(node, "kept")
        begins_to_answer(nodes)
        nodes.until(lambda: decided(node, "kept"), "the new network is kept")
        assert is_new(node, SILENT) and admin.gets_in()
        node.cut_power()
        node.start()
        assert is_new(node, SILENT) and admin.gets_in()
        done = bridge(nodes).expect(0)
        assert "is done: the new network was proved" in done.stdout
    clean(node)
    node.reboot()
    assert is_new(node, SILENT)
    assert bridge(nodes).expect(0).changes == 0


@pytest.mark.both_targets
@pytest.mark.parametrize(("target", "login"), [("alt-p8", "with a terminal"), ("alt-p11", "without one")])
def test_the_login_dies_during_the_switch(lab: MakeLab, target: str, login: str) -> None:
    """The ssh session that started the run dies during the switch: the run goes on to its end without it."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    silent(nodes)
    with Administrator(nodes) as admin:
        options = ["-tt"] if login == "with a terminal" else []
        with admin.start("sh /root/pve1.sh apply --only bridge", *options) as session:
            nodes.until(lambda: seen(node), "the new network was looked at in vain")
            session.kill()
        begins_to_answer(nodes)
        nodes.until(lambda: is_new(node, SILENT) and no_run(node), "the run has ended, on the new network", 90)
        assert admin.gets_in()
    # The run has not only been replaced by the parts that it detached: it has tidied up.
    clean(node)
    assert bridge(nodes).expect(0).changes == 0


@target
def test_a_guest_is_plugged_into_the_bridge_that_has_to_change(lab: MakeLab, target: str) -> None:
    """A guest's port on the bridge that has to change: refused and untouched; the advice followed, by the next boot."""
    nodes = on_the_nic(lab, target)
    node = nodes["pve1"]
    bridge(nodes).expect(0)
    node.run("ip link add tap100i0 type veth peer name guest && ip link set tap100i0 master vmbr0 up").check()
    disk, before = files(node), network(node)
    silent(nodes)
    begins_to_answer(nodes)
    done = bridge(nodes).expect(78)
    assert done.failures == ["bridge: guests are plugged into vmbr0: tap100i0"], done
    assert network(node) == before and diff_trees(disk, files(node)) == []
    node.run("ip link show master vmbr0 | grep tap100i0").check()
    bridge(nodes, *command(done, "apply --activate reboot").split()[1:]).expect(1)
    assert network(node) == before
    node.reboot()
    nodes.until(lambda: decided(node, "kept"), "the new network is kept")
    assert is_new(node, SILENT)
    bridge(nodes).expect(0)
    clean(node)
