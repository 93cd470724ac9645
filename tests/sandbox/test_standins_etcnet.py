"""The etcnet stand-in: bridges, profiles, and the traps."""

import pytest

from .fixtures import MakeSandbox
from .harness import Sandbox

pytestmark = pytest.mark.sandbox
IFACES = "/etc/net/ifaces"
BRIDGE = {"options": "TYPE=bri\nHOST='eth0'\nBOOTPROTO=static\n", "brctl": "stp AUTO off\nsetfd AUTO 0\n"}
MOVE = f"mkdir -p {IFACES}/vmbr0; cd {IFACES} && mv eth0/ipv4address eth0/ipv4route eth0/resolv.conf vmbr0/"


def bridge(node: Sandbox, **files: str) -> None:
    for name, text in {**BRIDGE, **files}.items():
        node.put(f"{IFACES}/vmbr0/{name}", text)


def addresses(node: Sandbox, nic: str) -> list[str]:
    words = node.run(f"ip -4 -br address show {nic} 2>/dev/null").stdout.split()
    return words[2:]


def reaches_gateway(node: Sandbox) -> bool:
    return node.run("ping -c 1 -W 5 10.0.0.1").status == 0


def test_fresh_node_has_its_address_route_and_name_server(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    assert addresses(node, "eth0") == ["10.0.0.251/24"]
    assert node.run("ip route show default").stdout.startswith("default via 10.0.0.1 dev eth0")
    assert "brd 10.0.0.255" in node.run("ip address show eth0").stdout
    assert reaches_gateway(node)


def test_bridge_after_a_restart_and_after_a_power_cut(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run(MOVE).check()
    bridge(node)
    node.run("systemctl restart network").check()
    for _ in range(2):
        assert (addresses(node, "vmbr0"), addresses(node, "eth0")) == (["10.0.0.251/24"], [])
        assert reaches_gateway(node)
        node.power_cut()


def test_bridge_takes_the_port_s_hardware_address_and_has_no_broadcast(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run(MOVE).check()
    bridge(node)
    node.run("systemctl restart network").check()
    assert node.read("/sys/class/net/vmbr0/address") == node.read("/sys/class/net/eth0/address")
    assert "brd 10.0.0.255" not in node.run("ip address show vmbr0").stdout


@pytest.mark.parametrize(
    ("text", "delay"), [("setfd AUTO 0\n", "0"), ("setfd\tAUTO 0\n", "1500"), ("", "1500")],
    ids=["blanks", "tab", "no file"],
)  # fmt: skip
def test_forward_delay(make_sandbox: MakeSandbox, text: str, delay: str) -> None:
    node = make_sandbox()
    bridge(node, brctl=text)
    node.run("ifup vmbr0").check()
    assert node.read("/sys/class/net/vmbr0/bridge/forward_delay").strip() == delay


def test_address_left_on_the_port_cuts_the_node_off(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    bridge(node, ipv4address="10.0.0.251/24\n", ipv4route="default via 10.0.0.1\n")
    assert node.run("systemctl restart network").status == 0
    assert addresses(node, "eth0") == addresses(node, "vmbr0") == ["10.0.0.251/24"]
    assert node.run("ip route show default").stdout.count("default") == 2
    assert not reaches_gateway(node)


def test_missing_host_is_no_bridge_and_rc_0(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run(MOVE).check()
    bridge(node, options="TYPE=bri\nHOST='eth7'\nBOOTPROTO=static\n")
    assert node.run("systemctl restart network && systemctl is-active network").stdout == "active\n"
    assert not node.exists("/sys/class/net/vmbr0")


def test_host_that_is_down_without_a_directory_is_no_bridge(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run(f"{MOVE}; rm -r {IFACES}/eth0; ip link set eth0 down").check()
    bridge(node)
    assert node.run("systemctl restart network").status == 0
    assert not node.exists("/sys/class/net/vmbr0")


def test_ifup_of_what_is_up_is_2_and_silent(make_sandbox: MakeSandbox) -> None:
    result = make_sandbox().run("ifup eth0")
    assert (result.status, result.stdout, result.stderr) == (2, "", "")


def test_ifdown_of_the_port_takes_the_bridge_first_and_of_the_bridge_leaves_the_port(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    bridge(node)
    node.run("ifup vmbr0; ifdown vmbr0").check()
    assert not node.exists("/sys/class/net/vmbr0")
    assert "UP" in node.run("ip -br link show eth0").stdout
    node.run("ifup vmbr0; ifdown eth0").check()
    assert not node.exists("/sys/class/net/vmbr0")


def test_type_is_guessed_from_the_name_only_where_it_is_one(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.put(f"{IFACES}/vmbr0/options", "HOST=eth0\n")
    assert "No TYPE is specified for iface vmbr0" in node.run("ifup vmbr0").stderr


def test_bare_address_as_a_route_is_a_host_route(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.put(f"{IFACES}/eth0/ipv4route", "10.0.0.77\n")
    node.run("systemctl restart network").check()
    assert node.run("ip route show default").stdout == ""
    assert "10.0.0.77 dev eth0" in node.run("ip route").stdout


def test_ipv6_needs_its_option(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.put(f"{IFACES}/eth0/ipv6address", "fd00::1/64\n")
    node.run("systemctl restart network").check()
    assert "fd00::1" not in node.run("ip address show eth0").stdout
    node.run(f"sed -i s/CONFIG_IPV6=no/CONFIG_IPV6=yes/ {IFACES}/eth0/options; systemctl restart network").check()
    assert "fd00::1/64" in node.run("ip address show eth0").stdout


def test_mtu_of_the_port(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.put(f"{IFACES}/eth0/iplink", "mtu 1400\n")
    node.run("systemctl restart network").check()
    assert node.read("/sys/class/net/eth0/mtu") == "1400\n"


def test_resolv_conf_is_replaced(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.put(f"{IFACES}/eth0/resolv.conf", "nameserver 10.0.0.53\n")
    node.run("systemctl restart network").check()
    assert node.read("/etc/resolv.conf") == "nameserver 10.0.0.53\n"


def test_forwarding_is_off_after_each_start(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run("echo 1 > /proc/sys/net/ipv4/ip_forward; systemctl restart network").check()
    assert node.run("cat /proc/sys/net/ipv4/ip_forward").stdout == "0\n"


def test_dhcp_is_an_interface_without_an_address(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run(f"sed -i s/BOOTPROTO=static/BOOTPROTO=dhcp/ {IFACES}/eth0/options; systemctl restart network").check()
    assert addresses(node, "eth0") == []
    assert "there is no DHCP" in node.read("/run/standin/etcnet")


def test_files_put_back_while_the_bridge_is_up_leave_two_owners(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.run(f"cp -r {IFACES} /root/before; {MOVE}").check()
    bridge(node)
    node.run("systemctl restart network").check()
    node.run(f"rm -r {IFACES}; cp -r /root/before {IFACES}; systemctl restart network").check()
    assert addresses(node, "eth0") == addresses(node, "vmbr0") == ["10.0.0.251/24"]


@pytest.fixture
def profiled(make_sandbox: MakeSandbox) -> Sandbox:
    """A node with the bridge as a profile "new" beside the default files."""
    node = make_sandbox()
    for name, text in {**BRIDGE, "ipv4address": "10.0.0.251/24\n", "ipv4route": "default via 10.0.0.1\n"}.items():
        node.put(f"{IFACES}/vmbr0/{name}#new", text)
    for name in ("ipv4address", "ipv4route", "resolv.conf"):
        node.put(f"{IFACES}/eth0/{name}#new", "# on vmbr0\n")
    return node


def test_profile_changes_nothing_in_the_default_one(profiled: Sandbox) -> None:
    profiled.run("systemctl restart network").check()
    assert (addresses(profiled, "eth0"), addresses(profiled, "vmbr0")) == (["10.0.0.251/24"], [])


def test_switchto_tries_and_writes_nothing(profiled: Sandbox) -> None:
    before = profiled.changes()
    profiled.run("/etc/init.d/network switchto new").check()
    assert (addresses(profiled, "eth0"), addresses(profiled, "vmbr0")) == ([], ["10.0.0.251/24"])
    assert reaches_gateway(profiled)
    assert profiled.changes() == before
    profiled.power_cut()
    assert addresses(profiled, "eth0") == ["10.0.0.251/24"]


def test_stopwith_and_start_go_back(profiled: Sandbox) -> None:
    profiled.run(
        "/etc/init.d/network switchto new; /etc/init.d/network stopwith new; /etc/init.d/network start"
    ).check()
    assert (addresses(profiled, "eth0"), addresses(profiled, "vmbr0")) == (["10.0.0.251/24"], [])
    assert reaches_gateway(profiled)


def test_switchfrom_does_not_go_back(profiled: Sandbox) -> None:
    profiled.run("/etc/init.d/network switchto new; /etc/init.d/network switchfrom new").check()
    assert addresses(profiled, "vmbr0") == ["10.0.0.251/24"]


def test_switchto_default_leaves_two_owners(profiled: Sandbox) -> None:
    profiled.run("/etc/init.d/network switchto new; /etc/init.d/network switchto default").check()
    assert addresses(profiled, "eth0") == addresses(profiled, "vmbr0") == ["10.0.0.251/24"]


def test_saved_profile_is_kept(profiled: Sandbox) -> None:
    profiled.put("/etc/net/profile", "new\n")
    profiled.power_cut()
    assert (addresses(profiled, "eth0"), addresses(profiled, "vmbr0")) == ([], ["10.0.0.251/24"])


def test_empty_override_falls_through(profiled: Sandbox) -> None:
    profiled.put(f"{IFACES}/eth0/ipv4address#new", "")
    profiled.run("/etc/init.d/network switchto new").check()
    assert addresses(profiled, "eth0") == ["10.0.0.251/24"]


def test_bond_passes_frames(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox(nics={"eth0": ["10.0.0.251/24"], "eth1": []})
    node.run(f"mv {IFACES}/eth1 {IFACES}/bond0; rm -f {IFACES}/bond0/*; cd {IFACES} && mv eth0/ipv4* bond0/").check()
    node.put(f"{IFACES}/bond0/options", "TYPE=bond\nHOST='eth0'\nBONDMODE=1\nBOOTPROTO=static\n")
    assert "BONDOPTIONS must be set" in node.run("ifup bond0").stderr
    node.put(f"{IFACES}/bond0/options", "TYPE=bond\nHOST='eth0'\nBONDMODE=1\nBONDOPTIONS='miimon=100'\n")
    node.run("systemctl restart network").check()
    assert addresses(node, "bond0") == ["10.0.0.251/24"]
    assert reaches_gateway(node)


def test_vlan_exists(make_sandbox: MakeSandbox) -> None:
    node = make_sandbox()
    node.put(f"{IFACES}/vlan10/options", "TYPE=vlan\nHOST=eth0\nVID=10\n")
    node.put(f"{IFACES}/vlan10/ipv4address", "10.0.10.1/24\n")
    node.run("ifup vlan10").check()
    assert addresses(node, "vlan10") == ["10.0.10.1/24"]
