# ruff: noqa: F401, F811 - tests and fixtures are used by standing here
"""The stand-ins over real corosync and real systemd: each behaviour cites its line of the facts.

What a sandbox sees of pmxcfs and pvecm is seen here by the same tests; what only real ones can show stands below.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sandbox.fixtures import HOSTS
from sandbox.test_standins_pmxcfs import (
    node,
    test_corosync_does_not_start_without_a_configuration,
    test_database_is_sqlite_and_outlives_a_stop,
    test_directories,
    test_does_not_start_without_an_address_of_its_own,
    test_file_that_is_too_large,
    test_local_mode_can_be_written,
    test_modes_are_made_up_and_links_refused,
    test_newer_one_looks_at_every_answer,
    test_own_directory_is_there,
    test_packaged_stub_is_imported_at_the_first_start,
    test_pveproxy_answers,
    test_writable_only_some_time_after_corosync_has_quorum,
)
from sandbox.test_standins_pvecm import (
    STUB,
    SUCCESS,
    alone,
    fingerprint,
    old_nodes,
    quorate,
    ssh_add,
    test_add_below_etc_pve_is_refused,
    test_api_join_asks_on_a_terminal,
    test_api_join_is_0_on_every_failure,
    test_api_join_with_the_password_on_standard_input,
    test_create_leaves_what_the_real_one_leaves,
    test_create_of_8_is_0_though_it_failed,
    test_first_4_0_stops_at_the_first_reason,
    test_guests_are_in_the_way,
    test_half_done_add_and_the_way_out,
    test_names_that_are_refused,
    test_needs_pve_cluster,
    test_options_of_another_time_are_refused,
    test_ssh_join_is_honest,
    test_ssh_join_of_three_and_what_outlives_a_power_cut,
    test_status_outside_a_cluster,
    two_new,
)

from .fresh import Fresh, FreshNode
from .waiting import stays, until

pytestmark = pytest.mark.lab
FROM_THE_CUT = 20
DROP_IN = "/run/systemd/system/corosync.service.d"
"""Seconds within which a change of the network is seen for certain."""


@pytest.fixture
def make_nodes() -> Iterator[Callable[..., list[FreshNode]]]:
    """A function (system, count, **options) that gives pve1..pveN on one switch, who know one another's names."""
    with ExitStack() as stack:

        def make(system: str, count: int, *, settings: dict[str, str] | None = None, **_: Any) -> list[FreshNode]:
            lab = Fresh(system, count, files={"/etc/hosts": HOSTS}, settings=settings)
            return stack.enter_context(lab).nodes()

        yield make


# Systemd tries again what has failed after 100 ms, and five times within ten seconds at most: a test that looks at what
# has failed has the time to.
LATER = {"/etc/systemd/system/pve-cluster.service.d/later.conf": "[Service]\nRestartSec=1h\n"}


def _maker(stack: ExitStack, **more: str) -> Callable[..., FreshNode]:
    """MORE: {path: text} of further files."""

    def make(
        system: str = "alt-p8",
        *,
        held: Any = (),
        root_password: str = "",
        files: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> FreshNode:
        told = dict(settings or {})
        if "quorum-delay" in told:
            told["quorum-delay"] = "10"  # a test looks four times before it is over: a sandbox's 1.5 s may be too short
        return stack.enter_context(Fresh(system, files={**(files or {}), **more}, settings=told)).nodes()[0]

    return make


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., FreshNode]]:
    """A function that makes one node, with options of Sandbox's."""
    with ExitStack() as stack:
        yield _maker(stack, **LATER)


@pytest.fixture(scope="module")
def make_shared() -> Iterator[Callable[..., FreshNode]]:
    """The same for a node that lasts as long as the tests of the module."""
    with ExitStack() as stack:
        yield _maker(stack)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """A function that waits until what it is given holds."""
    return lambda holds: _wait(holds)


def _wait(holds: Callable[[], object], limit: float = 60) -> float:
    return until(holds, "what the test waits for", limit, every=0.1)


@pytest.fixture
def pair(make_nodes: Callable[..., list[FreshNode]]) -> list[FreshNode]:
    """Two nodes of p8 in one cluster."""
    one, two = nodes = old_nodes(make_nodes, 2)
    one.run("pvecm create mypve").check()
    _wait(lambda: quorate(one))
    ssh_add(two).check()
    _wait(lambda: quorate(one, 2) and quorate(two, 2))
    return nodes


