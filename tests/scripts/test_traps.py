"""Start states in which the wiki's commands fail or do damage, and what a node script makes of each.

The letters are those of the facts' list "Wiki versus reality". Each case: the end state, and a second run that
changes nothing.
"""

from __future__ import annotations

from typing import Any

import pytest
from sandbox import Sandbox
from sandbox.patience import LONGEST

from . import support
from .conftest import Make
from .support import Run

pytestmark = pytest.mark.sandbox

HELD = ["pve-cluster", "pveproxy"]
IFACES = "/etc/net/ifaces"
ALONE = {system: support.ONE.format(target=system) for system in support.TEXTS}


def applied(box: Sandbox, step: str, **more: Any) -> Run:
    """Applies one step; a check before it promises as much, and a second apply changes nothing at all."""
    promised = support.run(box, "check", "--only", step).changes
    run = support.apply(box, "--only", step, **more).expect(0)
    assert run.failures == []
    assert (run.changes > 0) == (promised > 0), run
    before = support.picture(box, skip=[support.LOG])
    box.forget_calls()
    again = support.apply(box, "--only", step).expect(0)
    assert again.changes == 0, again
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
    assert support.unit_calls(box) == []
    support.run(box, "check", "--only", step).expect(0)
    support.run(box, "verify", "--only", step).expect(0)
    return run


def refused(box: Sandbox, step: str, *reasons: str, status: int = 78) -> Run:
    """Applies one step that has to be refused for these reasons, with nothing touched."""
    before = support.picture(box, skip=[support.LOG])
    box.forget_calls()
    run = support.apply(box, "--only", step).expect(status)
    assert len(run.failures) == len(reasons), run
    for reason, failure in zip(reasons, run.failures, strict=True):
        assert reason in failure
    assert all(point.yaml.get("help") for point in run.tap.failures())
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
    assert support.unit_calls(box) == []
    return run


# Hosts: H1, H2 --------------------------------------------------------------------------------------------------

OURS = "10.0.0.251 pve1.localdomain pve1\n10.0.0.252 pve2.localdomain pve2\n"
BLOCK = f"# BEGIN pvegen mypve: names\n{OURS}# END pvegen mypve: names\n"
LOOPBACK = "127.0.0.1 localhost.localdomain localhost\n"

HOSTS: dict[str, tuple[str | None, str]] = {
    "plain": (LOOPBACK, LOOPBACK + BLOCK),
    "absent": (None, BLOCK),
    "empty": ("", BLOCK),
    "own name on 127.0.1.1": (f"{LOOPBACK}127.0.1.1 pve1.localdomain pve1\n", LOOPBACK + BLOCK),
    "own name beside localhost": ("127.0.0.1 localhost pve1\n", f"127.0.0.1 localhost\n{BLOCK}"),
    "own name on ::1": (f"::1 localhost pve1\n{LOOPBACK}", f"::1 localhost\n{LOOPBACK}{BLOCK}"),
    "IPv6 address of the own name": (f"{LOOPBACK}fd00::5 pve1.localdomain pve1\n", LOOPBACK + BLOCK),
    "older address": (f"{LOOPBACK}10.0.0.9 pve1.localdomain pve1\n", LOOPBACK + BLOCK),
    "older address before the loopback": (f"10.0.0.9 pve1\n{LOOPBACK}", LOOPBACK + BLOCK),
    "other case": (f"{LOOPBACK}10.0.0.9 PVE1.LocalDomain Pve1\n", LOOPBACK + BLOCK),
    "alias of another host": (f"{LOOPBACK}10.0.0.9 store pve1 nas\n", f"{LOOPBACK}{BLOCK}10.0.0.9 store nas\n"),
    "tabs and a comment": (f"{LOOPBACK}10.0.0.9\t store\tpve2 # pve1\n", f"{LOOPBACK}{BLOCK}10.0.0.9 store\n"),
    "leading blanks": (f"{LOOPBACK}  10.0.0.9 pve2\n\t10.0.0.8 store\n", f"{LOOPBACK}{BLOCK}\t10.0.0.8 store\n"),
    "comments": (
        f"# pve1 was 10.0.0.9\n\n{LOOPBACK}#10.0.0.9 pve1\n",
        f"# pve1 was 10.0.0.9\n\n{LOOPBACK}#10.0.0.9 pve1\n{BLOCK}",
    ),
    "Windows line ends": (f"{LOOPBACK}10.0.0.8 store\n".replace("\n", "\r\n"), f"{LOOPBACK}{BLOCK}10.0.0.8 store\n"),
    "no line end": (LOOPBACK.rstrip(), LOOPBACK + BLOCK),
    "no line end behind another host": (f"{LOOPBACK}10.0.0.8 store", f"{LOOPBACK}{BLOCK}10.0.0.8 store\n"),
    "the wiki's lines, twice": (LOOPBACK + OURS * 2, LOOPBACK + BLOCK + OURS * 2),
    "own address has another name": (
        f"{LOOPBACK}10.0.0.251 old.name old\n",
        f"{LOOPBACK}{BLOCK}10.0.0.251 old.name old\n",
    ),
    "a name that begins alike": (
        f"{LOOPBACK}10.0.0.8 pve11 pve1.example.org xpve1\n",
        f"{LOOPBACK}{BLOCK}10.0.0.8 pve11 pve1.example.org xpve1\n",
    ),
    "block of ours with another address": (LOOPBACK + BLOCK.replace(".251", ".9"), LOOPBACK + BLOCK),
    "block of ours at the end": (f"{LOOPBACK}10.0.0.8 store\n{BLOCK}", f"{LOOPBACK}{BLOCK}10.0.0.8 store\n"),
    "block of another cluster": (
        f"{LOOPBACK}# BEGIN pvegen other\n10.0.1.1 one.example.org one\n# END pvegen other\n",
        f"{LOOPBACK}# BEGIN pvegen other\n{BLOCK}10.0.1.1 one.example.org one\n# END pvegen other\n",
    ),
}


