"""The switch of the network: proved and kept, or taken back; killed, rebooted or cut off at any point of it."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator

import pytest
from faults.trials import end_state
from sandbox import SHELLS, Sandbox, Tree, diff_trees
from sandbox.patience import LONGEST

from . import support
from .nodes import TARGETS, Nodes, trash
from .support import Run
from .test_join import wait
from .test_network import addresses, default_routes, links, one

pytestmark = pytest.mark.sandbox

EVERY = os.environ.get("PVEGEN_EVERY") == "1"
SILENT = ('gateway = "10.0.0.1"', 'gateway = "10.0.0.9"')
"""Turns a description's gateway into one that nobody has."""
DIRECTORY = f"{support.STATE}/mypve/network"
GUARD = "/etc/systemd/system/pvegen-network.service"
# How a network is switched: by etcnet's profiles, without them, by ifupdown2, by classic ifupdown.
MANNERS = ("profile", "exchange", "reload", "restart")
BRIDGED = {"reload": "alt-p11", "restart": "pve-6"}
"""Where the installer has put the address on vmbr0 already: another address is to come."""
IFACES = "/etc/net/ifaces"


def system(manner: str) -> str:
    return BRIDGED.get(manner, "alt-p8")


def within(seconds: int) -> tuple[str, str]:
    """The option for a proof within that time, more on a busy machine, where the new network takes longer to come up."""
    return "--confirm-within", str(seconds * LONGEST)


@contextlib.contextmanager
def node(manner: str, *, silent: bool = False, **options: object) -> Iterator[Nodes]:
    """pve1 with its address on eth0, whose network is switched in that manner; with a silent gateway in vain."""
    text = one(system(manner))
    if manner in BRIDGED:
        text = one(system(manner), 'address = "10.0.0.77/24"')
    options.setdefault("system", system(manner))
    with Nodes(support.changed(text, SILENT) if silent else text, ["pve1"], key=False, **options) as nodes:
        prepare(nodes["pve1"], manner)
        yield nodes


def prepare(box: Sandbox, manner: str) -> None:
    if manner == "exchange":
        box.run("sed -i s/switchto/changeto/g /etc/init.d/network").check()


def bridge(nodes: Nodes, *words: str, call: str = "apply", **options: object) -> Run:
    return nodes.call("pve1", call, "--only", "bridge", *words, **options)


def network(box: Sandbox) -> tuple[object, object, object]:
    return addresses(box), default_routes(box), links(box)


def files(box: Sandbox) -> Tree:
    """All below /etc but what the system's daemons write."""
    return box.tree("/etc", skip=("/etc/resolv.conf", "/etc/iproute2", "/etc/pve", "/etc/network/ifstatenew"))


def is_new(box: Sandbox, manner: str) -> bool:
    """Whether the node has the new network, whole; AssertionError where it is neither that nor the old one."""
    found = addresses(box)
    if manner in BRIDGED:
        assert found["vmbr0"] in (["10.0.0.251/24"], ["10.0.0.77/24"]) and found["eth0"] == [], found
        new = found["vmbr0"] == ["10.0.0.77/24"]
    else:
        new = "vmbr0" in found
        assert found == ({"eth0": [], "vmbr0": ["10.0.0.251/24"]} if new else {"eth0": ["10.0.0.251/24"]}), found
    assert default_routes(box) == [("10.0.0.1", "vmbr0" if new or manner in BRIDGED else "eth0")]
    box.run("ping -c 1 -w 10 10.0.0.1").check()
    return new


def clean(box: Sandbox) -> None:
    """Nothing of a switch is left: no profile, no timer, no guard, no temporary file."""
    assert trash(box) == []
    assert [
        path for path in box.changes() if "#" in path or path.startswith((DIRECTORY, GUARD, "/etc/net/profile"))
    ] == []
    assert box.run("ls /run/systemd/transient /run/pvegen 2>/dev/null").stdout.split() in (
        ["/run/pvegen:", "lock", "/run/systemd/transient:"],
        ["/run/pvegen:", "lock"],
    )


@contextlib.contextmanager
def under_way(nodes: Nodes, *words: str) -> Iterator[list[Run]]:
    """A run of apply in the background, once what runs may be the new network; gives its end in the list."""
    done: list[Run] = []
    box = nodes["pve1"]

    def call() -> None:
        with contextlib.suppress(OSError, AssertionError):  # the node may go away under it
            done.append(bridge(nodes, *words, tap=False))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        wait(box, "[ -e /run/pvegen/network ]", 30)
        yield done
    finally:
        thread.join()


