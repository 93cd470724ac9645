"""Debian's own ifupdown2 in a node of p11, and the boot that the sandbox does in its place."""

import pytest

from .fixtures import MakeSandbox
from .harness import Sandbox

pytestmark = pytest.mark.sandbox
HELD = ("pve-cluster", "pveproxy")
LOOK = "ip -br address; ip route; ip -6 route; sysctl -a 2>/dev/null | grep -E 'net.ipv[46].conf.*(disable|forwarding)'"


def test_ready_made_boot_is_as_the_real_one(make_sandbox: MakeSandbox) -> None:
    quick = make_sandbox("alt-p11", held=HELD)
    real = make_sandbox("alt-p11", held=HELD, real_network=True)
    assert quick.run(LOOK).stdout == real.run(LOOK).stdout
    state = "/var/tmp/network/ifstatenew"
    assert quick.root.read(state) == real.root.read(state)


def test_ifreload_moves_the_address_to_another_bridge(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox("alt-p11", held=HELD)
    node.run("sed -i s/vmbr0/vmbr7/ /etc/network/interfaces; ifreload -a").check()
    assert "10.0.0.251/24" in node.run("ip -br address show vmbr7").stdout
    assert not node.exists("/sys/class/net/vmbr0")
    assert node.run("ping -c 1 -W 5 10.0.0.1").status == 0


def test_mistake_is_reported(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox("alt-p11", held=HELD)
    node.run("echo 'iface broken inet nonsense' >> /etc/network/interfaces").check()
    assert node.run("ifreload -a").stderr != ""


def test_name_servers_go_through_resolvconf(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox("alt-p11", held=HELD)
    node.run("sed -i 's/dns-nameservers .*/dns-nameservers 10.0.0.53/' /etc/network/interfaces; ifreload -a").check()
    assert "nameserver 10.0.0.53" in node.read("/etc/resolv.conf")


def test_reboot_sets_up_the_same(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox("alt-p11", held=("pve-cluster", "pveproxy"))
    node.power_cut()
    assert "10.0.0.251/24" in node.run("ip -br address show vmbr0").stdout


def test_etcnet_is_not_there(make_sandbox: MakeSandbox) -> None:
    node: Sandbox = make_sandbox("alt-p11", held=HELD)
    assert not node.exists("/etc/net")
    assert node.run("systemctl show network -p LoadState --value").stdout == "not-found\n"