@pytest.mark.trap("H1", "H2")
@pytest.mark.parametrize("name", HOSTS)
def test_hosts(make: Make, name: str) -> None:
    before, after = HOSTS[name]
    box = make(held=HELD)
    box.remove("/etc/hosts")
    if before is not None:
        box.put("/etc/hosts", before, 0o640)
    applied(box, "names")
    if name != "block of another cluster":
        assert box.read("/etc/hosts") == after
    assert box.tree("/etc/hosts")["/etc/hosts"].mode == (0o640 if before is not None else 0o644)
    for node, address in (("pve1", "10.0.0.251"), ("pve2", "10.0.0.252")):
        assert {line.split()[0] for line in box.run(["getent", "ahosts", node]).stdout.splitlines()} == {address}
        assert box.run(["getent", "hosts", address]).stdout.split()[1:] == [f"{node}.localdomain", node]


@pytest.mark.trap("H1")
def test_hosts_whose_block_lost_its_end(make: Make) -> None:
    box = make(held=HELD)
    box.put("/etc/hosts", LOOPBACK + BLOCK.replace("# END pvegen mypve: names\n", "10.0.0.8 store\n"))
    refused(box, "names", "/etc/hosts has a BEGIN line of ours without its END line")


@pytest.mark.trap("H2")
def test_names_that_dns_contradicts_are_shown(make: Make) -> None:
    """H2: forward and back are proved by what is answered, not by what was written."""
    box = make(held=HELD)
    box.put("/etc/nsswitch.conf", "hosts: myhostname\n")
    run = support.apply(box, "--only", "names", timeout=120)
    assert run.status == 1 and run.failures == ["pve1 is 10.0.0.251"], run
    assert "/etc/nsswitch.conf" in run.tap.failures()[0].yaml["help"]


# Time: T1, V3 ---------------------------------------------------------------------------------------------------

CLOCKS = {
    "plain": ("UTC=true\nZONE=Asia/Omsk\n", "UTC=true\nZONE=Europe/Moscow\n"),
    "in quotes": ('UTC="true"\nZONE="Europe/Moscow"\n', None),
    "in single quotes": ("ZONE='Europe/Moscow'\nX=\"a b\"\n", None),
    "others in quotes": ('X="a b"\nZONE="UTC"\nY=\'c\'\n', "X=\"a b\"\nZONE=Europe/Moscow\nY='c'\n"),
    "none": ("UTC=true\n", "UTC=true\nZONE=Europe/Moscow\n"),
    "twice": ("ZONE=UTC\nZONE=Asia/Omsk\n", "ZONE=Europe/Moscow\n"),
    "in a comment": ("#ZONE=UTC\nUTC=true", "#ZONE=UTC\nUTC=true\nZONE=Europe/Moscow\n"),
    "empty": ("", "ZONE=Europe/Moscow\n"),
}


@pytest.mark.trap("T1")
@pytest.mark.parametrize("name", CLOCKS)
def test_sysconfig_clock(make: Make, name: str) -> None:
    before, after = CLOCKS[name]
    box = make(held=HELD)
    box.put("/etc/sysconfig/clock", before)
    applied(box, "time")
    assert box.read("/etc/sysconfig/clock") == (before if after is None else after)
    assert box.read("/etc/timezone") == "Europe/Moscow\n"


@pytest.mark.trap("T1")
def test_no_sysconfig_clock(make: Make) -> None:
    """The wiki's `. /etc/sysconfig/clock` ends a POSIX shell, or leaves an empty zone and a link to a directory."""
    box = make(held=HELD)
    box.remove("/etc/sysconfig/clock")
    applied(box, "time")
    assert not box.exists("/etc/sysconfig/clock")
    assert box.read("/etc/timezone") == "Europe/Moscow\n"


@pytest.mark.trap("T1")
@pytest.mark.parametrize(
    "made",
    [
        "ln -s /usr/share/zoneinfo/ /etc/localtime",
        "ln -s /usr/share/zoneinfo/UTC /etc/localtime",
        "ln -s ../usr/share/zoneinfo/Europe/Moscow /etc/localtime",
        "ln -s /nowhere /etc/localtime",
        "cp /usr/share/zoneinfo/Europe/Moscow /etc/localtime",
        "true",
    ],
)
@pytest.mark.parametrize("system", support.TEXTS)
def test_localtime(make: Make, system: str, made: str) -> None:
    box = make(support.TEXTS[system], held=HELD)
    box.run(f"rm -f /etc/localtime; {made}").check()
    applied(box, "time")
    assert box.run(["readlink", "-f", "/etc/localtime"]).stdout == "/usr/share/zoneinfo/Europe/Moscow\n"


def unit(box: Sandbox, name: str, *, start: bool = False, enable: bool = False, **keys: str) -> None:
    """A unit file like those of packages, with the keys given."""
    text = [f"[Unit]\nDescription={name}\n[Service]\nType=simple", *(f"{k}={v}" for k, v in keys.items())]
    box.put(
        f"/usr/lib/systemd/system/{name}.service", "\n".join([*text, "[Install]", "WantedBy=multi-user.target", ""])
    )
    if enable:
        box.run(["systemctl", "enable", name]).check()
    if start:
        box.run(["systemctl", "start", name]).check()


def is_on(box: Sandbox, name: str) -> tuple[str, str]:
    """What systemctl says of a unit: (enabled or not, active or not)."""
    words = [box.run(["systemctl", verb, name]).stdout.strip() for verb in ("is-enabled", "is-active")]
    return words[0], words[1]


