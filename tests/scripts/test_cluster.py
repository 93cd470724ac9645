"""Clusters from the first apply to the last reboot, by the scripts alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from . import support
from .nodes import ANSWERS, TARGETS, Nodes, description, grouped, known_to_pve, members, trash
from .test_join import adds, wait

pytestmark = pytest.mark.sandbox

THREE = ["", "", 'joins = "pve2"']


@pytest.fixture(scope="module", params=grouped("formed"))
def formed(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    """Three nodes in a cluster by password, the third through the second; what admit opened is closed."""
    with Nodes(description(request.param, THREE)) as nodes:
        nodes.apply("pve1").expect(0)
        nodes.prepare("pve2")
        nodes.join("pve2")
        nodes.prepare("pve3")
        nodes.join("pve3", "pve2")
        for member in ("pve1", "pve2"):
            nodes.call(member, "close").expect(0)
        nodes.agree()
        yield nodes


def test_all_nodes_see_all(formed: Nodes) -> None:
    formed.agree()


def test_verify_is_content_everywhere(formed: Nodes) -> None:
    for name in formed.node:
        formed.verify(name).expect(0)


@pytest.mark.trap("K11")
def test_the_join_through_another_member_asked_that_member(formed: Nodes) -> None:
    assert [words[2] for words in adds(formed["pve3"])] == ["10.0.0.252"]


@pytest.mark.trap("K1", "K2")
def test_a_second_apply_changes_and_restarts_nothing(formed: Nodes) -> None:
    for name, box in formed.node.items():
        before = support.picture(box, skip=[support.LOG])
        box.forget_calls()
        again = formed.apply(name).expect(0)
        assert again.changes == 0
        assert support.unit_calls(box) == []
        assert box.calls("pvecm") == []
        assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []


@pytest.mark.trap("K6")
def test_nothing_of_the_cluster_is_restarted_but_by_pvecm_itself(formed: Nodes) -> None:
    """On a live cluster it can cost quorum and, with HA, fencing. The log has all commands since the first run."""
    for name, box in formed.node.items():
        commands = re.findall(r"^ *# \+ (.*)$", box.read(f"{support.LOG}/mypve.log"), re.M)
        assert any(command.startswith("systemctl ") for command in commands), name
        assert [c for c in commands if re.search(r"systemctl .*(restart|reload|stop).*(corosync|pve-cluster)", c)] == []


@pytest.mark.trap("S8")
def test_root_that_is_stopped_by_another_line_of_sshd_s_is_told(formed: Nodes) -> None:
    """PermitRootLogin is not all: verify goes to every node as root."""
    box = formed["pve2"]
    path = f"{box.system.settings['ssh-dir']}/sshd_config"
    before = box.read(path)
    box.put(path, f"{before}\nDenyUsers root\n", 0o600)
    box.run("systemctl reload-or-restart sshd").check()
    assert formed.verify("pve1").expect(1).failures == ["root reaches pve2 by key"]
    box.put(path, before, 0o600)
    box.run("systemctl reload-or-restart sshd").check()
    formed.verify("pve1").expect(0)


def test_the_ticket_arrives_over_ssh_from_every_node_at_every_other(formed: Nodes) -> None:
    for name, box in formed.node.items():
        for number, other in enumerate(formed.node, 1):
            if other == name:
                continue
            words = ["ssh", "-o", "BatchMode=yes", *known_to_pve(box, other), f"root@10.0.0.{250 + number}"]
            done = box.run([*words, "echo $LC_PVE_TICKET"], env={"LC_PVE_TICKET": "PVE:root@pam:5F00::x=="}).check()
            assert done.stdout == "PVE:root@pam:5F00::x==\n", (name, other)


def test_hosts_that_only_pve_names_to_ssh_are_reached_as_pve_does_it(formed: Nodes) -> None:
    """From pve-cluster 8.0.6 on no join tells ssh itself the others' host keys, and verify holds all the same."""
    if formed.system == "alt-p8":
        return
    box, address = formed["pve2"], "10.0.0.253"
    plain = box.run(f"ssh -o BatchMode=yes root@{address} true")
    assert plain.status == 255 and "Host key verification failed" in plain.stderr
    known = "/etc/pve/nodes/pve3/ssh_known_hosts"
    right = box.read(known)
    box.put(known, box.read("/etc/pve/nodes/pve1/ssh_known_hosts").replace("pve1", "pve3"))
    run = formed.verify("pve2").expect(1)
    assert run.failures == ["root reaches pve3 by key"]
    assert f"-o HostKeyAlias=pve3 -o UserKnownHostsFile={known}" in " ".join(
        str(run.tap.failures()[0].yaml["help"]).split()
    )
    box.put(known, right)
    formed.verify("pve2").expect(0)