# Corosync -----------------------------------------------------------------------------------------------------------


def test_real_corosync_takes_what_pvecm_writes(pair: list[FreshNode]) -> None:
    """facts: "default ring address: node NAME"; the transport is corosync 3's (README.md)."""
    shown = pair[0].run("corosync-cmapctl").check().stdout
    assert "nodelist.node.1.ring0_addr (str) = pve2" in shown
    assert "totem.secauth (str) = on" in shown
    assert "runtime.members.2.status (str) = joined" in shown
    assert pair[0].run("stat -c %s /etc/corosync/authkey").stdout == "128\n"
    assert "localhost:2" not in pair[0].run("corosync-cfgtool -s").check().stderr


def test_cut_cable(pair: list[FreshNode]) -> None:
    """facts: "A cut cable shows after 7 s, and is healed within 8 s of plugging in"; "Without quorum a write below
    /etc/pve gives "Permission denied""; "`pvecm status`: rc 2 ... no quorum ("Quorate: No", "Activity blocked")"."""
    one, two = pair
    two.unplug()
    assert 3 < _wait(lambda: not quorate(one, 2), FROM_THE_CUT) < FROM_THE_CUT
    _wait(lambda: not quorate(two, 2), FROM_THE_CUT)
    for one_of_them in pair:
        assert "Permission denied" in one_of_them.run("echo x > /etc/pve/x").stderr
        result = one_of_them.run("pvecm status")
        assert (result.status, "Activity blocked" in result.stdout) == (2, True), result
        assert "Quorate:          No" in result.stdout
    two.plug()
    _wait(lambda: quorate(one, 2) and quorate(two, 2), FROM_THE_CUT)


def test_quorum_is_announced_before_it_can_be_used(alone: FreshNode) -> None:
    """facts: "for 4.7-5.1 s after create, `pvecm status` already says Quorate: Yes while /etc/pve is not yet writable"."""
    alone.run("systemctl start pve-cluster && pvecm create mypve").check()
    since = time.monotonic()
    assert "Quorate:          Yes" in alone.run("pvecm status").check().stdout
    assert alone.run("touch /etc/pve/x").status != 0
    _wait(lambda: quorate(alone))
    assert 3 < time.monotonic() - since < 8
    alone.run("touch /etc/pve/x").check()


def test_delnode_and_what_a_removed_node_keeps(pair: list[FreshNode]) -> None:
    """facts: "delnode: of a running node rc 0"; "A removed node keeps authkey and corosync.conf, so its add is refused
    until they are cleaned away"; the way: "leave without reinstall".

    Its corosync goes on alone: it is out of the configuration before it could be told to end.
    """
    one, two = pair
    assert one.run("pvecm delnode pve2").status == 0
    _wait(lambda: "pve2" not in one.read("/etc/pve/.members"))
    _wait(lambda: quorate(one))
    _wait(lambda: '"quorate": 0' in two.read("/etc/pve/.members"))
    assert ssh_add(two).status != 0
    two.run("systemctl stop pve-cluster corosync; pmxcfs -l && rm /etc/pve/corosync.conf && killall pmxcfs").check()
    _wait(lambda: two.run("pgrep -x pmxcfs").status != 0)
    two.run("rm -f /etc/corosync/authkey /etc/corosync/corosync.conf").check()
    two.run("systemctl reset-failed; systemctl start pve-cluster").check()
    _wait(lambda: quorate(one))
    assert SUCCESS in ssh_add(two).stdout
    _wait(lambda: quorate(one, 2) and quorate(two, 2))


# Systemd ------------------------------------------------------------------------------------------------------------


def test_create_enables_no_unit(alone: FreshNode) -> None:
    """facts: "pvecm enables no unit: pve-cluster, corosync (and rrdcached) must be enabled"."""
    alone.run("systemctl start pve-cluster && pvecm create mypve").check()
    shown = alone.run("systemctl is-enabled pve-cluster corosync rrdcached").stdout
    assert shown.split() == ["disabled"] * 3


def test_killed_pmxcfs_is_started_again(node: FreshNode) -> None:
    """From memory of pve-cluster.service: Restart=on-failure."""
    node.run("killall -9 pmxcfs").check()
    _wait(lambda: node.run("test -e /etc/pve/local && systemctl is-active pve-cluster").status == 0)


