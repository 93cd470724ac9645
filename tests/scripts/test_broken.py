"""What an experienced hand did to break a node: each of these once did."""

from __future__ import annotations

import pytest
from sandbox import diff_trees

from . import support
from .test_join import wait
from .test_network import addresses
from .test_switch import (
    BRIDGED,
    DIRECTORY,
    GUARD,
    IFACES,
    MANNERS,
    bridge,
    clean,
    files,
    network,
    node,
    under_way,
    within,
)

pytestmark = pytest.mark.sandbox

RUN = "'^[^ ]*dash /root/pve1.sh apply'"


@pytest.mark.parametrize("manner", MANNERS)
def test_a_host_name_that_changes_meanwhile_does_not_stop_what_puts_the_network_back(manner: str) -> None:
    """A lease over the new network may bring another name."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        with under_way(nodes, *within(4)):
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


@pytest.mark.parametrize("manner", ["profile", "exchange", "restart"])
def test_guests_on_a_bridge_that_nobody_describes(manner: str) -> None:
    """etcnet and classic ifupdown would take it down with the others."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        if manner == "restart":
            bare = "\nauto vmbr7\niface vmbr7 inet manual\n\tbridge_ports none\n\tbridge_fd 0\n"
            box.put("/etc/network/interfaces", box.read("/etc/network/interfaces") + bare)
        else:
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
        dev = "vmbr0" if manner in BRIDGED else "eth0"
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
        with under_way(nodes, *within(8)) as done:
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
        with under_way(nodes, *within(8)):
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
        slow = 'case "$*" in "start network"*) until [ -e /run/go ]; do sleep 0.05; done ;; esac'
        box.put("/usr/bin/systemctl", f'#!/bin/bash\n{slow}\nexec -a systemctl /usr/bin/systemctl.real "$@"\n', 0o755)
        with under_way(nodes, *within(30), "--confirm", "manual"):
            wait(box, "! ip addr | grep -q 10.0.0.251", 10)
            early = nodes.call("pve1", "confirm")
            box.put("/run/go", "")
            assert early.status == 1 and "still being brought up" in early.stderr
            wait(box, "[ -s /run/pvegen/network ]", 10)
            nodes.call("pve1", "confirm").expect(0)
        assert addresses(box) == {"eth0": [], "vmbr0": ["10.0.0.251/24"]}


def test_confirm_says_why_the_network_cannot_be_kept_and_may_be_repeated() -> None:
    """Where the disk is full it is not too late."""
    with node("exchange", silent=True) as nodes:
        box = nodes["pve1"]
        renames = "rename,renameat,renameat2"
        full = [
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-P",
            f"{DIRECTORY}/keeping",
            "-e",
            f"inject={renames}:error=ENOSPC",
        ]
        with under_way(nodes, *within(30), "--confirm", "manual"):
            wait(box, "[ -s /run/pvegen/network ]", 10)
            refused = box.run([*full, "dash", "/root/pve1.sh", "confirm"])
            assert refused.status == 1 and "could not be kept: mv: cannot" in refused.stderr, refused
            assert "No space left on device" in refused.stderr and "confirm again" in refused.stderr
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


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("silent", [False, True])
def test_what_keeps_a_lease_outlives_the_switch(manner: str, silent: bool) -> None:
    """The network's commands leave a daemon running; it must not end with what started it."""
    place = {"reload": "/usr/sbin/ifreload", "restart": "/usr/sbin/ifup"}.get(manner, "/etc/init.d/network")
    with node(manner, silent=silent) as nodes:
        box = nodes["pve1"]
        real = f"/usr/lib/real/{place.rsplit('/', 1)[1]}"
        box.run(f"mkdir -p /usr/lib/real && mv {place} {real}").check()
        daemon = "pkill -f '^sleep 4321'; setsid sleep 4321 >/dev/null 2>&1 </dev/null &"
        known = "switchto" if manner == "profile" else ""
        # Of ifup, ifdown and ifquery it is the name that counts.
        box.put(place, f'#!/bin/bash\n# {known}\n{daemon}\nexec -a "$0" {real} "$@"\n', 0o755)
        bridge(nodes, "--confirm-within", "3").expect(1 if silent else 0)
        box.run("sleep 1; pgrep -f '^sleep 4321'").check()


def test_a_script_that_is_replaced_while_it_runs() -> None:
    """What is to bring the old network back has to be this very script."""
    with node("profile") as nodes:
        box = nodes["pve1"]
        before = network(box)
        late = 'case "$*" in *network/old*) echo "# edited" >>/root/pve1.sh ;; esac'
        box.put("/usr/sbin/mkdir", f'#!/bin/sh\n{late}\nexec /usr/bin/mkdir "$@"\n', 0o755)
        done = bridge(nodes).expect(1)
        assert "/root/pve1.sh is not the script any more that runs here" in str(done.failures)
        assert network(box) == before
        box.remove("/usr/sbin/mkdir")
        nodes.rebuild(nodes.text)
        bridge(nodes).expect(0)
        clean(box)


