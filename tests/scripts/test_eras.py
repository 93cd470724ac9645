"""What each release has otherwise than its neighbours, seen on the node after the script was applied there.

What is wanted stands here once more, by hand: with a wrong fact in a target's file, a test here fails.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

import pytest
from sandbox import Sandbox, Tree
from sandbox.requirements import require_system

from pvegen import target as targets

from . import support
from .nodes import Nodes, description

pytestmark = pytest.mark.sandbox

NAMES = targets.names()
ETCNET = ["alt-p8", "alt-p8-pve5", "alt-p9", "alt-p10"]
TIME = {
    **dict.fromkeys(["alt-p8", "alt-p8-pve5"], ("/etc/ntpd.conf", "server 10.0.0.1")),
    **dict.fromkeys(["alt-p9", "alt-p10", "alt-p11"], ("/etc/chrony.conf", "server 10.0.0.1 iburst")),
    **dict.fromkeys(["pve-7", "pve-8", "pve-9"], ("/etc/chrony/chrony.conf", "server 10.0.0.1 iburst")),
    "pve-6": ("/etc/systemd/timesyncd.conf", "NTP=10.0.0.1"),
}
"""{target: (the file of its time service, the line for a server)}."""


class First:
    """The first node of two, applied; before: {path: text} of files as they were; creates, units: what was called."""

    def __init__(self, target: str, box: Sandbox, before: Mapping[str, str]) -> None:
        self.target, self.box, self.before = target, box, before
        self.debian = target.startswith("pve-")
        self.creates = [words[1:] for words in box.calls("pvecm") if words[1] == "create"]
        self.units = support.unit_calls(box)

    @functools.cached_property
    def changes(self) -> Tree:
        return self.box.changes()


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(f"eras-{name}")) for name in NAMES]
)
def first(request: pytest.FixtureRequest) -> Iterator[First]:
    require_system(request.param)
    text = description(request.param, 2, tables='[time]\nservers = ["10.0.0.1"]\n')
    with Nodes(text, ["pve1"]) as nodes:
        before = {path: nodes["pve1"].read(path) for path in ("/etc/hosts", "/etc/nsswitch.conf")}
        nodes.apply("pve1").expect(0)
        yield First(request.param, nodes["pve1"], before)


def test_guests_are_started_by_hand_where_systemd_lets_one(first: First) -> None:
    """pve-manager on PVE 4; since 5.0-32 it is pve-guests, which is for boots alone."""
    started = {unit.removesuffix(".service") for words in first.units if words[1] == "start" for unit in words[2:]}
    if first.target == "alt-p8":
        assert "pve-manager" in started
        assert first.box.run("systemctl is-active pve-manager").stdout == "active\n"
    else:
        assert not started & {"pve-manager", "pve-guests"}
        assert first.box.run("systemctl is-enabled pve-guests").stdout == "enabled\n"
        refused = first.box.run("systemctl start pve-guests")
        assert refused.status != 0 and "may be requested by dependency only" in refused.stderr


def test_rrdcached_s_file_is_of_p8_alone(first: First) -> None:
    old = first.target in ("alt-p8", "alt-p8-pve5")
    assert any(path.startswith(("/etc/sysconfig/rrdcached", "/etc/default/rrdcached")) for path in first.changes) == old
    if old:
        template = "/usr/share/doc/pve-cluster/rrdcached.sysconfig"
        assert first.box.read("/etc/sysconfig/rrdcached") == first.box.read(template)
        assert first.box.run("ls -d /var/lib/rrdcached/db /var/lib/rrdcached/journal").status == 0


def test_corosync_3_is_given_its_address_as_a_link(first: First) -> None:
    """Corosync 2 takes the address from the node's name, as PVE 4 and 5 have it."""
    links = [] if first.target in ("alt-p8", "alt-p8-pve5") else ["--link0", "10.0.0.251"]
    assert first.creates == [["create", "mypve", *links]]
    conf = first.box.read("/etc/pve/corosync.conf")
    assert ("linknumber: 0" in conf) == bool(links) and ("bindnetaddr" in conf) != bool(links)


def test_the_time_service_of_the_release_is_told_the_servers(first: First) -> None:
    path, line = TIME[first.target]
    assert line in first.box.read(path).splitlines()
    assert {other for other, _ in TIME.values() if other in first.changes} == {path}


def test_ssh_is_where_the_release_has_it(first: First) -> None:
    folder, unit = ("/etc/ssh", "ssh") if first.debian else ("/etc/openssh", "sshd")
    assert f"{folder}/sshd_config" in first.changes
    # pvecm itself reloads sshd, by that name.
    told = {words[2] for words in first.units if words[1] == "reload-or-restart"}
    assert told == {unit, "sshd"}
    # Debian's own configuration passes LC_* on.
    accepts = "AcceptEnv LC_PVE_TICKET" in first.box.read(f"{folder}/sshd_config")
    assert accepts != first.debian


def test_the_own_name_is_the_node_s_address_and_no_loopback(first: First) -> None:
    """127.0.1.1 is Debian's, the node's own entry with another domain is of ALT's installer from p9 on."""
    was, now = first.before["/etc/hosts"], first.box.read("/etc/hosts")
    assert ("127.0.1.1\tpve1" in was) == first.debian
    assert ("pve1.localdomain" in was) == (first.target in ("alt-p9", "alt-p10"))
    assert "127.0.1.1" not in now
    found = first.box.run("getent ahosts pve1").check().stdout
    assert {line.split()[0] for line in found.splitlines()} == {"10.0.0.251"}
    assert first.box.run("getent hosts pve1").stdout.split()[1] == "pve1.example.org"