def test_stopped_pmxcfs_leaves_roots_keys_dangling(alone: FreshNode) -> None:
    """facts: "While a node's pve-cluster is stopped root's authorized_keys is a dangling link"."""
    alone.run("systemctl start pve-cluster && pvecm create mypve && systemctl stop pve-cluster").check()
    assert alone.run("test -L /root/.ssh/authorized_keys && ! test -e /root/.ssh/authorized_keys").status == 0


@pytest.mark.parametrize("system", ["alt-p8", "alt-p11"])
def test_systemd_has_nothing_to_say_of_the_units(make_sandbox: Callable[..., FreshNode], system: str) -> None:
    node = make_sandbox(system, files={"/etc/hosts": HOSTS})
    names = " ".join(f"{line.split()[0]}" for line in node.read("/var/lib/standin/order").splitlines())
    units = node.run(f"cd /usr/lib/systemd/system && ls {' '.join(f'{n}.service' for n in names.split())}").stdout
    said = node.run(f"systemd-analyze verify --man=no {units.replace(chr(10), ' ')}")
    assert (said.status, said.stderr) == (0, "")
    failed = node.run("systemctl --failed --no-legend --plain").stdout
    assert failed == ""


# Pveproxy -----------------------------------------------------------------------------------------------------------


def test_ticket_for_a_password_that_passwd_has_set(node: FreshNode) -> None:
    """The password is whatever /etc/shadow says, however the system encrypts it."""
    node.run("echo root:another | chpasswd && systemctl start pveproxy").check()
    ask = "curl -sk -o /dev/null -w '%{http_code}' -d username=root@pam https://127.0.0.1:8006/api2/json/access/ticket"
    _wait(lambda: node.run(f"{ask} -d password=another").stdout == "200")
    assert node.run(f"{ask} -d password=secret").stdout == "401"


# The worse of what may be -------------------------------------------------------------------------------------------


def test_add_that_waits_for_ever(two_new: list[FreshNode]) -> None:
    """facts: "waiting for quorum..." has no limit; the joiner is half in the cluster."""
    one, two = two_new
    two.fail("pvecm-hang")
    two.put("/run/password", "secret\n")
    command = f"pvecm add 10.0.0.251 --fingerprint {fingerprint(one)}"
    two.run(f": >/run/said; setsid {command} </run/password >>/run/said 2>&1 & echo $! >/run/pid").check()
    _wait(lambda: two.read("/run/said").endswith("waiting for quorum..."))
    _wait(lambda: quorate(two, 2))
    stays(lambda: two.run("kill -0 $(cat /run/pid)").status == 0, "it waits", 3)
    assert two.read("/run/said").endswith("waiting for quorum...")
    two.run("kill $(cat /run/pid)").check()
    _wait(lambda: two.run("kill -0 $(cat /run/pid)").status != 0)
    assert "already exists" in two.run("pvecm add 10.0.0.251", stdin="secret\n").stderr


def test_parallel_adds_hang_all(make_nodes: Callable[..., list[FreshNode]]) -> None:
    """facts: "PARALLEL ADDS hang both nodes"; "waiting for quorum..." has no limit.

    A member of one vote may as well refuse the second for want of quorum, so this one has votes enough for both.
    """
    one, two, three = make_nodes("alt-p11", 3)
    one.run("pvecm create mypve --votes 3").check()
    _wait(lambda: quorate(one))
    unit = "[Service]\nExecStartPre=/bin/sh -c 'until test -e /run/go; do sleep 0.1; done'\n"
    for joiner in (two, three):  # neither is there before the member has taken in both
        joiner.put(f"{DROP_IN}/wait.conf", unit)
        joiner.run("systemctl daemon-reload").check()
    command = f"timeout 60 pvecm add 10.0.0.251 --fingerprint {fingerprint(one)}"
    with ThreadPoolExecutor() as pool:
        adding = [pool.submit(joiner.run, command, stdin="secret\n", timeout=120) for joiner in (two, three)]
        _wait(lambda: {"pve2", "pve3"} <= set(re.findall(r"name: (\w+)", one.read("/etc/pve/corosync.conf"))))
        for joiner in (two, three):
            joiner.put("/run/go", "")
        results = [add.result() for add in adding]
    assert [result.status for result in results] == [124, 124]
    assert all(result.stdout.endswith("waiting for quorum...") for result in results)
    assert not quorate(one, 3)