@pytest.mark.trap("B14")
@pytest.mark.parametrize("manner", MANNERS)
def test_a_proved_network_is_kept_and_the_timer_goes(manner: str) -> None:
    with node(manner) as nodes:
        box = nodes["pve1"]
        box.forget_calls()
        done = bridge(nodes).expect(0)
        assert done.tap.find("a timer of 180 s puts the old network back unless the new one is proved").ok
        calls = [" ".join(words) for words in box.calls() if words[0] in ("systemd-run", "network", "systemctl")]
        armed, tried = (n for n, call in enumerate(calls) if call.startswith("systemd-run --unit="))
        assert calls[armed].endswith("network-back") and calls[tried].endswith("network-try"), calls
        assert "--on-active=180" in calls[armed]
        # The timer is seen before anything is tried, and what is tried is this system's own way.
        assert any("is-active pvegen-network-back.timer" in call for call in calls[armed:tried]), calls
        own = {
            "profile": "network switchto pvegen",
            "exchange": "start network",
            "reload": "ifreload -a",
            "restart": "ifup -a",
        }[manner]
        assert [n for n, call in enumerate(calls) if own in call and n > tried] != [], calls
        assert [n for n, call in enumerate(calls) if own in call and n < tried] == [], calls
        assert is_new(box, manner)
        clean(box)
        assert bridge(nodes).expect(0).changes == 0
        box.power_cut()
        assert is_new(box, manner)


@pytest.mark.trap("B14")
@pytest.mark.parametrize("manner", MANNERS)
def test_a_network_that_is_not_proved_is_taken_back(manner: str) -> None:
    """Files and what runs are as they were; the message says what was seen; a better description goes on from there."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        done = bridge(nodes, *within(3)).expect(1)
        assert f"the new network was not proved within {within(3)[1]} s; the old one is back" in str(done.failures)
        assert "gateway 10.0.0.9 answers" in done.stdout and "--confirm manual" in done.stdout
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []
        clean(box)
        nodes.rebuild(support.changed(nodes.text, SILENT[::-1]))
        bridge(nodes).expect(0)
        assert is_new(box, manner)


@pytest.mark.trap("B16")
@pytest.mark.parametrize("manner", MANNERS)
def test_a_power_cut_before_the_proof_is_back_on_the_old_network(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        with under_way(nodes, "--confirm-within", "60"):
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            box.power_off()
        box.boot()
        assert network(box) == before
        nodes.rebuild(support.changed(nodes.text, SILENT[::-1]))
        seen = bridge(nodes, call="check")
        assert seen.status == 2 and "is not decided yet" in seen.stdout
        done = bridge(nodes).expect(0)
        assert "was taken back" in done.stdout
        assert is_new(box, manner)
        clean(box)
        assert disk.keys() - files(box).keys() <= {f"{IFACES}/eth0/ipv4address", f"{IFACES}/eth0/ipv4route"} | {
            f"{IFACES}/eth0/resolv.conf"
        }


HELD = '#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.05; done\nexec /usr/bin/ping "$@"\n'
"""Nothing is proved before the test says so."""


@pytest.mark.trap("B16")
@pytest.mark.parametrize("manner", MANNERS)
def test_a_killed_run_does_not_hold_up_what_decides(manner: str) -> None:
    """The login died with the script: the detached part proves and keeps; the next run says so and tidies up."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        box.put("/usr/sbin/ping", HELD, 0o755)
        with under_way(nodes, "--confirm-within", "60"):
            box.run("pkill -KILL -f '^[^ ]*dash /root/pve1.sh apply'")
        box.put("/run/go", "")
        wait(box, f"[ -e {DIRECTORY}/kept ]", 30)
        box.remove("/usr/sbin/ping")
        assert is_new(box, manner)
        support.until_free(box)
        done = bridge(nodes).expect(0)
        assert "is done: the new network was proved" in done.stdout
        assert is_new(box, manner)
        clean(box)
        box.reboot()
        assert is_new(box, manner)
        assert bridge(nodes).expect(0).changes == 0