@pytest.mark.trap("V3")
@pytest.mark.parametrize(
    ("running", "enabled", "stays"),
    [
        (["ntpd", "chronyd"], ["ntpd", "chronyd"], "ntpd"),
        (["chronyd"], ["ntpd", "chronyd"], "chronyd"),
        (["systemd-timesyncd"], [], "systemd-timesyncd"),
        ([], ["chronyd"], "chronyd"),
        ([], [], "ntpd"),
        (["ntpd", "systemd-timesyncd"], ["ntpd"], "ntpd"),
    ],
)
def test_two_time_services(make: Make, running: list[str], enabled: list[str], stays: str) -> None:
    """V3: just one stays, the one that runs."""
    box = make(held=HELD)
    for name in ("chronyd", "systemd-timesyncd"):
        unit(box, name)
    box.run(f"for u in {' '.join(enabled)}; do systemctl enable $u; done 2>&1").check()
    box.run(f"for u in {' '.join(running)}; do systemctl start $u; done").check()
    applied(box, "time")
    for name in ("ntpd", "chronyd", "systemd-timesyncd"):
        on = is_on(box, name)
        assert (on == ("enabled", "active")) if name == stays else (on[0] != "enabled" and on[1] == "inactive"), name


@pytest.mark.trap("V3")
def test_an_alias_is_no_second_time_service(make: Make) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    run = applied(box, "time")
    assert run.changes == 0 and is_on(box, "chronyd") == ("enabled", "active")


def test_no_time_service(make: Make) -> None:
    box = make(held=HELD)
    box.run("rm /usr/lib/systemd/system/ntpd.service").check()
    refused(box, "time", "there is no time service")


def test_the_time_service_is_masked(make: Make) -> None:
    box = make(held=HELD)
    box.run("systemctl mask ntpd 2>&1").check()
    refused(box, "time", "there is no time service")


# Bridge on etcnet: N1-N10 ---------------------------------------------------------------------------------------

OPTIONS = "BOOTPROTO=static\nCONFIG_WIRELESS=no\nCONFIG_IPV4=yes\nONBOOT=yes\nTYPE=eth\n"
BRIDGE_OPTIONS = "BOOTPROTO=static\nCONFIG_WIRELESS=no\nCONFIG_IPV4=yes\nHOST='eth0'\nONBOOT=yes\nTYPE=bri\n"


def bridge_is_right(box: Sandbox, port: str = "eth0") -> None:
    """Files and running network are as described: the address is on the bridge alone, and the gateway answers."""
    assert box.read(f"{IFACES}/vmbr0/options") == BRIDGE_OPTIONS.replace("eth0", port)
    assert box.read(f"{IFACES}/vmbr0/brctl") == "stp AUTO off\nsetfd AUTO 0\n"
    assert box.read(f"{IFACES}/vmbr0/ipv4address") == "10.0.0.251/24 broadcast +\n"
    assert box.read(f"{IFACES}/vmbr0/ipv4route") == "default via 10.0.0.1\n"
    assert box.read(f"{IFACES}/{port}/options") == OPTIONS
    assert not any(box.exists(f"{IFACES}/{port}/{name}") for name in ("ipv4address", "ipv4route", "ipv6address"))
    assert running(box, port)
    assert box.run("ping -c 1 -w 10 10.0.0.1").status == 0
    box.reboot()
    assert running(box, port), "not so after a reboot"


def running(box: Sandbox, port: str) -> bool:
    addresses = box.run(["ip", "-o", "-4", "addr", "show", "scope", "global"]).stdout.split("\n")
    return (
        [line.split()[1:6] for line in addresses if line] == [["vmbr0", "inet", "10.0.0.251/24", "brd", "10.0.0.255"]]
        and box.run("ip -4 route show default").stdout.strip() == "default via 10.0.0.1 dev vmbr0"
        and box.exists(f"/sys/class/net/vmbr0/brif/{port}")
        and box.read("/sys/class/net/vmbr0/bridge/forward_delay") == "0\n"
    )


def etcnet(box: Sandbox, name: str, **files: str) -> None:
    """Files of an interface's directory; two underlines in a key stand for a dot."""
    for key, text in files.items():
        box.put(f"{IFACES}/{name}/{key.replace('__', '.')}", text)


ISO = BRIDGE_OPTIONS + "DISABLED=no\n"
START: dict[str, tuple[str, dict[str, dict[str, str]]]] = {
    "N1 an empty vmbr0": (f"mkdir {IFACES}/vmbr0", {}),
    "N1 a vmbr0 of the installer that runs": (
        f"rm {IFACES}/eth0/ipv4* {IFACES}/eth0/resolv.conf",
        {
            "vmbr0": {
                "options": ISO,
                "ipv4address": "10.0.0.251/24\n",
                "ipv4route": "default via 10.0.0.1\n",
                "resolv__conf": "nameserver 10.0.0.1\n",
            }
        },
    ),
    "N1 a vmbr0 with its address in another format": (
        f"rm {IFACES}/eth0/ipv4*",
        {
            "vmbr0": {
                "options": ISO,
                "ipv4address": "# mine\n10.0.0.251/24 brd 10.0.0.255 label vmbr0:1\n",
                "ipv4route": "add default via 10.0.0.1 dev vmbr0\n",
            }
        },
    ),
    "N1 a vmbr0 with another address": (
        f"rm {IFACES}/eth0/ipv4*",
        {"vmbr0": {"options": ISO, "ipv4address": "10.0.0.77/24\n", "ipv4route": "default via 10.0.0.1\n"}},
    ),
    "N2 stray files of the port": (
        "true",
        {
            "eth0": {
                "__hidden": "x\n",
                "ethtool": "-K AUTO tso off\n",
                "ifup-post": "#!/bin/sh\n:\n",
                "fw/options": "x\n",
            }
        },
    ),
    "N2 no directory of the port": (f"rm -r {IFACES}/eth0", {}),
    "N2 an empty directory of the port": (f"rm -r {IFACES}/eth0; mkdir {IFACES}/eth0", {}),
    "N4 dhcp on the port": (
        f"rm {IFACES}/eth0/ipv4*",
        {"eth0": {"options": "BOOTPROTO=dhcp\nTYPE=eth\nONBOOT=yes\n"}},
    ),
    "N5 a port that others manage": (
        "true",
        {"eth0": {"options": "BOOTPROTO=static\nTYPE=eth\nNM_CONTROLLED=yes\nDISABLED=yes\nSYSTEMD_CONTROLLED=yes\n"}},
    ),
    "N6 the wiki, stopped after mv": (f"mkdir {IFACES}/vmbr0; mv {IFACES}/eth0/* {IFACES}/vmbr0/", {}),
    "N9 no brctl file": (
        f"rm {IFACES}/eth0/ipv4*",
        {
            "vmbr0": {
                "options": BRIDGE_OPTIONS,
                "ipv4address": "10.0.0.251/24 broadcast +\n",
                "ipv4route": "default via 10.0.0.1\n",
            }
        },
    ),
    "N9 tabs in the brctl file": (
        f"rm {IFACES}/eth0/ipv4*",
        {
            "vmbr0": {
                "options": BRIDGE_OPTIONS,
                "brctl": "stp\tAUTO\toff\nsetfd\tAUTO\t0\n",
                "ipv4address": "10.0.0.251/24\n",
                "ipv4route": "default via 10.0.0.1\n",
            }
        },
    ),
    "the address in both": (
        "true",
        {"vmbr0": {"options": BRIDGE_OPTIONS, "ipv4address": "10.0.0.251/24\n", "ipv4route": "default via 10.0.0.1\n"}},
    ),
    "a bridge with another port named": (
        f"rm {IFACES}/eth0/ipv4*",
        {"vmbr0": {"options": BRIDGE_OPTIONS.replace("eth0", "eth7"), "ipv4address": "10.0.0.251/24\n"}},
    ),
}


