"""The wiki's own commands at one fresh node, our script at another: the same is there, but for a written list."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox import Sandbox, Tree, diff_trees, require_sandbox
from sandbox.wiki import failures, type_commands

from . import support
from .test_join import wait

pytestmark = pytest.mark.sandbox

WANTED = tomllib.loads((Path(__file__).parent / "wiki-differences.toml").read_text("utf-8"))
OUR_OWN = (support.STATE, support.LOG, support.PLACE)
WIKI_UNITS = "syslogd ntpd rrdcached ksmtuned crond lxcfs cgmanager nfslock rpcbind corosync pve-cluster pve-manager"


@dataclass
class Nodes:
    """Both nodes after all was done and a reboot: their disks and what runs."""

    wiki: Tree
    ours: Tree
    wiki_running: dict[str, str]
    ours_running: dict[str, str]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    require_sandbox()
    with ExitStack() as stack:
        wiki, ours = (stack.enter_context(Sandbox("alt-p8", root_password="secret")) for _ in range(2))
        assert "cp /usr/share/doc/pve-manager/rrdcached.sysconfig" in failures(type_commands(wiki))
        ours.put(support.PLACE, support.build(support.WIKI)["pve1"])
        support.apply(ours).expect(0)
        for box in (wiki, ours):
            box.reboot()
        # The wiki's own node comes to none.
        wait(ours, "grep -q '\"quorate\": 1' /etc/pve/.members")
        yield Nodes(wiki.changes(), ours.changes(), running(wiki), running(ours))


def running(box: Sandbox) -> dict[str, str]:
    """What a reboot left: addresses, ports, routes, units, what sshd and ssh make of their files, the cluster."""

    def said(command: str) -> str:
        return box.run(command).stdout

    addresses = said("ip -o -4 addr")
    found = {
        "addresses": re.sub(r" brd \S+", "", addresses),
        "broadcast": " ".join(re.findall(r" brd (\S+)", addresses)),
        "routes": said("ip -4 route"),
        "ports": said("ls /sys/class/net/*/brif/"),
        "bridge": said("cat /sys/class/net/vmbr0/bridge/forward_delay /sys/class/net/vmbr0/bridge/stp_state"),
        "time zone": said("readlink -f /etc/localtime; cat /etc/timezone"),
        "names": said("getent ahosts pve1; getent hosts 10.0.0.251 10.0.0.252"),
        "sshd accepts": " ".join(sorted(re.findall(r"(?mi)^acceptenv (\S+)", said("sshd -T")))),
        "root login": "".join(re.findall(r"(?mi)^permitrootlogin (\S+)", said("sshd -T"))),
        "ssh sends": " ".join(sorted(re.findall(r"(?mi)^sendenv (\S+)", said("ssh -G pve2")))),
        "gateway": str(box.run("ping -c 1 -W 2 10.0.0.1").status),
        "cluster": said("grep -o '\"quorate\": [01]' /etc/pve/.members; cat /etc/pve/corosync.conf"),
    }
    names = [line.split(".service")[0] for line in said("systemctl list-unit-files --no-legend").splitlines()]
    for name in names:
        found[f"unit {name}"] = said(f"systemctl is-enabled {name}; systemctl is-active {name}").replace("\n", " ")
    return found


def excused(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def test_the_same_files(nodes: Nodes) -> None:
    """Every difference is in the list, and every entry of the list is a difference."""
    differences = {
        change.path: change.what
        for change in diff_trees(nodes.wiki, nodes.ours)
        if not change.path.startswith(OUR_OWN) and (change.after or change.before).kind != "directory"  # type: ignore[union-attr]
    }
    listed = {(entry["path"], entry["change"]) for entry in WANTED["file"]}
    surprises = [
        f"{what} {path}"
        for path, what in differences.items()
        if not any(fnmatch.fnmatchcase(path, pattern) and what == change for pattern, change in listed)
    ]
    assert surprises == []
    idle = [
        pattern
        for pattern, change in listed
        if not any(fnmatch.fnmatchcase(path, pattern) and what == change for path, what in differences.items())
    ]
    assert idle == [], "these do not differ any more"


def test_the_same_is_running(nodes: Nodes) -> None:
    names = {
        name
        for name in nodes.wiki_running.keys() | nodes.ours_running.keys()
        if nodes.wiki_running.get(name) != nodes.ours_running.get(name)
    }
    listed = [entry["name"] for entry in WANTED["running"]]
    assert [
        f"{n}: {nodes.wiki_running.get(n)!r} {nodes.ours_running.get(n)!r}" for n in names if not excused(n, listed)
    ] == []
    assert [pattern for pattern in listed if not any(fnmatch.fnmatchcase(name, pattern) for name in names)] == []


def test_every_unit_of_the_wiki_is_on(nodes: Nodes) -> None:
    for name in WIKI_UNITS.split():
        assert nodes.ours_running[f"unit {name}"] in ("enabled active ", "alias active "), name


def test_what_the_wiki_wanted_holds(nodes: Nodes) -> None:
    """Where the two differ, ours is what the page is after."""
    ours = nodes.ours_running
    assert "LC_PVE_TICKET" in ours["sshd accepts"] and "LC_PVE_TICKET" in ours["ssh sends"]
    assert '"quorate": 1' in ours["cluster"] and "cluster_name: mypve" in ours["cluster"]
    assert ours["broadcast"] == "10.0.0.255" and ours["gateway"] == "0"


def test_every_difference_has_its_reason() -> None:
    for entry in WANTED["file"] + WANTED["running"]:
        assert len(entry["reason"].split()) >= 2