@pytest.mark.parametrize("manner", MANNERS)
def test_a_killed_part_leaves_the_decision_to_the_timer(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        with under_way(nodes, *within(8)) as done:
            wait(box, "[ -s /run/pvegen/network ]", 10)
            box.run("pkill -KILL -f '[s]cript.sh network-try'")
        assert done[0].status == 1
        assert network(box) == before
        clean(box)


@pytest.mark.trap("B16")
@pytest.mark.parametrize("manner", MANNERS)
def test_with_the_timer_killed_the_old_network_comes_back_at_once(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        with under_way(nodes, "--confirm-within", "60") as done:
            box.run("systemctl stop pvegen-network-back.timer").check()
        assert done[0].status == 1
        assert network(box) == before
        clean(box)


@pytest.mark.trap("B14")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_switched_where_no_timer_can_be_armed(target: str) -> None:
    manner = "reload" if target == "alt-p11" else "profile"
    with node(manner) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        box.put("/usr/bin/systemd-run", "#!/bin/sh\nexit 1\n", 0o755)
        done = bridge(nodes).expect(1)
        assert "no timer could be armed" in str(done.failures)
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []


FORGETFUL = """#!/bin/sh
case "$1 $2" in
    "is-active pvegen-network-"*)
        calls=0
        [ ! -r /tmp/calls ] || read -r calls </tmp/calls
        calls=$((calls + 1))
        echo "$calls" >/tmp/calls
        # The first one is asked when the timer is armed; then those who wait ask.
        case $calls in 2 | 3) exit 3 ;; esac
        ;;
esac
exec /usr/bin/systemctl "$@"
"""
SLOW = """#!/bin/sh
[ -e /tmp/slow ] || { : >/tmp/slow; until [ "$(cat /tmp/calls)" -gt 3 ] 2>/dev/null; do sleep 0.1; done; }
exec /usr/bin/ping "$@"
"""


@pytest.mark.parametrize("manner", ["profile", "reload"])
def test_an_answer_of_systemd_that_is_missed_takes_nothing_back(manner: str) -> None:
    """Who waits believes that the timer and the try are gone when it was so several times."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        box.put("/usr/sbin/systemctl", FORGETFUL, 0o755)
        box.put("/usr/sbin/ping", SLOW, 0o755)
        done = bridge(nodes).expect(0)
        assert int(box.read("/tmp/calls")) > 3 and box.exists("/tmp/slow")
        assert done.failures == []
        assert is_new(box, manner)
        clean(box)


@pytest.mark.parametrize("manner", MANNERS)
def test_without_systemd_run_a_process_of_its_own_does_it(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        box.run("rm -r /run/systemd").check()
        before = network(box)
        with under_way(nodes, *within(4)):
            box.run("pkill -KILL -f '^[^ ]*dash /root/pve1.sh apply'")
        wait(box, f"[ -e {DIRECTORY}/reverted ]", 30)
        assert network(box) == before
        nodes.rebuild(support.changed(nodes.text, SILENT[::-1]))
        bridge(nodes).expect(0)
        assert is_new(box, manner)
        wait(box, "! pgrep -f '[s]cript.sh network' >/dev/null", 10)


@pytest.mark.parametrize("manner", ["profile", "reload", "restart"])
def test_confirm_manual_keeps_what_a_person_confirms(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        with under_way(nodes, *within(30), "--confirm", "manual") as done:
            again = bridge(nodes)
            assert again.status == 78 and "another run" in again.stdout
            wait(box, "[ -s /run/pvegen/network ] && ip route show default | grep -q 10.0.0.9", 10)
            said = nodes.call("pve1", "confirm").expect(0)
            assert "Not as described: gateway 10.0.0.9 answers" in said.stdout
        # The description's gateway is still not there, which the run goes on to say.
        assert done[0].status == 1 and " - gateway 10.0.0.9 answers" in done[0].stdout, done
        assert "vmbr0" in addresses(box) and default_routes(box) == [("10.0.0.9", "vmbr0")]
        clean(box)
        box.reboot()
        assert default_routes(box) == [("10.0.0.9", "vmbr0")]
        late = nodes.call("pve1", "confirm")
        assert late.status == 1 and "no new network waits to be kept" in late.stderr


@pytest.mark.parametrize("manner", ["profile", "reload", "restart"])
def test_confirm_manual_takes_back_what_nobody_confirms(manner: str) -> None:
    with node(manner) as nodes:
        box = nodes["pve1"]
        before = network(box)
        bridge(nodes, "--confirm-within", "3", "--confirm", "manual").expect(1)
        assert network(box) == before
        clean(box)


@pytest.mark.parametrize("manner", MANNERS)
def test_activate_reboot_changes_files_and_the_next_boot_proves(manner: str) -> None:
    with node(manner) as nodes:
        box = nodes["pve1"]
        before = network(box)
        waits = bridge(nodes, "--activate", "reboot").expect(1)
        assert "the new network waits for the next boot" in waits.stdout
        assert network(box) == before
        assert bridge(nodes).status == 78
        box.reboot()
        wait(box, f"[ -e {DIRECTORY}/kept ]", 30)
        assert is_new(box, manner)
        bridge(nodes).expect(0)
        clean(box)
        box.power_cut()
        assert is_new(box, manner)


@pytest.mark.parametrize("manner", MANNERS)
def test_activate_reboot_is_taken_back_where_it_is_not_proved(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        # The guard at boot gives a minute more, for the boot itself.
        bridge(nodes, "--activate", "reboot", "--confirm-within", "1").expect(1)
        support.edit(box, ("switch_within + 60", f"switch_within + {4 * LONGEST}"), path=f"{DIRECTORY}/script.sh")
        box.reboot()
        wait(box, f"[ -e {DIRECTORY}/reverted ]", 30)
        assert network(box) == before
        # The units of the guard stay until the next run.
        assert [c.path for c in diff_trees(disk, files(box)) if "/systemd/system" not in c.path] == []
        box.reboot()
        assert network(box) == before
        nodes.rebuild(support.changed(nodes.text, SILENT[::-1]))
        assert "was taken back" in bridge(nodes, call="apply").stdout
        assert is_new(box, manner)
        clean(box)


@pytest.mark.parametrize("manner", MANNERS)
def test_activate_reboot_with_a_power_cut_before_the_proof(manner: str) -> None:
    """The boot that was to prove it ends early: the next one is on the old network."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        bridge(nodes, "--activate", "reboot", "--confirm-within", "60").expect(1)
        box.power_cut()
        assert network(box) != before
        box.power_cut()
        assert network(box) == before


@pytest.mark.trap("B15")
def test_the_administrators_own_address_is_a_part_of_the_proof() -> None:
    """Reached by a route that the new network has not: the old one comes back."""
    text = one("alt-p8").replace('gateway = "10.0.0.1"\n', "")
    with Nodes(text, ["pve1"], key=False) as nodes:
        box = nodes["pve1"]
        nodes.switch.ip("address add 10.3.0.5/24 dev sw0")
        before = network(box)
        login = {"SSH_CONNECTION": "10.3.0.5 50022 10.0.0.251 22"}
        done = nodes.call("pve1", "apply", "--only", "bridge", *within(3), env=login).expect(1)
        assert "10.3.0.5 answers, as it did before" in done.stdout
        assert network(box) == before
        # Under sudo the variable is gone, but not from the login's own shell.
        words = "env -u SSH_CONNECTION dash /root/pve1.sh apply --only bridge --confirm-within 3; exit $?"
        assert box.run(words, env=login).status == 1
        assert network(box) == before
        mute = {"SSH_CONNECTION": "10.7.7.7 50022 10.0.0.251 22"}
        done = nodes.call("pve1", "apply", "--only", "bridge", env=mute).expect(0)
        assert "10.7.7.7, from where you are logged in, answers no ping" in done.stdout


def test_a_script_from_a_pipe_does_not_switch() -> None:
    with node("profile") as nodes:
        box = nodes["pve1"]
        piped = "cat /root/pve1.sh | dash -s apply --only bridge"
        done = box.run(piped)
        assert done.status == 78 and "this script is read from a file" in done.stdout
        bridge(nodes).expect(0)
        assert box.run(piped).status == 0
        done = box.run(piped.replace("apply", "rollback"))
        assert done.status == 1 and "this script is read from a file" in done.stdout
        assert is_new(box, "profile")


def test_a_file_on_standard_input_is_copied() -> None:
    with node("profile") as nodes:
        box = nodes["pve1"]
        box.run("dash -s apply --only bridge </root/pve1.sh").check()
        assert is_new(box, "profile")
        clean(box)


def test_somebody_elses_profile_is_refused() -> None:
    with node("profile") as nodes:
        nodes["pve1"].put("/etc/net/profile", "office\n")
        assert "etcnet uses no profile" in str(bridge(nodes).expect(78).failures)


@pytest.mark.trap("B15")
@pytest.mark.parametrize("manner", MANNERS)
def test_a_terminal_that_is_closed_ends_nothing(manner: str) -> None:
    """A hang-up in the middle of the switch: it goes on to its end."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        with under_way(nodes) as done:
            box.run("pkill -HUP -f '^[^ ]*dash /root/pve1.sh apply'")
        assert done[0].status == 0
        assert is_new(box, manner)
        clean(box)


@pytest.mark.parametrize("manner", MANNERS)
def test_an_interrupt_brings_the_old_network_back(manner: str) -> None:
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        with under_way(nodes, "--confirm-within", "60") as done:
            box.run("pkill -INT -f '^[^ ]*dash /root/pve1.sh apply'")
        assert done[0].status == 130
        assert network(box) == before
        clean(box)


@pytest.mark.trap("B14")
@pytest.mark.parametrize("manner", MANNERS)
def test_commands_of_the_network_that_hang_do_not_hold_up_the_timer(manner: str) -> None:
    """The new network's command never ends: the timer puts the old one back."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        before = network(box)
        place = {
            "profile": "/etc/init.d/network",
            "exchange": "/usr/bin/systemctl",
            "reload": "/usr/sbin/ifreload",
            "restart": "/usr/sbin/ifup",
        }[manner]
        box.run(f"readlink -f {place} >/tmp/real; mv {place} {place}.real").check()
        words = {"profile": "switchto", "exchange": "start", "reload": "-a", "restart": "-a"}[manner]
        hang = f'#!/bin/sh\ncase " $* " in *" {words} "*) [ -e /run/hung ] || {{ >/run/hung; sleep 100; }} ;; esac\n'
        box.put(place, f'{hang}exec -a "${{0##*/}}" {place}.real "$@"\n'.replace("#!/bin/sh", "#!/bin/bash"), 0o755)
        bridge(nodes, "--confirm-within", "3").expect(1)
        assert network(box) == before


@pytest.mark.parametrize("shell", [name for name in SHELLS if name != "dash"])
def test_in_every_shell(shell: str) -> None:
    """Kept and taken back, also by the parts that /bin/sh runs."""
    with node("profile", silent=True, sh=shell) as nodes:
        box = nodes["pve1"]
        before = network(box)
        words = ("apply", "--only", "bridge", "--confirm-within", "3")
        nodes.call("pve1", *words, shell=shell).expect(1)
        assert network(box) == before
        nodes.rebuild(support.changed(nodes.text, SILENT[::-1]))
        nodes.call("pve1", *words[:3], shell=shell).expect(0)
        assert is_new(box, "profile")
        clean(box)


# Killed before each command, with and without a power cut ---------------------------------------------------------------

KINDS = [(manner, how) for manner in MANNERS for how in ("run again", "power cut")]


@pytest.mark.trap("N6", "B16")
@pytest.mark.parametrize(("manner", "how"), KINDS)
def test_killed_anywhere_there_is_one_network_or_the_other(manner: str, how: str) -> None:
    """Whatever dies at whatever point: one of the two networks works, and the next run ends where it was to end."""
    wanted, count = undisturbed(manner)
    step = 1 if EVERY else 12
    for n in range(1 + 4 * MANNERS.index(manner), count + 1, step):
        with node(manner) as nodes:
            box = nodes["pve1"]
            box.run(traced(f"inject=vfork:signal=KILL:when={n}"), timeout=120)
            if how == "power cut":
                box.power_cut()
                is_new(box, manner)
            support.until_free(box)
            bridge(nodes).expect(0)
            assert is_new(box, manner), n
            changes = diff_trees(wanted, end_state(box))
            assert changes == [], f"killed at {n}: {[(str(c), c.before, c.after) for c in changes]}"
            clean(box)


def traced(expression: str) -> list[str]:
    """The command that applies the network's step under strace."""
    words = ["strace", "-qq", "-o", "/run/calls", "-e", expression, "-e", "signal=none"]
    return [*words, "dash", "/root/pve1.sh", "apply", "--only", "bridge"]


@functools.cache
def undisturbed(manner: str) -> tuple[Tree, int]:
    """The end state of a run that nothing disturbs, and how many commands it makes."""
    with node(manner) as nodes:
        box = nodes["pve1"]
        box.run(traced("trace=vfork"), timeout=120).check()
        count = box.read("/run/calls").count("vfork(")
        box.remove("/run/calls")
        return end_state(box), count