def test_nothing_temporary_is_left(formed: Nodes) -> None:
    for box in formed.node.values():
        assert trash(box) == []
        assert not box.exists("/etc/pve/priv/pvegen-join")


def test_a_node_that_is_down_is_told_of_and_no_fault_of_the_others(formed: Nodes) -> None:
    formed["pve3"].power_off()
    try:
        wait_for_members(formed, "pve1", {"pve1": True, "pve2": True, "pve3": False})
        assert formed.verify("pve1").expect(0).tap.find("root reaches pve3").directive == "SKIP"
        assert formed.apply("pve1").expect(0).changes == 0
    finally:
        formed["pve3"].boot()
        wait_for_members(formed, "pve1", dict.fromkeys(formed.node, True))


def test_every_node_comes_back_from_a_reboot(formed: Nodes) -> None:
    for name, box in formed.node.items():
        box.reboot()
        wait_for_members(formed, name, dict.fromkeys(formed.node, True))
        formed.verify(name).expect(0)
        assert formed.apply(name).expect(0).changes == 0


def test_all_come_back_from_a_power_cut_of_all(formed: Nodes) -> None:
    for box in formed.node.values():
        box.power_off()
    for box in formed.node.values():
        box.boot()
    for name in formed.node:
        wait_for_members(formed, name, dict.fromkeys(formed.node, True))
    for name in formed.node:
        formed.verify(name).expect(0)


def wait_for_members(nodes: Nodes, name: str, wanted: dict[str, bool]) -> None:
    """Until the node is quorate and sees just these; the cluster takes a moment to notice."""
    seen = f'[ "$(grep -c \'"online": 1\' /etc/pve/.members)" -eq {sum(wanted.values())} ]'
    wait(nodes[name], f"grep -q '\"quorate\": 1' /etc/pve/.members && {seen}")
    assert members(nodes[name]) == wanted


@pytest.mark.parametrize("target", TARGETS)
def test_trust_by_keys_in_three_stages(target: str) -> None:
    """Each node makes its key and prints it, the keys go into the description, all is built anew and applied."""
    trust = '[ssh]\ntrust = "keys"'
    with Nodes(description(target, 2, tables=trust)) as nodes:
        refused = nodes.apply("pve1").expect(78)
        assert "the description has the keys of pve2" in str(refused.failures)
        printed = []
        for name in nodes.node:
            nodes.apply(name, "--only", "trust").expect(0)
            lines = nodes.call(name, "keys").expect(0).stdout
            assert lines.startswith(f"# [[node]] {name}\n")
            printed.append(lines)
        nodes.rebuild(description(target, printed, tables=trust))
        for name in nodes.node:
            nodes.apply(name).expect(0)
        nodes.agree()
        for name, box in nodes.node.items():
            nodes.verify(name).expect(0)
            assert nodes.apply(name).expect(0).changes == 0
            # No password was ever asked for, and no host key taken unseen.
            assert not [words for words in box.calls() if "StrictHostKeyChecking" in str(words)]


def test_the_script_makes_roots_key_where_there_is_none() -> None:
    with Nodes(description("alt-p8", 2), ["pve1"], key=False) as nodes:
        nodes.apply("pve1", "--only", "trust").expect(0)
        key = nodes["pve1"].tree("/root/.ssh")
        assert (key["/root/.ssh"].mode, key["/root/.ssh/id_rsa"].mode) == (0o700, 0o600)
        assert re.fullmatch(r"ssh-rsa \S+ root@pve1\n", nodes["pve1"].read("/root/.ssh/id_rsa.pub"))
        nodes["pve1"].run("ssh-keygen -y -P '' -f /root/.ssh/id_rsa").check()
        assert nodes.apply("pve1", "--only", "trust").expect(0).changes == 0


@pytest.mark.trap("K7")
def test_ids_and_votes_are_those_of_the_description() -> None:
    own = ["nodeid = 7", "nodeid = 3\nvotes = 2"]
    with Nodes(description("alt-p11", own)) as nodes:
        nodes.form()
        conf = nodes["pve1"].read("/etc/pve/corosync.conf")
        found = {n: (i, v) for n, i, v in re.findall(r"name: (\w+)\s+nodeid: (\d+)\s+quorum_votes: (\d+)", conf)}
        assert found == {"pve1": ("7", "1"), "pve2": ("3", "2")}, conf


def test_the_member_is_opened_only_by_admit() -> None:
    with Nodes(description("alt-p8", 2)) as nodes:
        nodes.apply("pve1").expect(0)
        nodes.prepare("pve2")
        done = nodes.apply("pve2", answers=ANSWERS)
        assert done.status == 1 and "does not get into pve1 by key" in done.stdout
        assert members(nodes["pve1"]) == {"pve1": True}
        nodes.join("pve2")
        nodes.agree()
