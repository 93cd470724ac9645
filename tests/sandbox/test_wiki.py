"""The wiki's commands at fresh nodes of p8: what they leave, and where they fail."""

from collections.abc import Callable

import pytest

from .fixtures import MakeSandbox
from .harness import Sandbox
from .switch import Switch
from .wiki import Outcome, commands, failures, type_commands

pytestmark = pytest.mark.sandbox


def test_commands_are_split_with_their_heredocs() -> None:
    texts = commands("pve1")
    assert len(texts) == 23
    assert texts[3].startswith("cat <<EOF > /etc/net/ifaces/vmbr0/options\nBOOTPROTO=static\n")
    assert texts[3].endswith("EOF\n")


def test_only_the_known_commands_fail_on_the_first_node(wiki_node: tuple[Sandbox, list[Outcome]]) -> None:
    assert failures(wiki_node[1]) == [
        "cp /usr/share/doc/pve-manager/rrdcached.sysconfig",  # lies in pve-cluster's folder
        "systemctl start",  # corosync has no configuration yet
        "systemctl enable",  # nfslock is an alias
    ]


def test_first_node_is_a_cluster_of_its_own(wiki_node: tuple[Sandbox, list[Outcome]]) -> None:
    node = wiki_node[0]
    assert '"name": "mypve"' in node.read("/etc/pve/.members")
    changes = node.changes()
    assert changes["/etc/timezone"].text == "Europe/Moscow\n"
    assert changes["/etc/net/ifaces/eth0/ipv4address"].kind == "gone"
    assert changes["/etc/net/ifaces/vmbr0/ipv4address"].text == "10.0.0.251/24\n"
    assert changes["/var/lib/rrdcached/journal"].kind == "directory"


def test_second_node_joins(make_sandbox: MakeSandbox, eventually: Callable[[Callable[[], bool]], None]) -> None:
    with Switch("10.0.0.1/24") as switch:
        one = make_sandbox("alt-p8", "pve1", switch=switch, root_password="secret")
        two = make_sandbox("alt-p8", "pve2", {"eth0": ["10.0.0.252/24"]}, switch=switch)
        type_commands(one)
        outcomes = {o.command: o for o in type_commands(two, typed="yes\nsecret\n")}
        assert "successfully added node 'pve2' to cluster." in outcomes["pvecm add pve1\n"].stdout
        eventually(lambda: one.read("/etc/pve/.members").count('"online": 1') == 2)
