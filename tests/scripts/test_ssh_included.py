"""The ssh steps where other files are included: folders of drop-ins, nested, within Match and Host, oddly spelt.

OpenSSH of each target as near as it is to be had: Debian's of its own release, or the next one. Where it is older than
8.2, sshd knows no Include: a file with one is nothing that such an sshd starts with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase

import pytest
from sandbox import Sandbox
from sandbox.requirements import require_system

from . import support
from .nodes import Nodes, description
from .openssh import BEFORE_8_2, NEAREST, bring_nearest

pytestmark = pytest.mark.sandbox

TICKET = "LC_PVE_TICKET"
PEER, GUEST = "user=root,host=pve2,addr=10.0.0.252", "user=root,host=guest,addr=10.99.0.1"
BY_KEY = '[ssh]\nroot_login = "prohibit-password"\n'
AFTER_MATCH = '\nMatch address 10.99.0.0/16\n  PermitRootLogin NO\n  include "guests.d/*.conf"'


def spelt(word: str) -> str:
    return "prohibit-password" if word == "without-password" else word


class Files:
    """A node's ssh files, and what sshd and ssh make of them."""

    def __init__(self, box: Sandbox, target: str) -> None:
        self.box = box
        self.folder = "/etc/ssh" if target.startswith("pve-") else "/etc/openssh"
        self.sshd = box.run("command -v sshd").stdout.strip()

    def change(self, name: str, first: str = "", last: str = "") -> None:
        path = f"{self.folder}/{name}"
        self.box.put(path, first + self.box.read(path).removesuffix("\n") + last)

    def add(self, files: Mapping[str, str]) -> None:
        """{path below the folder: text}."""
        for name, text in files.items():
            self.box.put(f"{self.folder}/{name}", text)

    def of_sshd(self, key: str, where: str = "") -> list[str]:
        return self._words(f"{self.sshd} -T {where and f'-C {where}'}", key)

    def of_ssh(self, key: str, host: str = "10.0.0.252") -> list[str]:
        return self._words(f"ssh -G root@{host}", key)

    def passes(self) -> tuple[bool, bool]:
        """Whether sshd takes the ticket from pve2, and whether ssh sends it there."""
        lists = self.of_sshd("acceptenv", PEER), self.of_ssh("sendenv")
        taken, sent = (any(fnmatchcase(TICKET, word) for word in words) for words in lists)
        return taken, sent

    def _words(self, command: str, key: str) -> list[str]:
        lines = [line.split() for line in self.box.run(command).check().stdout.splitlines()]
        return [word for words in lines if words[:1] == [key] for word in words[1:]]


@contextmanager
def node(target: str, tables: str = BY_KEY) -> Iterator[tuple[Nodes, Files]]:
    """The first of two nodes, with the OpenSSH that comes nearest to its target's."""
    require_system(target)
    with Nodes(description(target, 2, tables=tables), ["pve1"], system=target) as nodes:
        files = Files(nodes["pve1"], target)
        bring_nearest(nodes["pve1"], target, files.folder)
        yield nodes, files


def drop_ins(files: Files) -> None:
    """Folders of drop-ins without a newline at their ends, read before and after what the stock file says."""
    files.change("sshd_config", 'INCLUDE=sshd_config.d/*.conf\nInclude "more/one.conf" nowhere/*\n', AFTER_MATCH)
    files.add(
        {
            "sshd_config.d/10.conf": "permitrootlogin=yes",
            "sshd_config.d/20.conf": 'AcceptEnv "FIRST" SECOND\nMatch User nobody\n  X11Forwarding no',
            "sshd_config.d/ignored": "PermitRootLogin no",
            "guests.d/a.conf": "acceptenv THIRD\nAllowTcpForwarding no",
            "more/one.conf": f"include {files.folder}/more/two.conf\nmaxstartups 7",
            "more/two.conf": "MaxSessions\t5",
        }
    )


