"""Where a script refuses: status 78, the node untouched, and all reasons in one go; and where it does not mind."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sandbox import SHELLS, Sandbox

from . import support
from .conftest import Make
from .support import PLACE, Run

pytestmark = pytest.mark.sandbox

HELD = ["pve-cluster", "pveproxy"]
ALONE = {system: support.ONE.format(target=system) for system in support.TEXTS}


def refused(box: Sandbox, *reasons: str, script: str = PLACE, noisy: bool = False, **more: Any) -> Run:
    """Runs check and apply; both have to refuse for just these reasons (parts of descriptions) and touch nothing.

    noisy: the programs that look may complain beside that. Gives the run of apply.
    """
    before = support.picture(box)
    box.forget_calls()
    for call in ("check", "apply"):
        run = support.run(box, call, path=script, **more)
        assert run.status == 78 and run.tap.bail is not None, run
        assert noisy or run.stderr == "", run
        assert support.untouched(before, support.picture(box)) == []
        assert support.unit_calls(box) == []
        if call == "check" or run.failures:
            assert len(run.failures) == len(reasons), run.stdout
            for reason, failure in zip(reasons, run.failures, strict=True):
                assert reason in failure
        else:
            assert any(reason in run.tap.bail for reason in reasons)
    return run


def advice(run: Run, part: str) -> str:
    """What the run says is to be done about the one failure with PART in it."""
    return run.tap.find(part).yaml["help"]


def add_unit(box: Sandbox, name: str, **keys: str) -> None:
    """A native unit, enabled and running."""
    lines = ["[Unit]", f"Description={name}", "[Service]", "Type=simple", *(f"{k}={v}" for k, v in keys.items())]
    text = "\n".join([*lines, "[Install]", "WantedBy=multi-user.target", ""])
    box.put(f"/usr/lib/systemd/system/{name}.service", text)
    box.run(f"systemctl enable {name} && systemctl start {name}").check()


def without_package(box: Sandbox, *names: str) -> None:
    kept = [line for line in box.read("/var/lib/standin/packages").splitlines() if line.split()[0] not in names]
    box.put("/var/lib/standin/packages", "".join(f"{line}\n" for line in kept))


# The wrong place ------------------------------------------------------------------------------------------------


@pytest.mark.trap("B1")
@pytest.mark.parametrize("hostname", ["pve9", "PVE1", "pve", "pve11.localdomain"])
def test_another_host(make: Make, hostname: str) -> None:
    box = make(hostname=hostname, held=HELD)
    run = refused(box, f"this script is for pve1, and this host is {hostname.split('.')[0]}")
    assert run.tap.bail is not None and "pve1" in run.tap.bail


def test_a_host_name_with_its_domain(make: Make) -> None:
    support.check(make(hostname="pve1.localdomain", held=HELD)).expect(2)


MAC, ID = "52:54:00:12:34:56", "3c9a1f0e7b5d4826a1b2c3d4e5f60718"
MACHINE = support.changed(
    ALONE["alt-p8"], ('name = "pve1"', f'name = "pve1"\nmac = "{MAC.upper()}"\nmachine_id = "{ID}"')
)


def be_machine(box: Sandbox, mac: str = MAC, machine_id: str = f"{ID}\n", nic: str = "eth0") -> None:
    box.put("/etc/machine-id", machine_id)
    box.run(["ip", "link", "set", nic, "address", mac]).check()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_described_machine(make: Make, shell: str) -> None:
    box = make(MACHINE, held=HELD)
    be_machine(box)
    run = support.check(box, shell=shell).expect(2)
    assert run.tap.find(f"eth0 has the MAC address {MAC}").ok and run.tap.find("the machine id is the described one").ok


def test_the_described_machine_with_its_bridge(make: Make) -> None:
    """The bridge takes the NIC's address, and may be given another; the NIC's own is what counts."""
    box = make(MACHINE, held=HELD)
    be_machine(box)
    support.apply(box, "--only", "bridge").expect(0)
    box.run("ip link set vmbr0 address 52:54:00:99:99:99").check()
    assert support.check(box).tap.find("eth0 has the MAC address").ok


def test_a_nic_in_a_bond_has_its_own_address_still(make: Make) -> None:
    """In a bond all NICs show the bond's address; the kernel keeps each one's own beside it."""
    bonds = 'nic = "bond0"\n[[node.bond]]\nname = "bond0"\nnics = ["eth0", "eth1"]\n'
    text = support.changed(MACHINE, ('nic = "eth0"', bonds))
    box = make(text, nics={"eth0": ["10.0.0.251/24"], "eth1": []}, held=HELD)
    be_machine(box, "52:54:00:00:00:01")
    box.run("mkdir /run/net && cp -a /sys/class/net/. /run/net/ && mount --bind /run/net /sys/class/net").check()
    box.run("for n in eth0 eth1; do rm /run/net/$n; mkdir -p /run/net/$n/bonding_slave; done").check()
    box.run("for n in eth0 eth1; do echo 52:54:00:00:00:01 >/run/net/$n/address; done").check()
    box.put("/run/net/eth0/bonding_slave/perm_hwaddr", "52:54:00:00:00:01\n")
    box.put("/run/net/eth1/bonding_slave/perm_hwaddr", f"{MAC}\n")
    box.put("/etc/machine-id", ID)
    assert support.check(box).tap.find(f"eth1 has the MAC address {MAC}").ok
    box.put("/run/net/eth1/bonding_slave/perm_hwaddr", "52:54:00:00:00:02\n")
    refused(box, f"is to be {MAC}: eth0=52:54:00:00:00:01 eth1=52:54:00:00:00:02")


@pytest.mark.trap("B1")
@pytest.mark.parametrize("shell", SHELLS)
def test_another_machine_of_the_same_name(make: Make, shell: str) -> None:
    box = make(MACHINE, held=HELD, nics={"eth0": ["10.0.0.251/24"], "eth1": []})
    be_machine(box, "52:54:00:aa:bb:cc", f"{ID[::-1]}\n")
    box.run(["ip", "link", "set", "eth1", "address", MAC]).check()
    run = refused(
        box, f"the NIC's MAC address is to be {MAC}: eth0=52:54:00:aa:bb:cc", f"is to be {ID}, and is {ID[::-1]}", shell=shell
    )  # fmt: skip
    assert f"The NIC with {MAC} here: eth1." in advice(run, "MAC address")
    assert "or a copy of it?" in advice(run, "machine id")


@pytest.mark.trap("B1")
@pytest.mark.parametrize("text", ["", "uninitialized\n", None])
def test_a_machine_without_an_id(make: Make, text: str | None) -> None:
    box = make(MACHINE, held=HELD)
    be_machine(box)
    box.remove("/etc/machine-id")
    if text is not None:
        box.put("/etc/machine-id", text)
    refused(box, f"the machine id is to be {ID}, and is {(text or '-').strip()}")


def test_the_nic_of_the_described_machine_is_missing(make: Make) -> None:
    box = make(MACHINE, nics={"enp1s0": ["10.0.0.251/24"]}, held=HELD)
    be_machine(box, nic="enp1s0")
    run = refused(box, "is to be 52:54:00:12:34:56: eth0: -", "there is no interface eth0")
    assert "The NIC with 52:54:00:12:34:56 here: enp1s0." in advice(run, "MAC address")


def test_another_user(make: Make) -> None:
    box = make(held=HELD)
    box.put("/srv/pve1.sh", box.read(PLACE), 0o755)
    before = support.picture(box)
    for call in ("check", "apply"):
        run = support.run(box, call, path="/srv/pve1.sh", user="nobody")
        assert run.status == 78, run
        assert run.tap.bail is not None
    assert support.run(box, "check", path="/srv/pve1.sh", user="nobody").failures[0] == "host: run as root"
    assert support.untouched(before, support.picture(box)) == []


@pytest.mark.trap("S6", "B10")
@pytest.mark.parametrize("text", ["Debian GNU/Linux 12\n", "", "  \n"])
def test_another_release(make: Make, text: str) -> None:
    box = make(held=HELD, files={"/etc/altlinux-release": text})
    run = refused(box, "/etc/altlinux-release says")
    assert "built for alt-p8" in advice(run, "altlinux-release")


def test_no_release_file(make: Make) -> None:
    box = make(held=HELD)
    box.remove("/etc/altlinux-release")
    refused(box, '/etc/altlinux-release says "", not ALT *')


@pytest.mark.trap("B10")
@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("5.1-35/722cc488", 'This node needs target = "alt-p8-pve5"'),
        ("8.4.1/2a5fa54a8503f96d", 'This node needs target = "alt-p11"'),
        ("3.4-6/102d4547", "build it for the series that is installed"),
        ("44.1/0", "build it for the series that is installed"),
    ],
)
def test_another_series(make: Make, version: str, says: str) -> None:
    """Refused, and told which target the node needs, where there is one."""
    box = make(held=HELD, settings={"pve-version": version})
    run = refused(box, f"Proxmox VE {version.split('/')[0]} is installed, the script is for series 4")
    assert says in advice(run, "Proxmox VE")


def test_no_pve(make: Make) -> None:
    box = make(held=HELD)
    box.run("rm /usr/bin/pveversion /usr/bin/pvecm").check()
    without_package(box, "pve-manager", "pve-cluster")
    box.run("rm /usr/lib/systemd/system/pve-cluster.service").check()
    run = refused(
        box, "Proxmox VE ? is installed", "packages are missing", "commands are missing: pvecm pveversion",
        "there is no unit pve-cluster",
    )  # fmt: skip
    assert "install Proxmox VE first" in advice(run, "Proxmox VE ?")
    assert "apt-get install pve-manager" in advice(run, "packages are missing")


@pytest.mark.trap("B10")
@pytest.mark.parametrize("system", support.TEXTS)
def test_a_package_is_missing(make: Make, system: str) -> None:
    box = make(support.TEXTS[system], held=HELD)
    without_package(box, "openssh-server")
    run = refused(box, "packages are missing")
    assert "openssh-server" in run.tap.find("packages are missing").description


@pytest.mark.trap("N9", "B10")
@pytest.mark.parametrize(
    ("system", "path"),
    [("alt-p8", "/usr/sbin/brctl"), ("alt-p8", "/usr/bin/openssl"), ("alt-p11", "/usr/sbin/ifreload")],
)
def test_a_command_is_missing(make: Make, system: str, path: str) -> None:
    box = make(support.TEXTS[system], held=HELD)
    box.run(["rm", path]).check()
    refused(box, f"commands are missing: {path.rpartition('/')[2]}")


def test_rpm_is_missing(make: Make) -> None:
    box = make(support.TEXTS["alt-p11"], held=HELD)
    box.run("rm /usr/bin/rpm").check()
    refused(box, "rpm cannot tell which packages are installed", "commands are missing: rpm")


@pytest.mark.trap("N8")
@pytest.mark.parametrize(
    ("system", "unit"),
    [
        ("alt-p8", "NetworkManager"), ("alt-p8", "systemd-networkd"),
        ("alt-p11", "NetworkManager"), ("alt-p11", "systemd-networkd"), ("alt-p11", "network"),
    ],
)  # fmt: skip
def test_a_second_network_manager(make: Make, system: str, unit: str) -> None:
    box = make(support.TEXTS[system], held=HELD)
    add_unit(box, unit)
    run = refused(box, f"{unit} is active or enabled, and manages the network too")
    assert f"systemctl disable {unit}" in advice(run, f"{unit} is active")
    box.run(["systemctl", "stop", unit]).check()
    if box.run(["systemctl", "is-enabled", unit]).status == 0:
        refused(box, f"{unit} is active or enabled")  # it would take over at the next boot
        box.run(["systemctl", "disable", unit]).check()
    support.check(box).expect(2)


@pytest.mark.trap("N7")
def test_the_nic_is_missing(make: Make) -> None:
    refused(make(nics={"enp1s0": ["10.0.0.251/24"]}, held=HELD), "there is no interface eth0")


@pytest.mark.trap("N7")
def test_the_nic_is_wireless(make: Make) -> None:
    box = make(held=HELD)
    box.run("mount -t tmpfs nics /sys/class/net && mkdir -p /sys/class/net/eth0/wireless").check()
    refused(box, "interface eth0 is wireless")


@pytest.mark.trap("N7")
@pytest.mark.parametrize("system", support.TEXTS)
def test_the_nic_is_in_another_bridge(make: Make, system: str) -> None:
    box = make(support.TEXTS[system], held=HELD)
    box.run("ip link add br9 type bridge && ip link set eth0 master br9").check()
    refused(box, "interface eth0 belongs to another bridge or bond")


@pytest.mark.trap("N8")
@pytest.mark.parametrize("line", ["DISABLED=yes", "NM_CONTROLLED=yes", " disabled='yes'"])
def test_etcnet_s_defaults_turn_interfaces_off(make: Make, line: str) -> None:
    """As NetworkManager's package writes them: the network would not come up again."""
    box = make(held=HELD)
    box.run(f'echo "{line}" >>/etc/net/ifaces/default/options-eth').check()
    refused(box, "etcnet's defaults turn interfaces off: /etc/net/ifaces/default/options-eth")