@pytest.mark.trap("N1", "N2", "N4", "N5", "N6", "N9", "N10")
@pytest.mark.parametrize("up", [False, True], ids=["now", "booted"])
@pytest.mark.parametrize("name", START)
def test_bridge_on_etcnet(make: Make, name: str, up: bool) -> None:
    """The files as they are found, either just written or brought up by a boot."""
    command, files = START[name]
    box = make(ALONE["alt-p8"], held=HELD)
    box.run(command).check()
    for interface, contents in files.items():
        etcnet(box, interface, **contents)
    if up:
        box.reboot()
    applied(box, "bridge")
    for kept in files.get("eth0", {}):
        path = kept.replace("__", ".")
        assert path == "options" or box.exists(f"{IFACES}/eth0/{path}"), kept
        assert path == "options" or not box.exists(f"{IFACES}/vmbr0/{path}"), kept
    bridge_is_right(box)


@pytest.mark.trap("N6")
def test_the_wiki_done_twice_and_brought_up(make: Make) -> None:
    """`ifup vmbr0` while eth0 has the address: both carry it, two default routes, and nobody is reached."""
    box = make(ALONE["alt-p8"], held=HELD)
    etcnet(box, "vmbr0", options=BRIDGE_OPTIONS, ipv4address="10.0.0.251/24\n", ipv4route="default via 10.0.0.1\n")
    box.run("ifup vmbr0")
    assert box.run("ip -4 route show default").stdout.count("default") == 2
    applied(box, "bridge")
    bridge_is_right(box)


@pytest.mark.trap("N7")
def test_a_nic_whose_name_says_no_type(make: Make) -> None:
    """N7: etcnet guesses TYPE from eth0 and bond0, not from enp1s0."""
    box = make(
        support.changed(ALONE["alt-p8"], ('nic = "eth0"', 'nic = "enp1s0"')),
        nics={"enp1s0": ["10.0.0.251/24"]},
        held=HELD,
    )
    applied(box, "bridge")
    bridge_is_right(box, "enp1s0")


@pytest.mark.trap("N3")
def test_a_bridge_that_moves_to_another_nic_loses_no_address(make: Make) -> None:
    """N3: the wiki's second run, with another NIC, writes over the bridge's address; here what is there is told first."""
    nics = {"eth0": ["10.0.0.251/24"], "eth1": ["10.0.9.5/24"]}
    box = make(ALONE["alt-p8"], nics=nics, held=HELD)
    applied(box, "bridge")
    moved = support.changed(ALONE["alt-p8"], ('nic = "eth0"', 'nic = "eth1"'))
    box.put(support.PLACE, support.build(moved)["pve1"])
    run = refused(box, "bridge", f"{IFACES}/eth1 holds what the description does not state")
    assert "10.0.9.5" in run.tap.failures()[0].yaml["help"]
    assert box.read(f"{IFACES}/vmbr0/ipv4address") == "10.0.0.251/24 broadcast +\n"


@pytest.mark.trap("N3")
def test_an_address_that_somebody_put_into_the_port_since_is_not_lost(make: Make) -> None:
    """N3: `mv` would write it over the bridge's own."""
    box = make(ALONE["alt-p8"], held=HELD)
    applied(box, "bridge")
    etcnet(box, "eth0", ipv4address="10.0.9.5/24\n")
    refused(box, "bridge", f"{IFACES}/eth0 holds what the description does not state")
    assert box.read(f"{IFACES}/eth0/ipv4address") == "10.0.9.5/24\n"


def test_a_route_of_another_nic_is_shown(make: Make) -> None:
    """Two default routes: the second is none of ours to remove."""
    box = make(ALONE["alt-p8"], nics={"eth0": ["10.0.0.251/24"], "eth1": ["10.0.9.5/24"]}, held=HELD)
    etcnet(box, "eth1", ipv4route="default via 10.0.9.1 metric 5\n")
    run = support.apply(box, "--only", "bridge", "--confirm-within", str(3 * LONGEST)).expect(1)
    assert "Seen last: the default route is via 10.0.0.1 on vmbr0" in run.stdout, run
    assert "default via 10.0.9.1" in box.run("ip route show default").stdout


