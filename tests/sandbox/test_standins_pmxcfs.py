"""corosync and pmxcfs: when they start, what /etc/pve allows, quorum."""

from collections.abc import Callable

import pytest

from .fixtures import HOSTS, MakeSandbox
from .harness import Sandbox
from .patience import LONGEST

pytestmark = pytest.mark.sandbox
Eventually = Callable[[Callable[[], bool]], None]
STUB = "/etc/corosync/corosync.conf"


@pytest.fixture(scope="module")
def node(make_shared: MakeSandbox) -> Sandbox:
    """A node of p8 with pve-cluster running and no cluster."""
    node = make_shared(files={"/etc/hosts": HOSTS})
    node.remove(STUB)
    node.run("systemctl start pve-cluster").check()
    return node


@pytest.mark.parametrize(
    "hosts",
    ["127.0.0.1 localhost\n", "127.0.0.1 localhost pve1\n10.0.0.251 pve1\n", "127.0.1.1 pve1\n"],
    ids=["no name", "loopback first", "127.0.1.1"],
)
def test_does_not_start_without_an_address_of_its_own(make_sandbox: MakeSandbox, hosts: str) -> None:
    node = make_sandbox(files={"/etc/hosts": hosts})
    assert node.run("systemctl start pve-cluster").status == 1
    assert node.run("systemctl is-active pve-cluster").stdout == "activating\n"
    assert "[main] crit: Unable to get local IP address" in node.run("journalctl -u pve-cluster").stdout


def test_newer_one_looks_at_every_answer(make_sandbox: MakeSandbox) -> None:
    files = {"/etc/hosts": "127.0.0.1 localhost pve1\n10.0.0.251 pve1\n"}
    node = make_sandbox("alt-p11", files=files, held=("pve-cluster", "pveproxy"))
    assert node.run("systemctl start pve-cluster").status == 0
    node.run("systemctl stop pve-cluster; echo 127.0.0.1 localhost pve1 > /etc/hosts").check()
    assert node.run("systemctl start pve-cluster").status == 1
    text = "Unable to resolve node name 'pve1' to a non-loopback IP address"
    assert text in node.run("journalctl -u pve-cluster").stdout


def test_packaged_stub_is_imported_at_the_first_start(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox(files={"/etc/hosts": HOSTS})
    node.run("systemctl start pve-cluster").check()
    assert node.exists("/etc/pve/corosync.conf")
    result = node.run("pvecm create mypve")
    assert (result.status, result.stderr) == (255, "cluster config '/etc/pve/corosync.conf' already exists\n")


def test_corosync_does_not_start_without_a_configuration(node: Sandbox) -> None:
    assert node.run("systemctl start corosync").status == 1


def test_local_mode_can_be_written(node: Sandbox) -> None:
    assert '"nodename": "pve1"' in node.read("/etc/pve/.members")
    assert "quorate" not in node.read("/etc/pve/.members")
    assert node.run("echo a > /etc/pve/a && echo b >> /etc/pve/a && cat /etc/pve/a").stdout == "a\nb\n"
    assert node.run("mv /etc/pve/a /etc/pve/b && rm /etc/pve/b && ls /etc/pve/b").status != 0


def test_own_directory_is_there(node: Sandbox) -> None:
    assert node.run("readlink /etc/pve/local").stdout == "nodes/pve1\n"
    assert node.run("ls /etc/pve/local/pve-ssl.pem /etc/pve/qemu-server").status == 0
    assert node.run("test -w /etc/pve/local && stat -c %a /etc/pve/local").stdout == "755\n"


def test_modes_are_made_up_and_links_refused(node: Sandbox) -> None:
    node.run("echo a > /etc/pve/m; echo a > /etc/pve/priv/m").check()
    assert node.run("stat -c '%a %U %G' /etc/pve/m /etc/pve/priv/m").stdout == (
        "640 root www-data\n600 root www-data\n"
    )
    assert "Operation not permitted" in node.run("chmod 644 /etc/pve/m").stderr
    assert node.run("chmod 640 /etc/pve/m").status == 0
    assert "Operation not permitted" in node.run("chown nobody /etc/pve/m").stderr
    assert "Function not implemented" in node.run("ln -s a /etc/pve/l").stderr


def test_file_that_is_too_large(node: Sandbox) -> None:
    assert "File too large" in node.run("head -c 600000 /dev/zero > /etc/pve/big").stderr


def test_directories(node: Sandbox) -> None:
    node.run("mkdir /etc/pve/d && echo x > /etc/pve/d/f && mv /etc/pve/d /etc/pve/e && cat /etc/pve/e/f").check()
    assert "Directory not empty" in node.run("rmdir /etc/pve/e").stderr
    assert node.run("rm -r /etc/pve/e && ls -d /etc/pve/e").status == 2


def test_database_is_sqlite_and_outlives_a_stop(node: Sandbox) -> None:
    node.run("echo kept > /etc/pve/kept").check()
    query = "select name from tree where name='kept'"
    assert node.run(f'sqlite3 /var/lib/pve-cluster/config.db "{query}"').stdout == "kept\n"
    node.run("systemctl stop pve-cluster").check()
    assert not node.exists("/etc/pve/kept")
    node.run("systemctl start pve-cluster").check()
    assert node.read("/etc/pve/kept") == "kept\n"


def test_writable_only_some_time_after_corosync_has_quorum(make_sandbox: MakeSandbox, eventually: Eventually) -> None:
    node = make_sandbox(files={"/etc/hosts": HOSTS}, settings={"quorum-delay": f"{2 * LONGEST}"})
    node.remove(STUB)
    node.run("systemctl start pve-cluster && pvecm create mypve").check()
    assert "Quorate:          Yes" in node.run("pvecm status").stdout
    assert '"quorate": 0' in node.read("/etc/pve/.members")
    assert "Permission denied" in node.run("echo x > /etc/pve/x").stderr
    assert node.run("stat -c %a /etc/pve/local").stdout == "555\n"
    eventually(lambda: '"quorate": 1' in node.read("/etc/pve/.members"))
    assert node.run("echo x > /etc/pve/x").status == 0


def test_pveproxy_answers(node: Sandbox) -> None:
    node.run("systemctl start pveproxy").check()
    curl = "curl -sk -o /dev/null -w '%{http_code}' https://127.0.0.1:8006"
    assert node.run(f"{curl}/").stdout == "200"
    assert node.run(f"{curl}/api2/json/version").stdout == "401"
    shown = node.run("openssl s_client -connect 127.0.0.1:8006 </dev/null 2>/dev/null | openssl x509 -noout -subject")
    assert "CN = pve1" in shown.stdout