@pytest.mark.parametrize("target", NEAREST)
def test_sshd_s_drop_ins_go_on_to_mean_what_they_meant(target: str) -> None:
    with node(target) as (nodes, files):
        drop_ins(files)
        assert files.of_sshd("permitrootlogin") == ["yes"]
        for step in ("ssh", "root-login"):
            nodes.call("pve1", "apply", "--only", step).expect(0)
        assert files.passes()[0]
        assert [spelt(word) for word in files.of_sshd("permitrootlogin")] == ["prohibit-password"]
        assert {"FIRST", "SECOND"} <= set(files.of_sshd("acceptenv", PEER))
        assert files.of_sshd("maxsessions") == ["5"] and files.of_sshd("maxstartups") == ["7:30:7"]
        assert files.of_sshd("x11forwarding", "user=nobody,host=pve2,addr=10.0.0.252") == ["no"]
        assert files.of_sshd("permitrootlogin", GUEST) == ["no"] and "THIRD" in files.of_sshd("acceptenv", GUEST)
        assert files.of_sshd("allowtcpforwarding", GUEST) == ["no"]
        for step in ("ssh", "root-login"):
            assert nodes.call("pve1", "apply", "--only", step).expect(0).changes == 0


@pytest.mark.parametrize("target", NEAREST)
def test_root_login_of_a_drop_in_is_kept_through_create(target: str) -> None:
    """pvecm writes "PermitRootLogin yes" into the main file, which the drop-in alone would not outlive everywhere."""
    with node(target, "") as (nodes, files):
        files.change(
            "sshd_config", "", "\nInclude /etc/ssh/sshd_config.d/*.conf\n" if target.startswith("alt-") else "\n"
        )
        files.add({"sshd_config.d/root.conf": "PERMITROOTLOGIN = prohibit-password"})
        nodes.apply("pve1").expect(0)
        assert "\nPermitRootLogin yes\n" in files.box.read(f"{files.folder}/sshd_config")
        assert [spelt(word) for word in files.of_sshd("permitrootlogin")] == ["prohibit-password"]
        nodes.verify("pve1").expect(0)
        assert nodes.apply("pve1").expect(0).changes == 0


@pytest.mark.parametrize("target", BEFORE_8_2)
def test_root_login_is_kept_where_sshd_says_nothing_without_a_connection(target: str) -> None:
    """OpenSSH 7.9 has no answer for -T alone as soon as there is a Match block, of others or of admit."""
    with node(target, "") as (nodes, files):
        files.change("sshd_config", "PermitRootLogin prohibit-password\n", "\nMatch User guest\n  PermitRootLogin no\n")
        assert files.box.run(f"{files.sshd} -T").status == 255
        nodes.apply("pve1").expect(0)
        assert "\nPermitRootLogin yes\n" in files.box.read(f"{files.folder}/sshd_config")
        assert [spelt(word) for word in files.of_sshd("permitrootlogin", PEER)] == ["prohibit-password"]
        nodes.call("pve1", "admit").expect(0)
        nodes.verify("pve1").expect(0)
        nodes.call("pve1", "close").expect(0)


@pytest.mark.parametrize("target", NEAREST)
def test_a_drop_in_that_takes_the_ticket_away_is_seen(target: str) -> None:
    with node(target) as (nodes, files):
        files.change("sshd_config", "Include drop.d/*.conf\n")
        files.add({"drop.d/a.conf": "Match Address 10.0.0.0/24\n\tacceptenv LANG"})
        done = nodes.call("pve1", "apply", "--only", "ssh").expect(1)
        assert "sshd takes LC_PVE_TICKET from pve2" in str(done.failures) and files.passes() == (False, True)


@pytest.mark.parametrize("target", NEAREST)
def test_a_broken_drop_in_refuses_the_run(target: str) -> None:
    with node(target) as (nodes, files):
        files.change("sshd_config", "Include drop.d/*.conf\n")
        files.add({"drop.d/a.conf": "AcceptEnv SOME\nPermitRoot yes"})
        refused(nodes, "drop.d/a.conf")


