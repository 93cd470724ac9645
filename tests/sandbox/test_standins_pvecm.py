"""pvecm of PVE 4.4 (over ssh, honest exit statuses) and of 8.4 (over the API, 0 on nearly every failure)."""

from collections.abc import Callable

import pytest

from .fixtures import HOSTS, MakeSandbox
from .harness import Sandbox
from .machine import Result

pytestmark = pytest.mark.sandbox
MakeNodes = Callable[..., list[Sandbox]]
Eventually = Callable[[Callable[[], bool]], None]
STUB = "/etc/corosync/corosync.conf"
SUCCESS = "successfully added node 'pve2' to cluster."


def quorate(node: Sandbox, online: int = 1) -> bool:
    text = node.read("/etc/pve/.members") if node.exists("/etc/pve/.members") else ""
    return '"quorate": 1' in text and text.count('"online": 1') == online


def old_nodes(make_nodes: MakeNodes, count: int, **options: object) -> list[Sandbox]:
    nodes = make_nodes("alt-p8", count, root_password="secret", **options)
    for node in nodes:
        node.remove(STUB)
        node.run("systemctl start pve-cluster; systemctl enable pve-cluster corosync").check()
    return nodes


def ssh_add(node: Sandbox, host: str = "pve1") -> Result:
    return node.run(["pvecm", "add", host], answers={"yes/no": "yes", "password:": "secret"})


@pytest.fixture
def alone(make_sandbox: MakeSandbox) -> Sandbox:
    """A node of p8 without pve-cluster running."""
    node = make_sandbox(files={"/etc/hosts": HOSTS})
    node.remove(STUB)
    return node


# One node -----------------------------------------------------------------------------------------------------------


def test_needs_pve_cluster(alone: Sandbox) -> None:
    result = alone.run("pvecm create mypve")
    assert result.status == 111
    assert "ipcc_send_rec[1] failed: Connection refused" in result.stderr
    assert "Unable to load access control list: Connection refused" in result.stderr


@pytest.mark.parametrize("name", ["my_pve", "my.pve", "my pve", "", "abcdefghijklmnop", "-a"])
def test_names_that_are_refused(alone: Sandbox, name: str) -> None:
    assert alone.run(["pvecm", "create", name]).status == 255


def test_options_of_another_time_are_refused(alone: Sandbox, make_sandbox: MakeSandbox) -> None:
    assert "Unknown option: link0" in alone.run("pvecm create mypve --link0 10.0.0.251").stderr
    assert "Unknown option: use_ssh" in alone.run("pvecm add pve2 --use_ssh 1").stderr
    new = make_sandbox("alt-p11", held=("pve-cluster", "pveproxy"))
    assert "Unknown option: ring0_addr" in new.run("pvecm create mypve --ring0_addr 10.0.0.251").stderr
    assert "Unknown option: token-coefficient" in new.run("pvecm create mypve --token-coefficient 125").stderr
    new.setting("pve-cluster", "9.1.1")
    assert "Unknown option" not in new.run("pvecm create mypve --token-coefficient 125").stderr


@pytest.mark.parametrize(
    ("version", "option", "expected"),
    [("9.0.6", "", ""), ("9.1.0", "", "125"), ("9.1.0", " --token-coefficient 200", "200")],
)
def test_token_coefficient_of_a_new_cluster(
    make_sandbox: MakeSandbox, version: str, option: str, expected: str
) -> None:
    box = make_sandbox("alt-p11", files={"/etc/hosts": HOSTS}, settings={"pve-cluster": version})
    box.run(f"systemctl start pve-cluster && pvecm create mypve{option}").check()
    found = box.run("sed -n 's/^ *token_coefficient: //p' /etc/pve/corosync.conf").check().stdout
    assert found == (f"{expected}\n" if expected else "")


def test_create_leaves_what_the_real_one_leaves(alone: Sandbox, eventually: Eventually) -> None:
    alone.put("/root/.ssh/authorized_keys", "ssh-rsa AAAA admin\n", 0o600)
    alone.run("systemctl start pve-cluster && pvecm create mypve").check()
    eventually(lambda: quorate(alone))
    assert "permitrootlogin yes" in alone.run("sshd -T").stdout
    assert alone.run("readlink /root/.ssh/authorized_keys").stdout == "/etc/pve/priv/authorized_keys\n"
    assert "ssh-rsa AAAA admin\n" in alone.read("/root/.ssh/authorized_keys")
    assert alone.run("readlink /etc/openssh/ssh_known_hosts").stdout == "/etc/pve/priv/known_hosts\n"
    assert alone.read("/etc/corosync/corosync.conf") == alone.read("/etc/pve/corosync.conf")
    assert "ring0_addr: pve1\n" in alone.read("/etc/pve/corosync.conf")
    assert alone.run("pvecm status").status == 0
    result = alone.run("pvecm create mypve")
    assert (result.status, result.stderr) == (255, "cluster config '/etc/pve/corosync.conf' already exists\n")
    assert alone.run("pvecm status; systemctl stop corosync; pvecm status").status == 1


