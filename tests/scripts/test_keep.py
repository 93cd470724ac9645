"""address = "keep": what the NIC has now becomes the bridge's, as the wiki's `mv eth0/* vmbr0/` has it."""

from __future__ import annotations

import pytest
from sandbox import Sandbox

from . import support
from .nodes import Nodes, description, trash
from .test_network import addresses, bridge, default_routes

pytestmark = pytest.mark.sandbox

KEEP = 'address = "keep"\nhosts_address = "10.0.0.251"'
DHCP = {
    "/etc/net/ifaces/eth0/options": (
        "BOOTPROTO=dhcp\nTYPE=eth\nCONFIG_WIRELESS=no\nCONFIG_IPV4=yes\nDISABLED=no\nNM_CONTROLLED=no\nONBOOT=yes\n"
    )
}
INTERFACES = """\
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
	address 10.0.0.251/24
	gateway 10.0.0.1
	dns-nameservers 10.0.0.1
	# by the admin
	up ip route add 10.66.0.0/16 via 10.0.0.1
	mtu 1500

iface eth1 inet manual

source /etc/network/interfaces.d/*
"""


def kept(target: str, **options: object) -> Nodes:
    text = description(target, [KEEP])
    return Nodes(text, ["pve1"], key=False, nics={"eth0": ["10.0.0.251/24"], "eth1": []}, **options)


def test_etcnet_static_moves_as_mv_does() -> None:
    with kept("alt-p8") as nodes:
        box = nodes["pve1"]
        old = {name: box.read(f"/etc/net/ifaces/eth0/{name}") for name in ("ipv4address", "ipv4route", "resolv.conf")}
        bridge(nodes).expect(0)
        for name, text in old.items():
            assert box.read(f"/etc/net/ifaces/vmbr0/{name}") == text
            assert not box.exists(f"/etc/net/ifaces/eth0/{name}")
        assert "BOOTPROTO=static" in box.read("/etc/net/ifaces/vmbr0/options")
        state(box)
        assert bridge(nodes).expect(0).changes == 0
        box.reboot()
        state(box)
        bridge(nodes, "verify").expect(0)
        assert trash(box) == []


def state(box: Sandbox) -> None:
    assert addresses(box)["vmbr0"] == ["10.0.0.251/24"] and addresses(box)["eth0"] == []
    assert default_routes(box) == [("10.0.0.1", "vmbr0")]


@pytest.mark.trap("N4")
def test_etcnet_dhcp_is_got_by_the_bridge_and_not_by_the_port() -> None:
    with kept("alt-p8", files=DHCP) as nodes:
        box = nodes["pve1"]
        for name in ("ipv4address", "ipv4route"):
            box.remove(f"/etc/net/ifaces/eth0/{name}")
        shown = bridge(nodes, "check")
        assert shown.status == 2, str(shown)
        made = shown.tap.find("/etc/net/ifaces/vmbr0/options").yaml["diff"]
        assert "+BOOTPROTO=dhcp" in made and "+TYPE=bri" in made
        port = shown.tap.find("/etc/net/ifaces/eth0/options").yaml["diff"]
        assert "-BOOTPROTO=dhcp" in port and "+BOOTPROTO=static" in port


def test_etcnet_of_an_unknown_method_is_refused() -> None:
    odd = {path: text.replace("dhcp", "bootp") for path, text in DHCP.items()}
    with kept("alt-p8", files=odd) as nodes:
        refused = bridge(nodes).expect(78)
        assert "gets the address that is to be kept cannot be told" in str(refused.failures)


def test_ifupdown2_takes_over_the_stanza_of_the_nic() -> None:
    with kept("alt-p11", files={"/etc/network/interfaces": INTERFACES}) as nodes:
        box = nodes["pve1"]
        assert addresses(box)["eth0"] == ["10.0.0.251/24"]
        bridge(nodes).expect(0)
        text = box.read("/etc/network/interfaces")
        bridged = text.partition("auto vmbr0\n")[2].partition("\n# END")[0]
        assert "iface vmbr0 inet static\n" in bridged and "\taddress 10.0.0.251/24\n\tgateway 10.0.0.1\n" in bridged
        assert "\tup ip route add 10.66.0.0/16 via 10.0.0.1" in bridged and "bridge-ports eth0" in bridged
        assert "iface eth1 inet manual\n" in text and text.count("iface eth0 inet manual") == 1
        state(box)
        again = box.read("/etc/network/interfaces")
        assert bridge(nodes).expect(0).changes == 0
        assert box.read("/etc/network/interfaces") == again
        box.reboot()
        state(box)
        bridge(nodes, "verify").expect(0)