@pytest.mark.parametrize("target", BEFORE_8_2)
@pytest.mark.parametrize("line", ["Include sshd_config.d/*.conf", '\tINCLUDE="more/*"', "include = /etc/ssh/more"])
def test_an_include_that_sshd_before_8_2_does_not_know_refuses_the_run(target: str, line: str) -> None:
    with node(target) as (nodes, files):
        files.change("sshd_config", "", f"\n{line}")
        files.add({"sshd_config.d/a.conf": "AcceptEnv LC_*\n"})
        refused(nodes, "Bad configuration option: Include")


def refused(nodes: Nodes, reason: str) -> None:
    """The steps that write sshd's file refuse, with sshd's own words, and nothing changes."""
    before = support.picture(nodes["pve1"], skip=[support.LOG])
    # Debian's stock files have LC_*: there the step ssh writes nothing.
    for step in ("root-login",) if nodes.system.startswith("pve-") else ("root-login", "ssh"):
        done = nodes.call("pve1", "apply", "--only", step).expect(78)
        assert "sshd does not accept" in str(done.failures) and reason in done.stdout, str(done)
    assert support.untouched(before, support.picture(nodes["pve1"], skip=[support.LOG])) == []


@pytest.mark.parametrize("target", [*BEFORE_8_2, *NEAREST])
def test_ssh_s_drop_ins_go_on_to_mean_what_they_meant(target: str) -> None:
    """ssh itself has Include since 7.3, of 2016."""
    with node(target) as (nodes, files):
        files.change(
            "ssh_config",
            'INCLUDE ssh_config.d/*.conf "more/one.conf"\n',
            "\nHOST *.example.net other\n  include=hosts.d/*.conf",
        )
        files.add(
            {
                "ssh_config.d/a.conf": "Host far\n  sendenv FAR\n  port=2200",
                "hosts.d/a.conf": 'Port "2222"\nUser Nobody',
                "more/one.conf": "SendEnv ONE\ninclude more/two.conf",
                "more/two.conf": "sendenv TWO",
            }
        )
        nodes.call("pve1", "apply", "--only", "ssh").expect(0)
        assert files.passes() == (True, True)
        assert {"ONE", "TWO"} <= set(files.of_ssh("sendenv")) and "FAR" not in files.of_ssh("sendenv")
        assert files.of_ssh("port", "far") == ["2200"] and files.of_ssh("port", "other") == ["2222"]
        assert files.of_ssh("port") == ["22"]
        assert nodes.call("pve1", "apply", "--only", "ssh").expect(0).changes == 0


@pytest.mark.parametrize("target", NEAREST)
def test_a_drop_in_that_keeps_the_ticket_from_being_sent_is_seen(target: str) -> None:
    with node(target) as (nodes, files):
        files.change("ssh_config", "", "\nHost 10.0.0.*\n  Include keep.d/*")
        files.add({"keep.d/a.conf": "SendEnv -LC_*"})
        done = nodes.call("pve1", "apply", "--only", "ssh").expect(1)
        assert "ssh sends LC_PVE_TICKET to pve2" in str(done.failures) and files.passes() == (True, False)


@pytest.mark.parametrize("target", ["alt-p8", "alt-p10", "pve-9"])
def test_an_ssh_that_does_not_take_its_own_file_sends_nothing(target: str) -> None:
    """No reason to believe the file: that is for an ssh before 6.8, which cannot tell (it has no -G)."""
    with node(target) as (nodes, files):
        files.change("ssh_config", "", "\nInclud ssh_config.d/*.conf\n")
        done = nodes.call("pve1", "apply", "--only", "ssh").expect(1)
        assert "ssh sends LC_PVE_TICKET to pve2" in str(done.failures)
