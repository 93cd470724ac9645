"""A description of one node is a local installation: no step of a cluster, and nothing of ssh is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox import Sandbox

from . import support
from .nodes import address, grouped, root_key, trash

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module", params=grouped("local"))
def local(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The node after its first apply."""
    text = support.ONE.format(target=request.param)
    with Sandbox(request.param, "pve1") as box:
        box.put("/root/pve1.sh", support.build(text)["pve1"])
        support.apply(box).expect(0)
        yield box


def test_there_are_no_steps_of_a_cluster(local: Sandbox) -> None:
    listed = support.run(local, "steps", tap=False).expect(0).stdout.split("\n")
    names = {line.split()[0] for line in listed if line}
    assert not names & {"ssh", "trust", "create", "join", "root-login"}
    assert {"host", "time", "bridge", "names", "services", "manager"} <= names


@pytest.mark.parametrize("call", ["keys", "admit", "close"])
def test_calls_of_a_cluster_are_not_known(local: Sandbox, call: str) -> None:
    assert support.run(local, call, tap=False).status == 64


def test_verify_is_content_and_the_web_interface_answers(local: Sandbox) -> None:
    seen = support.verify(local).expect(0)
    assert seen.tap.find("the API answers on https://10.0.0.251:8006").ok
    words = "printf 'GET /api2/json/version HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect 10.0.0.251:8006"
    assert local.run(words).stdout.startswith("HTTP/1.")


def test_nothing_of_ssh_and_of_the_cluster_is_touched(local: Sandbox) -> None:
    ours = [p for p in local.changes() if p.startswith(("/etc/openssh", "/root/.ssh", "/etc/ssh", "/var/lib/corosync"))]
    assert ours == []
    assert {words[1] for words in local.calls("pvecm")} <= {"updatecerts"}
    assert not local.exists("/etc/pve/corosync.conf")
    assert [words for words in support.unit_calls(local) if "sshd" in str(words)] == []


def test_a_second_apply_changes_nothing(local: Sandbox) -> None:
    before = support.picture(local, skip=[support.LOG])
    local.forget_calls()
    assert support.apply(local).expect(0).changes == 0
    assert support.unit_calls(local) == []
    assert support.untouched(before, support.picture(local, skip=[support.LOG])) == []
    assert trash(local) == []


def test_it_comes_back_from_a_reboot(local: Sandbox) -> None:
    local.reboot()
    support.verify(local).expect(0)
    assert support.apply(local).expect(0).changes == 0


def test_a_local_node_can_become_the_first_of_a_cluster(local: Sandbox) -> None:
    """The same node described with a second one: what is missing is added, what is there stays."""
    system = "alt-p11" if local.system.network == "ifupdown2" else "alt-p8"
    table = f'\n[[node]]\nname = "pve2"\naddress = "{address(2)}/24"\nnic = "eth0"\n'
    private, public = root_key("pve1")
    local.put("/root/.ssh/id_rsa", private, 0o600)
    local.put("/root/.ssh/id_rsa.pub", public)
    local.put("/root/pve1.sh", support.build(support.ONE.format(target=system) + table)["pve1"])
    support.apply(local).expect(0)
    support.verify(local).expect(0)
    assert '"alone"' in local.read("/etc/pve/.members")