@pytest.mark.parametrize("manner", MANNERS)
def test_a_switch_that_was_begun_under_another_name_of_the_cluster(manner: str) -> None:
    """It is brought to its end first: both use the same units and files."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        with under_way(nodes, "--confirm-within", "60"):
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            box.run(f"pkill -KILL -f {RUN}; systemctl stop pvegen-network-back.timer pvegen-network-try.service")
        wait(box, "flock -n /run/pvegen/lock true", 10)
        silent = nodes.text
        nodes.rebuild(support.changed(silent, ('name = "mypve"', 'name = "ours"')))
        done = bridge(nodes, "--confirm-within", "3").expect(1)
        assert "was taken back" in done.stdout
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []
        assert not box.exists(DIRECTORY)


def test_an_edit_before_the_boot_that_is_taken_back_is_kept() -> None:
    with node("reload", silent=True) as nodes:
        box = nodes["pve1"]
        old = box.read("/etc/network/interfaces")
        bridge(nodes, "--activate", "reboot", "--confirm-within", "60").expect(1)
        edited = box.read("/etc/network/interfaces") + "\niface eth9 inet manual\n"
        box.put("/etc/network/interfaces", edited)
        box.power_cut()
        box.power_cut()
        assert box.read("/etc/network/interfaces") == old
        assert box.read("/etc/network/interfaces.taken-back") == edited


@pytest.mark.parametrize("manner", MANNERS)
def test_interrupted_while_the_files_for_the_next_boot_are_written(manner: str) -> None:
    """None of them is left: nothing would guard the boot any more."""
    last = {"profile": "/etc/net/profile", "exchange": f"{IFACES}/eth0/options"}.get(manner, "/etc/network/interfaces")
    with node(manner) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        late = f'case "$*" in *" {last}") kill -INT "$PPID" ;; esac'
        box.put("/usr/sbin/mv", f'#!/bin/sh\n/usr/bin/mv "$@"\nstatus=$?\n{late}\nexit $status\n', 0o755)
        assert bridge(nodes, "--activate", "reboot", tap=False).status == 130
        box.remove("/usr/sbin/mv")
        assert [str(c) for c in diff_trees(disk, files(box))] == []
        box.power_cut()
        assert network(box) == before
        bridge(nodes).expect(0)
        clean(box)


@pytest.mark.parametrize("manner", ["exchange", "reload", "restart"])
def test_a_disk_that_is_full_within_the_switch(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        with under_way(nodes, *within(5)) as done:
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            box.fill_disk()
        assert done[0].status == 1
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []
        box.empty_disk()
        box.power_cut()
        assert network(box) == before
        bridge(nodes, "--confirm-within", "3").expect(1)
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []


@pytest.mark.parametrize("manner", MANNERS)
def test_a_mounted_file_system_whose_server_is_gone_holds_nothing_up(manner: str) -> None:
    """What waits for all file systems would wait for a server that only the old network reaches."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        box.put("/usr/sbin/sync", '#!/bin/sh\n[ $# -gt 0 ] || exec sleep 3600\nexec /usr/bin/sync "$@"\n', 0o755)
        done = bridge(nodes, *within(3)).expect(1)
        assert "was not proved" in str(done.failures)
        assert network(box) == before
        box.remove("/usr/sbin/sync")
        assert [str(c) for c in diff_trees(disk, files(box))] == []


@pytest.mark.parametrize("manner", MANNERS)
def test_a_rollback_that_was_killed_while_it_switched(manner: str) -> None:
    """The old network was kept: what the store had of it is let go of, and is no edit of somebody's."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        new, disk = network(box), files(box)
        box.run("dash /root/pve1.sh rollback >/dev/null 2>&1 &")
        wait(box, "[ -e /run/pvegen/network ]", 20)
        box.run("pkill -KILL -f '^[^ ]*dash /root/pve1.sh rollback'")
        wait(box, "flock -n /run/pvegen/lock true", 10)
        bridge(nodes).expect(0)
        assert network(box) == new
        assert [str(c) for c in diff_trees(disk, files(box))] == []
        clean(box)


@pytest.mark.parametrize("manner", MANNERS)
def test_rollback_by_a_script_that_is_no_file(manner: str) -> None:
    """All goes back but the network, which says why."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        bridge(nodes).expect(0)
        before = network(box)
        done = box.run("cat /root/pve1.sh | dash -s rollback")
        assert done.status == 1 and "this script is read from a file" in done.stdout and done.stderr == ""
        assert network(box) == before
        nodes.call("pve1", "rollback", tap=False).expect(0)
        clean(box)


@pytest.mark.parametrize("manner", ["exchange", "reload"])
@pytest.mark.parametrize("target", ["/dev/null", "/root/precious"])
def test_a_guard_whose_unit_is_a_link(manner: str, target: str) -> None:
    """It is not written through, and stays."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        box.put("/root/precious", "mine\n")
        box.run(f"ln -s {target} {GUARD}").check()
        before = network(box)
        assert "no unit could be enabled" in str(bridge(nodes).expect(1).failures)
        assert network(box) == before
        assert box.read("/root/precious") == "mine\n"
        assert box.run(f"readlink {GUARD}").stdout == f"{target}\n"


def test_without_systemd_run_a_strangers_process_is_not_taken_for_ours() -> None:
    """Nobody waits for it for ever, and it is not killed."""
    with node("profile", silent=True) as nodes:
        box = nodes["pve1"]
        box.run("rm -r /run/systemd").check()
        before = network(box)
        with under_way(nodes, "--confirm-within", "60"):
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            box.run(f"pkill -KILL -f '[s]cript.sh network'; pkill -KILL -f {RUN}")
        wait(box, "flock -n /run/pvegen/lock true", 10)
        pid = box.run("sleep 77 >/dev/null 2>&1 & echo $!").stdout.strip()
        box.run(f"for f in /run/pvegen/pvegen-*; do sed -i 's/^[0-9]*/{pid}/' $f; done").check()
        bridge(nodes, "--confirm-within", "3", timeout=40).expect(1)
        assert network(box) == before
        box.run(f"kill -0 {pid}").check()