def test_nsswitch_is_left_as_it_is(first: First) -> None:
    """p11's asks myhostname after files: with the name in /etc/hosts it is not reached."""
    assert ("myhostname" in first.before["/etc/nsswitch.conf"]) == (first.target == "alt-p11")
    assert first.box.read("/etc/nsswitch.conf") == first.before["/etc/nsswitch.conf"]


def test_the_bridge_is_in_the_files_that_the_release_reads(first: First) -> None:
    ours = {path for path in first.changes if re.match("/etc/net/ifaces/vmbr0/|/etc/network/interfaces$", path)}
    if first.target not in ETCNET:
        assert ours <= {"/etc/network/interfaces"}
        assert not first.box.exists("/etc/net")
        return
    folder = "/etc/net/ifaces/vmbr0"
    names = {path.removeprefix(f"{folder}/") for path in ours}
    files = {"options", "ipv4address", "ipv4route", "resolv.conf"}
    options = first.box.read(f"{folder}/options")
    assert "HOST='eth0'\n" in options and "TYPE=bri\n" in options
    if first.target == "alt-p10":  # there is no brctl
        assert first.box.run("command -v brctl").status != 0
        assert names == files and "BRIDGE_OPTIONS='stp_state 0 forward_delay 0'\n" in options
    else:
        assert names == files | {"brctl"} and "BRIDGE_OPTIONS" not in options
        assert first.box.read(f"{folder}/brctl") == "stp AUTO off\nsetfd AUTO 0\n"
    assert first.box.run("cat /sys/class/net/vmbr0/bridge/forward_delay").stdout == "0\n"


COEFFICIENT = "token_coefficient = 200"


def coefficients(box: Sandbox) -> list[str]:
    """What corosync's configuration says of token_coefficient, in all its lines."""
    return re.findall(r"^\s*token_coefficient: (.*)$", box.read("/etc/pve/corosync.conf"), re.MULTILINE)


@pytest.mark.parametrize(
    ("version", "stated", "expected"),
    [("9.0.6", "", []), ("9.1.0", "", ["125"]), ("9.1.0", COEFFICIENT, ["200"])],
)
def test_token_coefficient_that_pvecm_writes_stays_when_a_node_joins(
    version: str, stated: str, expected: list[str]
) -> None:
    """From 9.1 on pvecm writes one unasked; that is nothing for the script to mend."""
    packages = {"pve-cluster": version}
    with Nodes(description("pve-9", 2, cluster=stated), system="pve-9", settings=packages) as nodes:
        for box in nodes.node.values():
            box.put(
                "/var/lib/standin/packages",
                re.sub(r"(?m)^pve-cluster .*$", f"pve-cluster {version}", box.read("/var/lib/standin/packages")),
            )
        nodes.form()
        for name, box in nodes.node.items():
            assert coefficients(box) == expected
            nodes.verify(name).expect(0)
            assert nodes.apply(name).expect(0).changes == 0
        assert nodes["pve1"].read("/etc/corosync/corosync.conf") == nodes["pve2"].read("/etc/pve/corosync.conf")


@pytest.mark.parametrize("system", ["alt-p11:9.1", "pve-9"])
def test_token_coefficient_is_given_where_pvecm_takes_it(system: str) -> None:
    with Nodes(description(system.partition(":")[0], 2, cluster=COEFFICIENT), ["pve1"], system=system) as nodes:
        done = nodes.apply("pve1").expect(0)
        assert "token_coefficient: pve-cluster 9.1.1" in done.stdout
        creates = [words for words in nodes["pve1"].calls("pvecm") if words[1] == "create"]
        assert [words[-2:] for words in creates] == [["--token-coefficient", "200"]]


def restate(box: Sandbox, text: str) -> None:
    """Another corosync.conf in the cluster, with the copy that pmxcfs then keeps for corosync."""
    for folder in ("/etc/pve", "/etc/corosync"):
        box.put(f"{folder}/corosync.conf", text)


def test_token_coefficient_that_was_changed_later_is_told() -> None:
    """verify compares it with the description; apply changes nothing of it, for it is the running cluster's."""
    with Nodes(description("pve-9", 2, cluster=COEFFICIENT), ["pve1"], system="pve-9") as nodes:
        box = nodes["pve1"]
        nodes.apply("pve1").expect(0)
        nodes.verify("pve1").expect(0)
        stated = box.read("/etc/pve/corosync.conf")
        raised = re.sub(r"config_version: (\d+)", lambda found: f"config_version: {int(found[1]) + 1}", stated)
        for text, missing in (
            (raised.replace("token_coefficient: 200", "token_coefficient: 650"), False),
            (re.sub(r".*token_coefficient.*\n", "", raised), True),
        ):
            restate(box, text)
            assert coefficients(box) == ([] if missing else ["650"])
            for call in ("verify", "apply"):
                done = nodes.call("pve1", call)
                assert done.status == 1 and done.failures == ["corosync.conf has token_coefficient 200"], str(done)
            assert box.read("/etc/pve/corosync.conf") == text
        restate(box, re.sub(r"config_version: \d+", "config_version: 9", stated))
        nodes.verify("pve1").expect(0)


def test_token_coefficient_is_refused_by_an_older_release_of_the_same_target() -> None:
    with Nodes(description("alt-p11", 2, cluster=COEFFICIENT), ["pve1"]) as nodes:
        box = nodes["pve1"]
        before = support.picture(box, skip=[support.LOG])
        refused = nodes.apply("pve1").expect(78)
        assert "token_coefficient: pve-cluster 9.1.0 or later is needed, 8.1.2" in str(refused.failures)
        assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