def test_a_default_of_etcnet_s_that_is_taken_back_later(make: Make) -> None:
    box = make(held=HELD)
    box.run("printf 'DISABLED=yes\\nDISABLED=no\\n' >>/etc/net/ifaces/default/options-eth").check()
    box.run("echo DISABLED=yes >/etc/net/ifaces/default/options-wlan").check()
    support.check(box).expect(2)


V4, V6 = "iface vmbr0 inet static\n\taddress {}\n", "iface vmbr0 inet6 static\n\taddress {}\n"
PORT = "\tbridge-ports eth0\n\tbridge-stp off\n\tbridge-fd 0\n"
LOST = {
    "on the port": (V4.format("10.0.0.251/24") + PORT + "iface eth0 inet static\n\taddress 192.168.9.9/24\n", True),
    "two in one line": (V4.format("10.0.0.251/24 10.7.7.1/24") + PORT, True),
    "in a stanza of its own": (V4.format("10.0.0.251/24") + PORT + V4.format("10.7.7.1/24"), True),
    "in a stanza without a family": (V4.format("10.0.0.251/24") + PORT + "iface vmbr0\n\taddress 10.7.7.1/24\n", True),
    "by hand in our block": (
        "# BEGIN pvegen mypve\n" + V4.format("10.0.0.251/24") + "\taddress 10.7.7.1/24\n" + PORT + "# END pvegen mypve\n",
        True,
    ),
    "another IPv4 address": (V4.format("10.0.0.9") + PORT + V6.format("fd00::251/64"), False),
    "another IPv6 address": (V4.format("10.0.0.251/24") + PORT + V6.format("fd00::5/64"), False),
    "other letters": (V4.format("10.0.0.251/24") + PORT + V6.format("FD00::251/64"), False),
    "both others": (V4.format("10.0.0.9/24") + PORT + V6.format("fd00::5/64"), False),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_addresses_that_would_be_lost(make: Make, name: str) -> None:
    stanzas, lost = LOST[name]
    box = make(support.P11.replace('nic = "eth0"', 'nic = "eth0"\naddress6 = "fd00::251/64"', 1), held=HELD)
    box.put("/etc/network/interfaces", f"auto lo\niface lo inet loopback\n\nauto vmbr0\n{stanzas}")
    if lost:
        refused(box, "/etc/network/interfaces holds what the description does not state")
    else:
        support.check(box).expect(2)


def test_a_further_address_is_not_lost(make: Make) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    box.run("sed -i 's|^[[:blank:]]*address .*|&\\n\\taddress 10.7.7.1/24|' /etc/network/interfaces").check()
    assert "10.7.7.1" in box.read("/etc/network/interfaces")
    run = refused(box, "/etc/network/interfaces holds what the description does not state")
    assert "vmbr0: address 10.7.7.1" in advice(run, "does not state")
    support.apply(box, "--only", "bridge", "--overwrite").expect(0)
    support.check(box).expect(2)


@pytest.mark.trap("S7")
def test_a_broken_sshd_config_is_no_policy(make: Make) -> None:
    box = make(held=HELD)
    box.run("echo NoSuchOption yes >>/etc/openssh/sshd_config").check()
    run = refused(box, "sshd does not accept /etc/openssh/sshd_config", "sshd does not tell its PermitRootLogin")
    assert all("NoSuchOption" in point.yaml["help"] for point in run.tap.failures())


def test_files_that_nothing_is_written_to_may_be_links(make: Make) -> None:
    box = make(held=HELD)
    box.run("mkdir -p /root/.ssh; touch /root/kept; ln -s /root/kept /root/.ssh/known_hosts").check()
    box.run("rm -f /etc/ntpd.conf; ln -s /root/kept /etc/ntpd.conf").check()
    support.check(box).expect(2)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--only", "host", "--from", "time"), ("apply", "--only", "host", "--only", "time"),
        ("check", "--only", "time bridge"), ("check", "--from", ""), ("steps", "--quiet"), ("keys", "--only", "host"), ("admit", "--overwrite"),
    ],
)  # fmt: skip
def test_options_that_would_do_nothing(make: Make, words: tuple[str, ...]) -> None:
    box = make(held=HELD)
    run = support.run(box, *words, tap=False)
    assert (run.status, run.stdout) == (64, ""), run
    assert re.search("only one of the two|takes no options|there is no step", run.stderr), run
    assert support.run(box, "-h", "apply", tap=False).expect(0).stdout == support.run(box, "help", tap=False).stdout