def test_status_outside_a_cluster(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox("alt-p11", files={"/etc/hosts": HOSTS}, held=("pveproxy",))
    result = node.run("pvecm status")
    assert result.status == 2
    assert "does not exist - is this node part of a cluster?" in result.stderr


def test_create_of_8_is_0_though_it_failed(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox("alt-p11", files={"/etc/hosts": HOSTS}, held=("pveproxy",))
    node.remove("/etc/openssh/ssh_host_rsa_key.pub")
    result = node.run("pvecm create mypve")
    assert result.status == 0
    assert "can't parse /etc/openssh/ssh_host_rsa_key.pub" in result.stderr
    assert not node.exists("/etc/pve/corosync.conf")


# 4.4: over ssh ------------------------------------------------------------------------------------------------------


def test_ssh_join_of_three_and_what_outlives_a_power_cut(make_nodes: MakeNodes, eventually: Eventually) -> None:
    one, two, three = old_nodes(make_nodes, 3)
    one.run("pvecm create mypve").check()
    eventually(lambda: quorate(one))
    assert SUCCESS in ssh_add(two).check().stdout
    eventually(lambda: quorate(one, 2) and quorate(two, 2))
    two.run("control sshd-permit-root-login yes; systemctl reload sshd").check()
    ssh_add(three, "pve2").check()  # through any member
    eventually(lambda: all(quorate(node, 3) for node in (one, two, three)))
    one.run("echo shared > /etc/pve/shared").check()
    eventually(lambda: three.run("cat /etc/pve/shared").stdout == "shared\n")
    assert three.run("ssh -o BatchMode=yes pve1 uname -n").stdout == "pve1\n"
    three.power_off()
    eventually(lambda: quorate(one, 2))
    three.boot()
    eventually(lambda: quorate(three, 3))


def test_ssh_join_is_honest(make_nodes: MakeNodes, eventually: Eventually) -> None:
    one, two = old_nodes(make_nodes, 2)
    result = two.run("pvecm add pve1")
    assert (result.status, result.stderr.splitlines()[-1]) == (1, "unable to copy ssh ID")
    one.run("control sshd-permit-root-login yes; systemctl reload sshd").check()
    result = ssh_add(two)
    assert result.status == 25
    assert "unable to add node: command failed (ssh pve1 -o BatchMode=yes pvecm addnode pve2" in result.stdout
    one.run("pvecm create mypve").check()
    eventually(lambda: quorate(one))
    ssh_add(two).check()
    result = two.run("pvecm add pve1")
    assert result.status == 17
    assert "* authentication key '/etc/corosync/authkey' already exists" in result.stderr


def test_half_done_add_and_the_way_out(make_nodes: MakeNodes, eventually: Eventually) -> None:
    one, two = old_nodes(make_nodes, 2)
    one.run("pvecm create mypve").check()
    eventually(lambda: quorate(one))
    two.fail("pvecm-add-copy")
    assert "can't rsync data from host 'pve1'" in ssh_add(two).stdout
    eventually(lambda: not quorate(one))
    assert one.run("pvecm status").status == 2
    two.fail("pvecm-add-copy", on=False)
    assert "cluster not ready - no quorum?" in ssh_add(two).stdout
    one.run("pvecm expected 1").check()
    eventually(lambda: quorate(one))
    shown = ssh_add(two).check().stdout
    assert "forcing overwrite of configured node 'pve2'" in shown
    assert SUCCESS in shown


def test_guests_are_in_the_way(make_nodes: MakeNodes) -> None:
    (node,) = old_nodes(make_nodes, 1)
    node.run("echo name: a > /etc/pve/qemu-server/100.conf").check()
    assert "* this host already contains virtual guests" in node.run("pvecm add 10.0.0.9").stderr


def test_first_4_0_stops_at_the_first_reason(make_nodes: MakeNodes) -> None:
    (node,) = old_nodes(make_nodes, 1, settings={"pve-cluster": "4.0-46"})
    node.put("/etc/corosync/authkey", "key")
    result = node.run("pvecm add 10.0.0.9")
    assert (result.status, result.stderr) == (17, "authentication key already exists\n")
    assert "permitrootlogin yes" in node.run("sshd -T").stdout


# 8.4: over the API --------------------------------------------------------------------------------------------------


@pytest.fixture
def two_new(make_nodes: MakeNodes, eventually: Eventually) -> list[Sandbox]:
    """Two nodes of p11, the first of which is a cluster."""
    nodes = make_nodes("alt-p11", 2, root_password="secret")
    nodes[0].run("pvecm create mypve").check()
    eventually(lambda: quorate(nodes[0]))
    return nodes


def fingerprint(node: Sandbox) -> str:
    words = "openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256"
    return node.run(words).check().stdout.partition("=")[2].strip()


def test_api_join_with_the_password_on_standard_input(two_new: list[Sandbox], eventually: Eventually) -> None:
    one, two = two_new
    command = f"pvecm add 10.0.0.251 --fingerprint {fingerprint(one)} --link0 10.0.0.252"
    shown = two.run(command, stdin="secret\n").check().stdout
    for text in (
        "Please enter superuser (root) password for '10.0.0.251':",
        "Establishing API connection with host '10.0.0.251'",
        "Login succeeded.",
        "Join request OK, finishing setup locally",
        "waiting for quorum...OK",
        SUCCESS,
    ):
        assert text in shown
    eventually(lambda: quorate(one, 2) and quorate(two, 2))
    assert one.run("pvecm delnode pve1").status == 255
    assert one.run("pvecm delnode nosuch").status == 255
    two.power_off()
    eventually(lambda: '"quorate": 0' in one.read("/etc/pve/.members"))
    one.run("pvecm expected 1").check()
    eventually(lambda: quorate(one))
    result = one.run("pvecm delnode pve2")
    assert result.status == 1
    assert "CS_ERR_NOT_EXIST" in result.stderr
    eventually(lambda: "pve2" not in one.read("/etc/pve/.members"))


def test_api_join_asks_on_a_terminal(two_new: list[Sandbox]) -> None:
    shown = two_new[1].run("pvecm add 10.0.0.251", answers={"password": "secret", "(yes/no)?": "yes"}).stdout
    assert "The authenticity of host '10.0.0.251' can't be established." in shown
    assert SUCCESS in shown


def test_api_join_is_0_on_every_failure(two_new: list[Sandbox]) -> None:
    one, two = two_new
    known = f"--fingerprint {fingerprint(one)}"
    for command, typed, text in (
        ("pvecm add 10.0.0.251", None, "EOF while reading password"),
        (f"pvecm add 10.0.0.251 {known}", "wrong\n", "401 authentication failure"),
        ("pvecm add 10.0.0.9", "secret\n", "500 Can't connect to 10.0.0.9:8006"),
        (
            f"pvecm add 10.0.0.251 {known} --link0 10.0.0.77",
            "secret\n",
            "* link0: cannot use IP '10.0.0.77', not found",
        ),
        ("pvecm add 10.0.0.251 --fingerprint " + ":".join(["00"] * 32), "secret\n", "certificate verify failed"),
    ):
        result = two.run(command, stdin=typed)
        assert (result.status, text in result.stderr) == (0, True), (command, result)
    assert not two.exists("/etc/pve/corosync.conf")


def test_add_below_etc_pve_is_refused(two_new: list[Sandbox]) -> None:
    result = two_new[1].run("pvecm add 10.0.0.251", stdin="secret\n", cwd="/etc/pve")
    assert result.status != 0
    assert "Navigate out of /etc/pve before running 'pvecm add'" in result.stderr


def test_add_that_waits_for_ever(two_new: list[Sandbox]) -> None:
    one, two = two_new
    two.fail("pvecm-hang")
    two.put("/run/typed", "secret\n")
    add = f"pvecm add 10.0.0.251 --fingerprint {fingerprint(one)} </run/typed >/run/shown 2>&1"
    there = 'grep -q "waiting for quorum" /run/shown || ! kill -0 $pid'
    watch = f"{add} & pid=$!; until {there}; do sleep 0.1; done; sleep 2; kill $pid; wait $pid"
    assert two.run(watch).status == 143
    assert two.read("/run/shown").endswith("waiting for quorum...")
    assert "already exists" in two.run("pvecm add 10.0.0.251", stdin="secret\n").stderr