@pytest.mark.trap("B12")
@pytest.mark.parametrize("system", support.TEXTS)
def test_a_bridge_with_guests_is_not_taken_down(make: Make, system: str) -> None:
    box = make(ALONE[system], held=HELD)
    box.run("[ -d /sys/class/net/vmbr0 ] || { ip link add vmbr0 type bridge && ip link set vmbr0 up; }").check()
    box.run("ip link add tap100i0 type veth peer name guest && ip link set tap100i0 master vmbr0").check()
    if system == "alt-p11":
        box.run("ip addr add 10.0.0.250/24 dev vmbr0 && ip addr del 10.0.0.251/24 dev vmbr0").check()
    refused(box, "bridge", "guests are plugged into vmbr0: tap100i0")


def test_name_servers_of_port_and_bridge_that_differ(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    etcnet(box, "vmbr0", resolv__conf="nameserver 10.0.0.9\n")
    refused(box, "bridge", "resolv.conf exist and differ")


# The mirror: I1, I2 ---------------------------------------------------------------------------------------------

MIRROR = """# BEGIN pvegen alone
iface eth0 inet manual

auto vmbr0
iface vmbr0 inet static
\taddress 10.0.0.251
\tnetmask 255.255.255.0
\tgateway 10.0.0.1
\tbridge_ports eth0
\tbridge_stp off
\tbridge_fd 0
# END pvegen alone
"""
LO = "auto lo\niface lo inet loopback\n"
WIKI_STANZA = (
    "\nauto vmbr0\n\tiface vmbr0 inet static\n\taddress 10.0.0.254\n\tnetmask 255.255.255.0\n\tgateway 10.0.0.1\n"
    "\tbridge_ports eth0\n\tbridge_stp off\n\tbridge_fd 0\n"
)


@pytest.mark.trap("I1", "I2")
@pytest.mark.parametrize("before", [None, "", LO, LO + WIKI_STANZA, LO + WIKI_STANZA * 3, f"# mine\n{LO}"])
def test_the_mirror_is_made_once(make: Make, before: str | None) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    packages = box.read("/var/lib/standin/packages").replace("pve-common 4.0.83-alt1", "pve-common 4.0.62-alt1")
    box.put("/var/lib/standin/packages", packages)
    if before is not None:
        box.put("/etc/network/interfaces", before)
    applied(box, "mirror")
    comment = "# mine\n" if before and "# mine" in before else ""
    assert box.read("/etc/network/interfaces") == f"{comment}{LO}\n{MIRROR}"


@pytest.mark.trap("I1")
def test_no_mirror_where_nobody_reads_it(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    assert applied(box, "mirror").changes == 0
    assert not box.exists("/etc/network/interfaces")


# Bridge in /etc/network/interfaces, on p11 -----------------------------------------------------------------------

INTERFACES = "/etc/network/interfaces"
DNS = "\tdns-nameservers 10.0.0.1\n\tdns-search localdomain\n"
# In today's words.
STANZAS = (
    "# BEGIN pvegen alone\niface eth0 inet manual\n\nauto vmbr0\niface vmbr0 inet static\n\taddress 10.0.0.251/24\n"
    "\tgateway 10.0.0.1\n\tbridge-ports eth0\n\tbridge-stp off\n\tbridge-fd 0\n# END pvegen alone\n"
)
P11 = STANZAS.replace("# END", f"{DNS}# END")
TAB, END, BACKSLASH = "\t", "\n", "\\"
OLD = (
    "iface eth0 inet manual\n\nauto vmbr0\niface vmbr0 inet static\n\taddress 10.0.0.250/24\n\tgateway 10.0.0.1\n"
    f"\tbridge-ports eth0\n\tbridge-stp off\n\tbridge-fd 0\n{DNS}"
)
SOURCE = "source /etc/network/interfaces.d/*\n"
OTHER = "auto eth1\niface eth1 inet static\n\t# kept as it is\n\taddress 10.0.9.5/24\n"

CASES: dict[str, tuple[str | None, str]] = {
    "as installed": (f"{LO}\n{OLD}\n{SOURCE}", f"{LO}\n{P11}\n{SOURCE}"),
    "without source": (f"{LO}\n{OLD}", f"{LO}\n{P11}"),
    "absent": (None, f"{LO}\n{STANZAS}"),
    "empty": ("", f"{LO}\n{STANZAS}"),
    "no lo": (OLD, f"{LO}\n{P11}"),
    "other interfaces": (f"{LO}\n{OLD}\n{OTHER}\n{SOURCE}", f"{LO}\n{OTHER}\n{P11}\n{SOURCE}"),
    "comments": (f"# top\n{LO}\n# of vmbr0\n{OLD}\n# end\n", f"# top\n{LO}\n# of vmbr0\n# end\n\n{P11}"),
    "several names in one line": (
        f"auto lo eth0 vmbr0 eth1\niface lo inet loopback\n{OLD.replace('auto vmbr0', '')}\niface eth1 inet manual\n",
        f"auto lo eth1\niface lo inet loopback\niface eth1 inet manual\n\n{P11}",
    ),
    "allow-hotplug": (f"{LO}\nallow-hotplug eth0\nallow-auto vmbr0\n{OLD}", f"{LO}\n{P11}"),
    "a second family": (
        f"{LO}\n{OLD}\niface vmbr0 inet6 static\n\taddress fd00::9/64\n",
        f"{LO}\niface vmbr0 inet6 static\n\taddress fd00::9/64\n\n{P11}",
    ),
    "a line that goes on": (
        f"{LO}\n{OLD.replace('address 10', f'address{BACKSLASH}{END}10')}\n{OTHER}",
        f"{LO}\n{OTHER}\n{P11}",
    ),
    "a mapping": (
        f"{LO}\n{OLD}\nmapping eth9\n\tscript /bin/true\n\tmap home\n",
        f"{LO}\nmapping eth9\n\tscript /bin/true\n\tmap home\n\n{P11}",
    ),
    "no line end": (f"{LO}\n{OLD}".rstrip("\n"), f"{LO}\n{P11}"),
    "a block of ours that was edited": (f"{LO}\n{P11.replace('.251', '.250')}\n{SOURCE}", f"{LO}\n{P11}\n{SOURCE}"),
    "comments inside": (
        f"{LO}\n{OLD.replace(TAB + 'address', f'# in it{END}{TAB}# of it{END}{TAB}address')}",
        f"{LO}\n# in it\n\n{P11}",
    ),
    "a second stanza of the same address": (
        f"{LO}\n{OLD}{WIKI_STANZA.replace('10.0.0.254', '10.0.0.250')}",
        f"{LO}\n{P11}",
    ),
    "line ends of Windows": (f"{LO}\n{OLD}".replace(END, f"\r{END}"), f"{LO}\n{P11}"),
    "underscores and netmask": (f"{LO}{WIKI_STANZA}", f"{LO}\n{STANZAS}"),
}


@pytest.mark.trap("I1")
@pytest.mark.parametrize("name", CASES)
def test_interfaces(make: Make, name: str) -> None:
    before, after = CASES[name]
    nics = {"eth0": ["10.0.0.251/24"], "eth1": []}
    box = make(ALONE["alt-p11"], nics=nics, held=HELD)
    box.remove(INTERFACES)
    if before is not None:
        box.put(INTERFACES, before)
    applied(box, "bridge")
    assert box.read(INTERFACES) == after
    assert box.run("ping -c 1 -w 10 10.0.0.1").status == 0


def test_interfaces_whose_block_lost_its_end(make: Make) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    box.put(INTERFACES, f"{LO}\n{P11.replace('# END pvegen alone', '')}\n{OTHER}")
    refused(box, "bridge", "/etc/network/interfaces has a BEGIN line of ours without its END line")


@pytest.mark.trap("I1")
def test_an_interface_that_another_file_describes(make: Make) -> None:
    box = make(ALONE["alt-p11"], held=HELD)
    box.put("/etc/network/interfaces.d/mine", "auto vmbr0\niface vmbr0 inet manual\n")
    refused(box, "bridge", "vmbr0 is described in /etc/network/interfaces.d/mine too")


# ssh: S1-S8 -------------------------------------------------------------------------------------------------------

SSHD_CONFIG, SSH_CONFIG = "/etc/openssh/sshd_config", "/etc/openssh/ssh_config"
SSHD = {
    "S1 no AcceptEnv": "Port 22\n",
    "S2 AcceptEnv in the last line": "Port 22\nAcceptEnv LANG\n",
    "S2 a last line without an end": "Port 22\nAcceptEnv LANG",
    "S1 empty": "",
    "S3 AcceptEnv in a Match block": "Port 22\nMatch User nobody\n    AcceptEnv LANG\n    X11Forwarding no\n",
    "S4 other case, indented": "port 22\n  acceptenv LANG\n\tACCEPTENV LC_ALL\n",
    "S5 done by the wiki before": "Port 22\nAcceptEnv LANG\nAcceptEnv LC_PVE_TICKET\n\n",
    "all accepted": "Port 22\nAcceptEnv *\n",
    "a comment first": "# mine\n\nPort 22\n",
}


@pytest.mark.trap("S1", "S2", "S3", "S4", "S5")
@pytest.mark.parametrize("name", SSHD)
def test_sshd_config(make: Make, name: str) -> None:
    before = SSHD[name]
    box = make(held=HELD)
    box.put(SSHD_CONFIG, before)
    applied(box, "ssh")
    after = box.read(SSHD_CONFIG)
    assert after.startswith("# BEGIN ") and after.count("AcceptEnv LC_PVE_TICKET") == 1 + ("S5" in name)
    assert after.partition("# END ")[2].partition("\n")[2].rstrip("\n") == before.rstrip("\n")
    for who in ("user=root,host=pve2,addr=10.0.0.252", "user=root,host=x,addr=192.0.2.9"):
        shown = box.run(["sshd", "-T", "-C", who]).check().stdout.split()
        assert "LC_PVE_TICKET" in shown or "*" in shown
    assert box.tree(SSHD_CONFIG)[SSHD_CONFIG].mode == 0o600
    assert is_on(box, "sshd")[1] == "active"


@pytest.mark.trap("S7")
@pytest.mark.parametrize("text", ["NoSuchOption yes\n", "Port 22\nMatch\n", "Port many\n"])
def test_a_broken_sshd_config(make: Make, text: str) -> None:
    """S7: nothing is written and nothing restarted, for sshd would not come up again."""
    box = make(held=HELD)
    box.put(SSHD_CONFIG, text)
    before = support.picture(box, skip=[support.LOG, support.STATE])
    box.forget_calls()
    run = support.apply(box, "--only", "ssh")
    assert run.status in (1, 78) and len(run.failures) == 1, run
    assert "sshd_config" in run.failures[0] and run.tap.failures()[0].yaml["help"]
    assert support.untouched(before, support.picture(box, skip=[support.LOG, support.STATE])) == []
    assert support.unit_calls(box) == []
    assert is_on(box, "sshd")[1] == "active"


@pytest.mark.trap("S6")
def test_no_sshd_config(make: Make) -> None:
    """S6: as on a system that keeps it elsewhere; the wiki's sed goes on with an error."""
    box = make(held=HELD)
    box.remove(SSHD_CONFIG)
    refused(box, "ssh", f"sshd does not accept {SSHD_CONFIG}")
    assert not box.exists(SSHD_CONFIG)


SSH = {
    "SendEnv in the last Host block": "Host *\n    SendEnv LANG\nHost old\n    SendEnv LC_ALL\n",
    "no SendEnv": "Host *\n    ForwardAgent no\n",
    "empty": "",
    "SendEnv for one host only": "Host store\n    SendEnv LC_PVE_TICKET\n",
    "no line end": "Host *\n    SendEnv LANG",
}


@pytest.mark.trap("S3")
@pytest.mark.parametrize("name", SSH)
def test_ssh_config(make: Make, name: str) -> None:
    """S3: what the wiki's sed puts into the last Host block holds for that host alone."""
    box = make(held=HELD)
    box.put(SSH_CONFIG, SSH[name])
    applied(box, "ssh")
    for host in ("10.0.0.252", "pve2", "old", "anything"):
        assert "sendenv LC_PVE_TICKET\n" in box.run(["ssh", "-G", f"root@{host}"]).check().stdout.lower().replace(
            "lc_pve_ticket", "LC_PVE_TICKET"
        )


@pytest.mark.trap("S8")
@pytest.mark.parametrize(
    "before", ["", "PermitRootLogin without-password\n", "PermitRootLogin prohibit-password\n", "PermitRootLogin yes\n"]
)
def test_the_root_login_of_before(make: Make, before: str) -> None:
    """S8: pvecm sets it to yes by itself; what was in force before is in force again."""
    box = make()
    box.put(SSHD_CONFIG, f"Port 22\n{before}")
    policy = "sshd -T | grep -i permitrootlogin | sed s/without-password/prohibit-password/"
    was = box.run(policy).stdout
    support.apply(box).expect(0)
    assert box.run(policy).stdout == was
    support.check(box).expect(0)
    support.verify(box).expect(0)


def test_no_root_login_at_all(make: Make) -> None:
    """A cluster cannot do without: to be said before anything is done, not put back afterwards."""
    box = make(held=HELD)
    box.put(SSHD_CONFIG, "PermitRootLogin no\n")
    refused(box, "root-login", 'PermitRootLogin is "no"')


# rrdcached: R1, R2 ------------------------------------------------------------------------------------------------

TEMPLATES = [f"/usr/share/doc/{package}/rrdcached.sysconfig" for package in ("pve-cluster", "pve-manager")]


@pytest.mark.trap("R1", "R2")
@pytest.mark.parametrize("template", TEMPLATES)
def test_rrdcached_of_either_folder(make: Make, template: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    text = box.read(TEMPLATES[0])
    for path in TEMPLATES:
        box.remove(path)
    box.put(template, text)
    box.run("systemctl start rrdcached").check()
    box.forget_calls()
    run = support.apply(box, "--only", "rrdcached").expect(0)
    assert box.read("/etc/sysconfig/rrdcached") == text
    assert ["systemctl", "restart", "rrdcached"] in support.unit_calls(box), run
    names = [path for path in box.tree("/var/lib/rrdcached") if path.count("/") == 4]
    assert names == ["/var/lib/rrdcached/db", "/var/lib/rrdcached/journal"]
    box.forget_calls()
    assert support.apply(box, "--only", "rrdcached").expect(0).changes == 0
    assert support.unit_calls(box) == []


@pytest.mark.trap("R1")
def test_rrdcached_without_a_template(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    for path in TEMPLATES:
        box.remove(path)
    applied(box, "rrdcached")
    assert box.read("/etc/sysconfig/rrdcached") == 'OPTS="-b /var/lib/rrdcached"\n'


def test_rrdcached_without_anything(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    for path in (*TEMPLATES, "/etc/sysconfig/rrdcached"):
        box.remove(path)
    refused(box, "rrdcached", "/etc/sysconfig/rrdcached has nothing to be made of")


# corosync: C1-C3 --------------------------------------------------------------------------------------------------

STUB = "/etc/corosync/corosync.conf"


@pytest.mark.trap("C1")
def test_the_stub_is_removed(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    applied(box, "stub")
    assert not box.exists(STUB) and box.exists(f"{support.STATE}/alone/first{STUB}")


@pytest.mark.trap("C1")
@pytest.mark.parametrize(
    "added",
    ["# mine\n", "nodelist {\n  node {\n    ring0_addr: 10.0.0.251\n  }\n}\n", "totem {\n  cluster_name: x\n}\n"],
)
def test_a_stub_that_somebody_changed_stays(make: Make, added: str) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put(STUB, box.read(STUB) + added)
    refused(box, "stub", f"{STUB} is neither the package's example nor of a cluster")


@pytest.mark.trap("C1")
def test_a_configuration_that_no_package_brought_stays(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.put("/var/lib/standin/owned", "")
    refused(box, "stub", f"{STUB} is neither the package's example nor of a cluster")


@pytest.mark.trap("C1")
@pytest.mark.parametrize("pmxcfs", ["up", "down"])
def test_a_members_configuration_stays(make: Make, pmxcfs: str) -> None:
    """C1: on a live member the wiki's rm takes away what corosync needs at its next start."""
    box = make()
    support.apply(box).expect(0)
    before = box.read(STUB)
    if pmxcfs == "down":
        box.run("systemctl stop pve-cluster").check()
        assert not box.exists("/etc/pve/corosync.conf")
    for step in ("stub", "create"):
        support.run(box, "check", "--only", step)
        assert box.read(STUB) == before
    support.apply(box).expect(0)
    assert box.read(STUB) == before
    assert "quorate" in box.read("/etc/pve/.members")


@pytest.mark.trap("C2")
def test_a_stub_that_pmxcfs_has_taken_for_a_cluster(make: Make) -> None:
    """C2: pve-cluster was started before the stub was removed."""
    box = make(held=HELD)
    box.run("printf '10.0.0.251 pve1.localdomain pve1\\n' >>/etc/hosts; systemctl start pve-cluster").check()
    assert box.exists("/etc/pve/corosync.conf")
    run = refused(box, "create", "lists no nodes: an example was taken for a cluster's configuration")
    assert "pmxcfs -l" in run.tap.failures()[0].yaml["help"]
    support.apply(box).expect(78)


# Services: V1-V6 --------------------------------------------------------------------------------------------------


def ready_for_services(box: Sandbox) -> None:
    """What pve-cluster needs to come up."""
    for step in ("names", "stub"):
        support.apply(box, "--only", step).expect(0)


@pytest.mark.trap("V2")
def test_units_that_this_system_lacks_are_passed_over(make: Make) -> None:
    """V2: the wiki's one line enables nothing at all where one unit is missing."""
    box = make(ALONE["alt-p8"])
    box.run("rm /usr/lib/systemd/system/cgmanager.service /usr/lib/systemd/system/ksmtuned.service").check()
    ready_for_services(box)
    run = applied(box, "services")
    for name in ("cgmanager", "ksmtuned"):
        assert run.tap.find(name).directive == "SKIP"
    assert is_on(box, "lxcfs") == ("enabled", "active")


@pytest.mark.trap("V2")
def test_kinds_of_units(make: Make) -> None:
    box = make(ALONE["alt-p8"])
    ready_for_services(box)
    folder = "/usr/lib/systemd/system"
    box.run(f"systemctl mask cgmanager 2>&1; rm {folder}/lxcfs.service {folder}/ksmtuned.service").check()
    box.put(f"{folder}/lxcfs.service", "[Unit]\nConditionPathExists=/nowhere\n[Install]\nWantedBy=multi-user.target\n")
    box.put(f"{folder}/ksmtuned.service", "[Unit]\nDescription=static\n")
    box.put(
        f"{folder}/rpcbind.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n",
    )
    box.put(f"{folder}/crond.service", "[Service]\nExecStart=sleep 2\n[Install]\nWantedBy=multi-user.target\n")
    box.run("systemctl stop crond syslogd; rm -f /etc/rc.d/rc*.d/S50syslogd").check()
    run = support.apply(box, "--only", "services").expect(0)
    assert run.failures == []
    find = {point.description.partition(":")[0]: point for point in run.tap.leaves()}
    assert "masked" in find["cgmanager"].reason
    assert "condition" in find["lxcfs"].reason
    assert is_on(box, "ksmtuned") == ("static", "active")
    assert is_on(box, "rpcbind")[0] == "enabled"
    assert is_on(box, "crond") == ("enabled", "active")
    assert is_on(box, "syslogd") == ("enabled", "active"), "a SysV script that was not enabled"
    assert is_on(box, "rpc-statd") == ("enabled", "active"), "nfslock is an alias of it"
    assert support.apply(box, "--only", "services").expect(0).changes == 0


@pytest.mark.trap("V6")
def test_the_services_that_the_wiki_forgets(make: Make) -> None:
    """V6: without them parts of the web interface stay dead."""
    box = make(ALONE["alt-p11"])
    names = ["pve-firewall", "pve-ha-lrm", "pve-ha-crm", "qmeventd", "lxc", "lxc-net", "pvescheduler", "spiceproxy"]
    box.run(f"systemctl disable {' '.join(names)} 2>&1; systemctl stop {' '.join(names)}").check()
    assert {is_on(box, name) for name in names} == {("disabled", "inactive")}
    support.apply(box).expect(0)
    assert {name: is_on(box, name) for name in names} == dict.fromkeys(names, ("enabled", "active"))


def test_a_unit_that_fails(make: Make) -> None:
    """One that PVE can do without is told of at the end; one that it cannot do without stops the run."""
    box = make(ALONE["alt-p8"])
    ready_for_services(box)
    unit(box, "ksmtuned", ExecStart="false")
    run = support.apply(box, "--only", "services")
    assert (run.status, run.failures) == (1, ["ksmtuned does not run"]), run
    assert is_on(box, "pve-cluster") == ("enabled", "active")
    unit(box, "ksmtuned", ExecStart="true")
    box.run("systemctl stop pve-cluster; systemctl reset-failed").check()
    unit(box, "pve-cluster", ExecStart="false")
    run = support.apply(box, "--only", "services")
    assert (run.status, run.failures) == (1, ["pve-cluster does not run"]), run
    assert run.tap.bail is not None and "journalctl" in run.tap.failures()[0].yaml["help"]


def test_a_unit_that_has_hit_its_start_limit(make: Make) -> None:
    """It failed so often that systemd does not even try any more: started anew with its cause mended."""
    box = make(ALONE["alt-p8"])
    ready_for_services(box)
    unit(box, "pve-cluster", StartLimitIntervalSec="600", ExecStart="false")
    box.run("for i in 1 2 3 4 5 6; do systemctl start pve-cluster; done")
    unit(box, "pve-cluster", StartLimitIntervalSec="600", Type="forking", ExecStart="/usr/bin/pmxcfs")
    assert box.run("systemctl start pve-cluster").status != 0
    support.apply(box, "--only", "services").expect(0)
    assert is_on(box, "pve-cluster") == ("enabled", "active")


def test_a_required_unit_that_is_masked(make: Make) -> None:
    box = make(ALONE["alt-p8"], held=HELD)
    box.run("systemctl mask pve-cluster 2>&1").check()
    refused(box, "services", "pve-cluster is masked")


@pytest.mark.trap("V5")
def test_the_guests_unit_that_may_not_be_started_by_hand(make: Make) -> None:
    """V5: refused from 5.0-32; it is enabled and no more."""
    box = make(ALONE["alt-p11"])
    box.run("systemctl disable pve-guests 2>&1").check()
    support.apply(box).expect(0)
    assert is_on(box, "pve-guests")[0] == "enabled"
    assert not any("pve-guests" in " ".join(w) and "start" in w for w in support.unit_calls(box))
    support.check(box).expect(0)


@pytest.mark.trap("V1", "V4")
def test_corosync_is_not_started_before_there_is_a_cluster(make: Make) -> None:
    """V1, V4: and on a node alone it is not even enabled."""
    box = make(ALONE["alt-p8"])
    support.apply(box).expect(0)
    assert not any("corosync" in words for call in support.unit_calls(box) for words in call)
    assert is_on(box, "corosync")[0] == "disabled"