def test_a_script_that_is_read_from_a_pipe_or_has_blanks_in_its_name(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/root/my scripts/pve 1.sh", box.read(PLACE))
    run = support.run(box, "apply", "--only", "time", path="/root/my scripts/pve 1.sh").expect(0)
    assert run.tap.said("See whether all is well: sh '/root/my scripts/pve 1.sh' verify")
    piped = box.run(["dash", "-s", "apply", "--only", "time"], stdin=box.read(PLACE))
    assert piped.status == 0 and "See whether all is well: sh pve1.sh verify" in piped.stdout, piped


def test_all_reasons_in_one_go(make: Make) -> None:
    box = make(held=HELD, settings={"pve-version": "5.1-35/722cc488"}, nics={"eth1": []})
    without_package(box, "pve-manager")
    add_unit(box, "NetworkManager")
    box.run("rm /usr/sbin/brctl; ln -s /tmp/hosts /etc/hosts.new; mv /etc/hosts.new /etc/hosts").check()
    refused(
        box, "Proxmox VE 5.1-35", "packages are missing", "NetworkManager", "there is no interface eth0",
        "commands are missing: brctl", "/etc/hosts is a symbolic link",
    )  # fmt: skip


@pytest.mark.trap("B9")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", ["wiki", "alone"])
def test_files_below_the_mount_point_of_pmxcfs(make: Make, text: str, shell: str) -> None:
    box = make(ALONE["alt-p8"] if text == "alone" else support.WIKI, held=HELD)
    box.run("mkdir -p /etc/pve/qemu-server && echo mine >/etc/pve/storage.cfg && touch /etc/pve/.hidden").check()
    said = (
        "files lie in the directory that it is mounted on: /etc/pve/qemu-server /etc/pve/storage.cfg /etc/pve/.hidden"
    )
    run = refused(box, said, shell=shell)
    box.run(advice(run, "files lie in").partition("when it is up: ")[2]).check()
    assert box.read("/root/etc-pve/storage.cfg") == "mine\n"
    support.check(box, shell=shell).expect(2)


# A copy that is not whole ---------------------------------------------------------------------------------------


@pytest.mark.trap("B13")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_copy_with_windows_line_ends(make: Make, shell: str) -> None:
    box = make(held=HELD)
    box.put(PLACE, box.read(PLACE).replace("\n", "\r\n"))
    before = support.picture(box)
    box.forget_calls()
    for call in ("check", "apply"):
        run = support.run(box, call, shell=shell, tap=False)
        assert (run.status, run.stdout, run.stderr.count("\n")) == (78, "", 1), run
        assert "CRLF" in run.stderr and "tr -d" in run.stderr
    assert support.untouched(before, support.picture(box)) == []
    assert box.calls() == []


def cuts(text: str) -> list[int]:
    """Lengths to cut a script at: about every 200th byte, and every line and byte near the end."""
    size = len(text.encode())
    tail = text[-3000:]
    ends = [size - len(tail) + n + 1 for n, letter in enumerate(tail) if letter == "\n"]
    return sorted({*range(0, size, 199), *ends, *range(size - 30, size)} - {size})


@pytest.mark.trap("B13")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_copy_that_was_cut_short(make: Make, shell: str) -> None:
    box = make(held=HELD)
    text = box.read(PLACE)
    every = cuts(text)
    if shell not in ("dash", "bash-posix"):
        every = every[::5] + every[-30:]
    for length in every:
        box.put(f"/root/cut/{length}.sh", text.encode()[:length])
    before = support.picture(box)
    box.forget_calls()
    words = " ".join(SHELLS[shell])
    done = box.run(
        f"""
        for copy in /root/cut/*.sh; do
            said=$({words} "$copy" apply 2>/dev/null </dev/null)
            case $said in *': created'* | *'Done. '*) printf '%s\\n' "$copy" ;; esac
        done
        """,
        timeout=120,
    )
    assert done.stdout == ""
    assert support.untouched(before, support.picture(box)) == []
    assert support.unit_calls(box) == []


def test_a_copy_with_a_byte_order_mark_is_a_damaged_one(make: Make) -> None:
    box = make(held=HELD)
    box.put(PLACE, "\ufeff" + box.read(PLACE))
    run = support.run(box, "check", tap=False)
    assert (run.status, run.stdout) == (78, "")
    assert "This copy is damaged" in run.stderr


# How it is called -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_from_standard_input(make: Make, shell: str) -> None:
    box = make(held=HELD)
    usual = support.check(box).expect(2)
    words = SHELLS[shell]
    for arguments in ([], ["-s"], ["-s", "check"]):
        done = box.run([*words, *arguments], stdin=box.read(PLACE))
        assert (done.status, done.stderr) == (2, ""), done
        assert done.stdout == usual.stdout


@pytest.mark.parametrize(
    ("place", "cwd", "given"),
    [
        ("/root/a copy of mine/pve1.sh", "/", "/root/a copy of mine/pve1.sh"),
        ("/root/pve1.sh", "/root", "pve1.sh"),
        ("/root/pve1.sh", "/usr", "../root/./pve1.sh"),
        ("/root/what is 'that' $HOME `id`; ", "/root", "what is 'that' $HOME `id`; "),
        ("/root/нода.sh", "/root", "нода.sh"),
        ("/root/-n", "/root", "./-n"),
    ],
)
def test_wherever_it_stands_and_whatever_it_is_called(make: Make, place: str, cwd: str, given: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    usual = support.check(box).expect(2)
    box.put(place, box.read(PLACE))
    for shell in SHELLS:
        # yash takes no arguments that its locale has no letters for.
        run = support.check(box, path=given, cwd=cwd, shell=shell, env={"LC_ALL": "C.UTF-8"}).expect(2)
        assert run.stdout == usual.stdout


def test_as_a_program(make: Make) -> None:
    box = make(held=HELD)
    assert box.run([PLACE, "check"]).stdout == support.check(box).expect(2).stdout


def test_from_a_directory_that_is_gone(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    usual = support.check(box).expect(2)
    for shell, words in SHELLS.items():
        script = f"mkdir /tmp/gone && cd /tmp/gone && rmdir /tmp/gone && exec {' '.join(words)} {PLACE} check"
        done = box.run(script)
        assert (done.status, done.stdout) == (2, usual.stdout), f"{shell}: {done}"


# What others have open or set -----------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_streams_that_are_closed(make: Make, closed: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    usual = support.check(box).expect(2)
    before = support.picture(box)
    for shell, words in SHELLS.items():
        done = box.run(f"{' '.join(words)} {PLACE} check {closed}")
        # ksh93 hands on to others what it could not write; that stops it, and does no harm.
        assert done.status == 2 or "full" in closed, f"{shell}: {done}"
        if ">&-" not in closed.split() and "full" not in closed:
            assert done.stdout == usual.stdout, f"{shell}: {done}"
    assert support.untouched(before, support.picture(box)) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_apply_with_nobody_listening(make: Make, shell: str) -> None:
    box = make(ALONE["alt-p8"])
    done = box.run(f"{' '.join(SHELLS[shell])} {PLACE} apply <&- >&- 2>&-", timeout=120)
    assert done.status == 0, box.read(f"{support.LOG}/alone.log")
    support.check(box).expect(0)
    assert "# Done. " in box.read(f"{support.LOG}/alone.log")


@pytest.mark.parametrize("shell", SHELLS)
def test_apply_whose_reader_goes_away(make: Make, shell: str) -> None:
    box = make(ALONE["alt-p8"])
    script = f"{{ {' '.join(SHELLS[shell])} {PLACE} apply; printf '%s' \"$?\" >/root/status; }} 2>&1 | head -n 3"
    box.run(script, timeout=120).check()
    box.run("i=0; while [ ! -s /root/status ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done").check()
    assert box.read("/root/status") == "0", box.read(f"{support.LOG}/alone.log")
    support.check(box).expect(0)


@pytest.mark.parametrize("shell", SHELLS)
def test_descriptors_of_the_caller(make: Make, shell: str) -> None:
    box = make(ALONE["alt-p8"])
    numbers = range(3, 10)
    opened = " ".join(f"{n}>/root/fd{n}" for n in numbers)
    done = box.run(f"{' '.join(SHELLS[shell])} {PLACE} apply {opened}", timeout=120)
    assert (done.status, done.stderr) == (0, ""), done
    assert [box.read(f"/root/fd{n}") for n in numbers] == [""] * len(numbers)


EVIL = "printf 'evil\\n'; printf 'evil\\n' >>/root/evil"
ENVIRONMENTS = {
    "PATH": {"PATH": "/root/evil-bin"},
    "PATH empty": {"PATH": ""},
    "IFS": {"IFS": "e/1:"},
    "ENV": {"ENV": "/root/evil-env"},
    "BASH_ENV": {"BASH_ENV": "/root/evil-env"},
    "CDPATH": {"CDPATH": "/usr:/etc:/root"},
    "locale": {"LC_ALL": "ru_RU.UTF-8", "LANG": "ru_RU.UTF-8", "LANGUAGE": "ru", "LC_COLLATE": "tr_TR.UTF-8"},
    "TZ": {"TZ": "Asia/Kathmandu"},
    "POSIXLY_CORRECT": {"POSIXLY_CORRECT": "1", "BLOCKSIZE": "7"},
    "greps": {"GREP_OPTIONS": "-v", "GREP_COLORS": "mt=1", "AWKPATH": "/root", "LS_COLORS": "x", "DIFF_OPTIONS": "-q"},
    "SHELLOPTS": {"SHELLOPTS": "noclobber:noglob:errexit:nounset"},
    "PS4": {"PS4": "$(printf evil >>/root/evil)", "PS1": "x"},
    "names of ours": {
        "units_at": "1", "units_seen": "x", "root_policy": "yes", "found": "x",
        "call": "apply", "phase": "want", "only": "host", "quiet": "yes", "overwrite": "yes", "probing": "yes",
        "temporary": "/etc/hosts", "addresses": "none", "member_looks": "1", "state_dir": "/etc", "log": "yes",
    },
    "systemctl": {"SYSTEMD_PAGER": "false", "SYSTEMD_COLORS": "1", "SYSTEMD_LESS": "x"},
}  # fmt: skip


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_strange_environment(make: Make, name: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    usual = support.check(box).expect(2)
    box.put("/root/evil-env", f"{EVIL}; alias printf='printf evil; :'; set -f -C; IFS=0\n")
    for command in ("awk", "cat", "systemctl", "id", "uname", "ip", "rm"):
        box.put(f"/root/evil-bin/{command}", f"#!/bin/sh\n{EVIL}\n", 0o755)
    before = support.picture(box, skip=["/root/evil"])
    for shell in SHELLS:
        if shell == "bash" and name == "BASH_ENV":
            continue  # run by bash itself before the script is
        settings = [f"{key}={value}" for key, value in ENVIRONMENTS[name].items()]
        done = box.run(["env", *settings, *SHELLS[shell], PLACE, "check"])
        assert (done.status, done.stdout) == (2, usual.stdout), f"{shell}: {done}"
        # That a locale is not installed, bash says before it reads a script.
        assert [
            line
            for line in done.stderr.splitlines()
            if "locale" not in line and "LANG" not in line and "LC_" not in line
        ] == [], shell
        assert not box.exists("/root/evil"), shell
    assert support.untouched(before, support.picture(box)) == []


@pytest.mark.parametrize("option", ["-e", "-x", "-f", "-C", "-aeufC"])
def test_options_of_the_shell(make: Make, option: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    usual = support.check(box).expect(2)
    before = support.picture(box)
    for shell, words in SHELLS.items():
        done = box.run([*words, option, PLACE, "check"])
        assert (done.status, done.stdout) == (2, usual.stdout), f"{shell}: {done}"
        assert "x" in option or done.stderr == "", shell
    assert support.untouched(before, support.picture(box)) == []


@pytest.mark.parametrize(("system", "umask"), [("alt-p8", "077"), ("alt-p8", "777"), ("alt-p11", "000")])
def test_what_is_written_does_not_depend_on_the_umask(make: Make, system: str, umask: str) -> None:
    text = ALONE[system]
    pictures = []
    for mask in ("022", umask):
        box = make(text)
        done = box.run(f"umask {mask}; exec sh -eufC {PLACE} apply", timeout=120, env=ENVIRONMENTS["names of ours"])
        assert (done.status, done.stderr) == (0, ""), done
        tree = support.picture(box, skip=[support.LOG, "/run", "/var/lib/pve-cluster", "/root", "/etc/pve"])
        pictures.append({path: (entry.kind, entry.mode, entry.uid, entry.gid) for path, entry in tree.items()})
    assert pictures[0] == pictures[1]


# Another run ----------------------------------------------------------------------------------------------------


@pytest.mark.trap("B2")
@pytest.mark.parametrize("shell", SHELLS)
def test_while_another_run_holds_the_lock(make: Make, shell: str) -> None:
    box = make(held=HELD)
    box.run(
        "mkdir -p /run/pvegen; flock /run/pvegen/lock sh -c 'echo >/run/held; exec sleep 60' >/dev/null 2>&1 &"
    ).check()
    box.run("while [ ! -e /run/held ]; do sleep 0.01; done").check()
    before = support.picture(box)
    run = support.apply(box, shell=shell).expect(78)
    assert run.tap.bail is not None and "another run" in run.tap.bail
    support.check(box, shell=shell).expect(2)
    assert support.untouched(before, support.picture(box)) == []


LOCKFILE = "/run/pvegen/lock"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("path", [LOCKFILE, "/var/log/pvegen/alone.log"])
def test_a_lock_or_a_log_that_cannot_be_opened(make: Make, path: str, shell: str) -> None:
    """In some shells a redirection that fails would end the script, with the status of that."""
    box = make(ALONE["alt-p8"], held=HELD)
    box.run(f"mkdir -p {path}").check()
    before = support.picture(box, skip=[support.LOG])
    run = support.apply(box, shell=shell)
    assert run.status == 78 and run.tap.bail is not None and ("lock" in run.tap.bail or "log" in run.tap.bail), run
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []


def test_nobody_else_holds_the_lock(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    support.apply(box, "--only", "time").expect(0)
    assert box.run("flock /run/pvegen/lock true", user="nobody").status != 0


# Where a shell keeps here-documents in files ----------------------------------------------------------------------

# bash keeps them in files as versions before 5.1 do where it is told to be like one of them.
WITH_FILES = [("mksh", {}), ("bash-posix", {"BASH_COMPAT": "50"})]


@pytest.mark.parametrize(("shell", "env"), WITH_FILES, ids=["mksh", "bash before 5.1"])
def test_check_writes_nothing_to_the_disk(make: Make, shell: str, env: dict[str, str]) -> None:
    box = make(support.TEXTS["alt-p8"], held=HELD)
    opens = "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat"
    words = ["strace", "-f", "-qq", "-y", "-o", "/run/trace", "-e", f"trace={opens}", "-e", "signal=none"]
    box.run([*words, *SHELLS[shell], PLACE, "check"], env=env, timeout=120)
    written = [
        line for line in box.read("/run/trace").splitlines()
        if ("O_CREAT" in line or "O_WRONLY" in line or "O_RDWR" in line or "open" not in line)
        and " = -1 " not in line and not re.search(r'"(/dev/|/run/|/var/lib/standin/)', line)
    ]  # fmt: skip
    assert written == []


@pytest.mark.parametrize(("shell", "env"), WITH_FILES, ids=["mksh", "bash before 5.1"])
def test_a_full_disk_changes_nothing_of_what_check_sees(make: Make, shell: str, env: dict[str, str]) -> None:
    box = make(support.TEXTS["alt-p8"], held=HELD)
    support.says_room(box)
    usual = support.check(box, shell=shell, env=env).expect(2)
    box.fill_disk()
    full = support.check(box, shell=shell, env=env)
    assert (full.status, full.stdout) == (2, usual.stdout), full


@pytest.mark.parametrize(("shell", "env"), WITH_FILES, ids=["mksh", "bash before 5.1"])
def test_no_room_for_here_documents_is_said(make: Make, shell: str, env: dict[str, str]) -> None:
    box = make(support.TEXTS["alt-p8"], held=HELD)
    full = "mount -t tmpfs -o size=4k full /{0} 2>/dev/null && head -c 64k /dev/zero >/{0}/fill"
    box.run("; ".join(full.format(path) for path in ("run", "dev/shm", "tmp")))
    run = support.check(box, shell=shell, env=env, tap=False)
    assert run.status == 78 and "this shell cannot keep a here-document" in run.stderr, run


# What stands where something is to be written -------------------------------------------------------------------

IFACES = "/etc/net/ifaces"
WRITTEN = [
    "/etc/hosts", "/etc/timezone", "/etc/openssh/sshd_config", "/etc/openssh/ssh_config", "/etc/sysconfig/rrdcached",
    "/etc/sysconfig/clock", f"{IFACES}/vmbr0/options", f"{IFACES}/eth0/options",
]  # fmt: skip


# sshd itself waits for a fifo; a clock file that is not there is not wanted.
NOT_MEANT = {("fifo", "/etc/openssh/sshd_config"), ("dangling link", "/etc/sysconfig/clock")}
IN_THE_WAY = [
    (what, path)
    for what in ("link", "dangling link", "directory", "fifo")
    for path in WRITTEN
    if (what, path) not in NOT_MEANT
]


@pytest.mark.trap("S5", "B11")
@pytest.mark.parametrize(("what", "path"), IN_THE_WAY)
def test_something_else_stands_where_a_file_is_to_be(make: Make, path: str, what: str) -> None:
    box = make(held=HELD)
    box.run(f"mkdir -p {path.rpartition('/')[0]}; [ ! -e {path} ] || cp -a {path} /root/kept; rm -f {path}").check()
    box.run(
        {
            "link": f"touch /root/kept; ln -s /root/kept {path}",
            "dangling link": f"ln -s /root/nothing {path}",
            "directory": f"mkdir {path}",
            "fifo": f"mkfifo {path}",
        }[what]
    ).check()
    reason = f"{path} is {'a symbolic link' if 'link' in what else 'not a plain file'}"
    refused(box, reason, *["root-login: "] if path.endswith("sshd_config") else [])  # two steps write to that


@pytest.mark.parametrize(
    "path", [f"{IFACES}/eth0/ipv4address", f"{IFACES}/eth0/ipv4route", f"{IFACES}/eth0/resolv.conf"]
)
def test_a_directory_stands_where_a_file_is_to_go(make: Make, path: str) -> None:
    box = make(held=HELD)
    box.run(f"rm {path} && mkdir {path}").check()
    refused(box, f"{path} is not a plain file", noisy=True)


@pytest.mark.parametrize("path", [f"{IFACES}/vmbr0", "/var/lib/rrdcached/db"])
@pytest.mark.parametrize("what", ["file", "dangling link"])
def test_something_else_stands_where_a_directory_is_to_be(make: Make, path: str, what: str) -> None:
    box = make(held=HELD)
    made = f"ln -s /root/nothing {path}" if "link" in what else f"echo >{path}"
    box.run(f"mkdir -p {path.rpartition('/')[0]}; {made}").check()
    refused(box, f"{path} is not a directory")


def test_a_directory_stands_where_the_time_zone_is_to_be(make: Make) -> None:
    box = make(held=HELD)
    box.run("rm /etc/localtime; mkdir /etc/localtime").check()
    refused(box, "/etc/localtime is not a plain file")


# Where nothing can be written -------------------------------------------------------------------------------------


@pytest.mark.trap("B3")
@pytest.mark.parametrize("system", support.TEXTS)
def test_a_read_only_root(make: Make, system: str) -> None:
    """As a kernel leaves it that met a broken disk."""
    box = make(ALONE[system])
    before = support.picture(box)
    box.run("mount -o remount,ro /").check()
    run = support.apply(box).expect(78)
    assert run.failures == ["host: mounted read-only: /"]
    assert "dmesg" in advice(run, "read-only")
    assert support.untouched(before, support.picture(box)) == []
    box.run("mount -o remount,rw /").check()
    support.apply(box).expect(0)
    support.check(box).expect(0)


@pytest.mark.trap("B3")
@pytest.mark.parametrize("shell", SHELLS)
def test_parts_of_the_tree_that_are_read_only(make: Make, shell: str) -> None:
    """What lies on top counts: something writable over it is no fault, nor what is written to by nobody."""
    box = make(ALONE["alt-p8"], held=HELD)
    box.run("mkdir -p /srv/x && mount -t tmpfs -o ro none /srv/x && mount -t tmpfs -o ro none /var/spool").check()
    support.check(box, shell=shell).expect(2)
    box.run("mount --bind /etc /etc && mount -o remount,bind,ro /etc").check()
    box.run("mount --bind /var/log /var/log && mount -o remount,bind,ro /var/log").check()
    refused(box, "mounted read-only: /etc /var/log", shell=shell)
    box.run("mount --bind /var/log /var/log && mount -o remount,bind,rw /var/log; umount /etc").check()
    support.check(box, shell=shell).expect(2)


@pytest.mark.trap("B4")
@pytest.mark.parametrize("shell", SHELLS)
def test_less_room_than_a_run_may_need(make: Make, shell: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.run("mount -t tmpfs -o size=30m none /var/log").check()
    run = refused(box, "/var/log has 30 MB free; a run may need 32 MB", shell=shell)
    assert "du -xm /var/log" in advice(run, "MB free")
    box.run("umount /var/log && mount -t tmpfs -o size=40m none /var/log").check()
    support.check(box, shell=shell).expect(2)
    box.fill_disk(1 << 20)
    refused(box, "/ has 1 MB free", shell=shell)


DF = """Filesystem                  1024-blocks      Used Available Capacity Mounted on
//file server/pve root           1000000    990000     10000      99% /
/dev/mapper/a_very_long_name-of-a-volume 1000000 900000 100000 90% /var/lib
/dev/mapper/a_very_long_name-of-a-volume 1000000 900000 9000 90% /var/log
"""


@pytest.mark.trap("B4")
@pytest.mark.parametrize("shell", SHELLS)
def test_what_df_may_say(make: Make, shell: str) -> None:
    """Blanks in the name of a device, long names, the same file system twice; and no answer is no reason to refuse."""
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/root/df", DF)
    box.put("/usr/sbin/df", "#!/bin/sh\nexec cat /root/df\n", 0o755)
    refused(box, "/ has 9 MB free", "/var/log has 8 MB free", shell=shell)
    for nothing in ("", "df: nonsense\n-\n% %\n", DF.splitlines()[0] + "\nnone - - - - /\n"):
        box.put("/root/df", nothing)
        support.check(box, shell=shell).expect(2)


CLOCK = f"{support.LOG}/alone.last"


@pytest.mark.trap("B5")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_clock_that_was_set_back(make: Make, shell: str) -> None:
    """By less than a day it is a matter of summers and time zones; the way out for a clock that was ahead is named."""
    box = make(ALONE["alt-p8"], held=HELD)
    support.apply(box, "--only", "time", shell=shell).expect(0)
    last = int(box.read(CLOCK).split()[0])
    assert re.fullmatch(r"\d+ \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", box.read(CLOCK))
    box.put(CLOCK, f"{last + 80000} TOMORROW\n")
    support.check(box, shell=shell).expect(2)
    box.put(CLOCK, f"{last + 900000} IN-DAYS\n")
    run = refused(box, "the clock is more than a day before the last run of this script (IN-DAYS)", shell=shell)
    assert support.verify(box, shell=shell).status == 1
    box.run(advice(run, "the clock").rpartition(": ")[2]).check()
    support.check(box, shell=shell).expect(2)
    for nonsense in ("", "x\n", "-5 y\n", "99999999999999999999999999x\n"):
        box.put(CLOCK, nonsense)
        support.check(box, shell=shell).expect(2)


@pytest.mark.trap("K9", "B5")
@pytest.mark.parametrize("said", ["0", "1000000000", "", "nonsense"])
def test_a_clock_of_before_this_pve(make: Make, said: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/usr/sbin/date", f"#!/bin/sh\necho {said}\n", 0o755)
    run = refused(box, "the clock shows a day before this Proxmox VE existed")
    assert "hwclock --systohc" in advice(run, "the clock")


@pytest.mark.parametrize("free", [0, 4096, 8192, 16384, 32768, 65536, 131072, 262144])
@pytest.mark.parametrize("system", support.TEXTS)
def test_a_full_disk(make: Make, system: str, free: int) -> None:
    box = make(ALONE[system])
    before = box.tree("/etc", skip=["/etc/pve"])
    support.says_room(box)
    box.fill_disk(free)
    run = support.apply(box)
    if run.status == 0:
        support.check(box).expect(0)  # it was enough
    else:
        assert run.status in (1, 78) and run.tap.bail is not None, run
    after = box.tree("/etc", skip=["/etc/pve"])
    assert [path for path in after if path.endswith(".pvegen")] == []
    # Every file is whole: as it was, or as it is to be.
    box.empty_disk()
    support.apply(box).expect(0)
    support.check(box).expect(0)
    final = box.tree("/etc", skip=["/etc/pve"])
    for path, entry in after.items():
        if entry.kind == "file" and not path.startswith("/etc/pve"):
            assert entry.content in (getattr(t.get(path), "content", None) for t in (before, final)), path


@pytest.mark.parametrize("shell", ["bash", "bash-posix"])
@pytest.mark.parametrize("built", ["Debian's", "ALT's"])
def test_functions_that_the_caller_exports(make: Make, shell: str, built: str) -> None:
    """ALT's /bin/sh is a bash without programmable completion."""
    box = make(ALONE["alt-p8"], held=HELD)
    usual = support.check(box).expect(2)
    if built == "ALT's":
        support.edit(box, ("\nset -u\n", "\nenable -n compgen complete compopt help\nset -u\n"))
    functions = [f"BASH_FUNC_{name}%%=() {{ echo evil; }}" for name in ("ip", "printf", "systemctl", "cd", "is_root")]
    done = box.run(["env", *functions, *SHELLS[shell], PLACE, "check"])
    assert (done.status, done.stdout, done.stderr) == (2, usual.stdout, ""), done


@pytest.mark.parametrize("shell", SHELLS)
def test_a_login_that_ends_idle_shells_does_not_cut_off_what_is_read(make: Make, shell: str) -> None:
    """TMOUT, which hardened systems export, is a limit for every read too."""
    box = make(ALONE["alt-p8"], held=HELD)
    slow = "[ $1 != restart ] || { sleep 2; echo late; }"
    box.put("/usr/sbin/systemctl", f'#!/bin/sh\n{slow}\nexec /usr/bin/systemctl "$@"\n', 0o755)
    done = support.apply(box, "--only", "rrdcached", shell=shell, env={"TMOUT": "1"}).expect(0)
    assert "#   late\n" in done.stdout and "exit status" not in done.stdout, str(done)