def test_ifupdown2_keeps_the_bridge_that_the_installer_made() -> None:
    with kept("alt-p11") as nodes:
        box = nodes["pve1"]
        before = box.read("/etc/network/interfaces")
        bridge(nodes).expect(0)
        text = box.read("/etc/network/interfaces")
        assert [line for line in before.splitlines() if "address" in line or "gateway" in line or "dns" in line] == [
            line for line in text.splitlines() if "address" in line or "gateway" in line or "dns" in line
        ]
        state(box)
        assert bridge(nodes).expect(0).changes == 0
        box.reboot()
        state(box)


def test_ifupdown2_with_nothing_to_keep_is_refused() -> None:
    bare = {"/etc/network/interfaces": "auto lo\niface lo inet loopback\n\niface eth0 inet manual\n"}
    with kept("alt-p11", files=bare) as nodes:
        before = support.picture(nodes["pve1"], skip=[support.LOG])
        bridge(nodes).expect(78)
        assert support.untouched(before, support.picture(nodes["pve1"], skip=[support.LOG])) == []


@pytest.mark.trap("N6")
@pytest.mark.parametrize("target", ["alt-p8", "alt-p11"])
def test_killed_half_way_the_address_is_not_lost(target: str) -> None:
    """At each command where the run may die, the next run ends with the address on the bridge."""
    files = {"/etc/network/interfaces": INTERFACES} if target == "alt-p11" else {}
    for n in range(12, 400, 9):
        with kept(target, files=files) as nodes:
            box = nodes["pve1"]
            words = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject=clone,fork,vfork:signal=KILL:when={n}"]
            done = box.run([*words, "dash", "/root/pve1.sh", "apply", "--only", "bridge"])
            if done.status == 0:
                break
            support.until_free(box)
            bridge(nodes).expect(0)
            state(box)
            assert trash(box) == [], n
    else:
        pytest.fail("the run never came to its end")


# Names by DNS --------------------------------------------------------------------------------------------------------

DNS = 'names = "dns"'
ZONE = "10.0.0.251 pve1.example.org pve1\n10.0.0.252 pve2.example.org pve2\n"


def resolver(zone: str) -> str:
    """A getent that answers out of a zone, as a name server would."""
    return f"""#!/bin/sh
zone='{zone}'
[ "$1" = ahosts ] || [ "$1" = hosts ] || exec /usr/bin/getent "$@"
printf '%s' "$zone" | awk -v how="$1" -v word="$2" '
    {{ for (i = 1; i <= NF; i++) if ($i == word) {{ found = 1; print how == "ahosts" ? $1 " STREAM " $2 : $0 }} }}
    END {{ exit !found * 2 }}'
"""


@pytest.mark.parametrize("target", ["alt-p8", "alt-p11"])
def test_names_by_dns_change_nothing_and_are_proved(target: str) -> None:
    with Nodes(description(target, 2, cluster=DNS), ["pve1"], key=False) as nodes:
        box = nodes["pve1"]
        hosts = box.read("/etc/hosts")
        stopped = nodes.call("pve1", "apply", "--only", "names").expect(1)
        assert stopped.failures[0].startswith("pve1 is 10.0.0.251")
        box.put("/usr/sbin/getent", resolver(ZONE), 0o755)
        nodes.call("pve1", "apply", "--only", "bridge").expect(0)
        assert nodes.call("pve1", "apply", "--only", "names").expect(0).changes == 0
        assert box.read("/etc/hosts") == hosts
        box.put("/usr/sbin/getent", resolver(ZONE.replace("252", "99")), 0o755)
        assert "pve2 is 10.0.0.252" in nodes.call("pve1", "verify", "--only", "names").failures
