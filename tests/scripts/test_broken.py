"""What an experienced hand did to break a node: each of these once did."""

from __future__ import annotations

import pytest
from sandbox import diff_trees

from . import support
from .test_join import wait
from .test_network import addresses
from .test_switch import DIRECTORY, IFACES, MANNERS, bridge, files, network, node, under_way

pytestmark = pytest.mark.sandbox

RUN = "'^[^ ]*dash /root/pve1.sh apply'"


@pytest.mark.parametrize("manner", MANNERS)
def test_a_host_name_that_changes_meanwhile_does_not_stop_what_puts_the_network_back(manner: str) -> None:
    """A lease over the new network may bring another name."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        with under_way(nodes, "--confirm-within", "4"):
            box.run(f"pkill -KILL -f {RUN}; echo leased >/proc/sys/kernel/hostname")
        wait(box, f"[ -e {DIRECTORY}/reverted ]", 20)
        assert network(box) == before


def test_another_description_takes_the_whole_of_a_dead_runs_switch_back() -> None:
    """What the dead run switched is not what the next one would."""
    with node("exchange", silent=True, nics={"eth0": ["10.0.0.251/24"], "eth1": []}) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        with under_way(nodes, "--confirm-within", "60"):
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            box.run(f"pkill -KILL -f {RUN}; systemctl stop pvegen-network-back.timer pvegen-network-try.service")
        nodes.rebuild(support.changed(nodes.text, ('nic = "eth0"', 'nic = "eth1"')))
        wait(box, "flock -n /run/pvegen/lock true", 10)
        bridge(nodes, "--confirm-within", "3").expect(1)
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []


@pytest.mark.parametrize("manner", ["profile", "exchange"])
def test_guests_on_a_bridge_that_nobody_describes(manner: str) -> None:
    """etcnet would take it down with the others."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        box.put(f"{IFACES}/vmbr7/options", "TYPE=bri\nBOOTPROTO=static\nHOST=''\nONBOOT=yes\n")
        box.run(
            "ifup vmbr7; ip link add tap100i0 type veth peer name guest; ip link set tap100i0 master vmbr7 up"
        ).check()
        done = bridge(nodes).expect(78)
        assert "tap100i0" in str(done.failures)
        assert box.exists("/sys/class/net/vmbr7/brif/tap100i0")


@pytest.mark.parametrize("manner", MANNERS)
def test_a_gateway_that_needs_a_route_of_its_own(manner: str) -> None:
    """As hosters have it: the gateway is in no network of the node's."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        dev = "vmbr0" if manner == "reload" else "eth0"
        nodes.switch.ip("address add 10.9.9.1/32 dev sw0")
        box.run(
            f"ip route del default; ip route add 10.9.9.1 dev {dev}; ip route add default via 10.9.9.1 dev {dev}; ip route add 10.44.0.0/16 via 10.9.9.1"
        ).check()
        before = sorted(box.run("ip route").stdout.splitlines())
        bridge(nodes, "--confirm-within", "3").expect(1)
        assert sorted(box.run("ip route").stdout.splitlines()) == before


@pytest.mark.parametrize("manner", MANNERS)
def test_a_disk_that_turns_read_only_within_the_switch(manner: str) -> None:
    """Nothing can be decided any more: what runs is the old network, and nobody waits for ever."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        with under_way(nodes, "--confirm-within", "8") as done:
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            for place in ("/var/lib/pvegen", "/etc"):
                box.run(f"mount --bind {place} {place} && mount -o remount,bind,ro {place}").check()
        assert done[0].status == 1
        assert network(box) == before


@pytest.mark.parametrize("manner", MANNERS)
def test_whoever_takes_back_is_killed_and_the_timer_goes_on(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        box.run("mv /usr/bin/timeout /usr/bin/timeout.real").check()
        box.put(
            "/usr/bin/timeout",
            '#!/bin/sh\n[ -e /run/once ] || { >/run/once; sleep 100; }\nexec timeout.real "$@"\n',
            0o755,
        )
        with under_way(nodes, "--confirm-within", "8"):
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            support.edit(box, ("back_left=150", "back_left=2"), path=f"{DIRECTORY}/script.sh")
            box.run(f"pkill -INT -f {RUN}")
            wait(box, "[ -e /run/once ]", 10)
            box.run(f"pkill -KILL -f {RUN}; pkill -KILL -f '^[^ ]*sh /usr/bin/timeout'")
        wait(box, f"[ -e {DIRECTORY}/reverted ]", 20)
        assert network(box) == before


def test_confirm_does_not_keep_a_network_that_is_half_up() -> None:
    """What brings it up would be ended half way."""
    with node("exchange", silent=True) as nodes:
        box = nodes["pve1"]
        box.run("mv /usr/bin/systemctl /usr/bin/systemctl.real").check()
        slow = 'case "$*" in "start network"*) sleep 3 ;; esac'
        box.put("/usr/bin/systemctl", f'#!/bin/bash\n{slow}\nexec -a systemctl /usr/bin/systemctl.real "$@"\n', 0o755)
        with under_way(nodes, "--confirm-within", "30", "--confirm", "manual"):
            wait(box, "! ip addr | grep -q 10.0.0.251", 10)
            early = nodes.call("pve1", "confirm")
            assert early.status == 1 and "still being brought up" in early.stderr
            wait(box, "[ -s /run/pvegen/network ]", 10)
            nodes.call("pve1", "confirm").expect(0)
        assert addresses(box) == {"eth0": [], "vmbr0": ["10.0.0.251/24"]}


@pytest.mark.parametrize("text", ["", "\0" * 600, "# steps told kind"])
def test_an_index_that_lost_its_text(text: str) -> None:
    """The copies of the first files are neither thrown away with it nor written over."""
    with node("exchange") as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        index = box.read(f"{support.STATE}/mypve/index")
        box.put(f"{support.STATE}/mypve/index", text)
        before, disk, kept = network(box), files(box), box.tree(f"{support.STATE}/mypve/first")
        for words in (("rollback",), ("apply", "--only", "time")):
            done = nodes.call("pve1", *words, tap=False)
            assert done.status == 1 and "index, which says what was there before our first change" in done.stdout
            assert network(box) == before
            assert [str(c) for c in diff_trees(disk, files(box))] == []
            assert box.tree(f"{support.STATE}/mypve/first") == kept
        box.put(f"{support.STATE}/mypve/index", index)
        nodes.call("pve1", "rollback", tap=False).expect(0)
