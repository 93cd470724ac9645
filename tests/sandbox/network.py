"""The network configuration of a fresh installation, in the files of whoever owns the network there."""

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .harness import Sandbox


def files(node: "Sandbox") -> dict[str, str]:
    """{path: text} of the configuration of NODE's interfaces."""
    return {"etcnet": _etcnet, "ifupdown2": _interfaces, "ifupdown": _interfaces}[node.system.network](node)


def _etcnet(node: "Sandbox") -> dict[str, str]:
    """As the installer writes it (facts: "Wiki's bridge": ipv4address, ipv4route, resolv.conf beside options)."""
    found: dict[str, str] = {}
    route = node.gateway
    for nic, addresses in node.nics.items():
        folder = f"/etc/net/ifaces/{nic}"
        ipv6 = any(":" in address for address in addresses)
        found[f"{folder}/options"] = (
            f"BOOTPROTO=static\nTYPE=eth\nCONFIG_WIRELESS=no\nCONFIG_IPV4=yes\nCONFIG_IPV6={'yes' if ipv6 else 'no'}\n"
            "DISABLED=no\nNM_CONTROLLED=no\nSYSTEMD_CONTROLLED=no\nONBOOT=yes\n"
        )
        for version in (4, 6):
            mine = [a for a in addresses if ipaddress.ip_interface(a).version == version]
            if mine:
                found[f"{folder}/ipv{version}address"] = "".join(f"{address}\n" for address in mine)
            if mine and route and ipaddress.ip_address(route).version == version:
                found[f"{folder}/ipv{version}route"] = f"default via {route}\n"
                found[f"{folder}/resolv.conf"] = f"search localdomain\nnameserver {route}\n"
                route = None
    return found


def _interfaces(node: "Sandbox") -> dict[str, str]:
    """As the installers write it (facts: "p11 default file after installation"; that of Proxmox VE is much the same).

    Classic ifupdown has the address and its netmask apart, and bridge-utils' words with "_"; name servers are only
    for resolvconf.
    """
    lines = ["auto lo", "iface lo inet loopback", ""]
    route = node.gateway
    classic = node.system.network == "ifupdown"
    for number, (nic, addresses) in enumerate(node.nics.items()):
        lines += [f"iface {nic} inet manual", ""]
        if not addresses:
            continue
        lines += [f"auto vmbr{number}", f"iface vmbr{number} inet static"]
        for address in addresses:
            plain = ipaddress.ip_interface(address)
            lines += [f"\taddress {plain.ip}", f"\tnetmask {plain.netmask}"] if classic else [f"\taddress {address}"]
        if route:
            lines += [f"\tgateway {route}"]
        mark = "_" if classic else "-"
        lines += [f"\tbridge{mark}ports {nic}", f"\tbridge{mark}stp off", f"\tbridge{mark}fd 0"]
        if route and "resolvconf" in node.system.standins:
            lines += [f"\tdns-nameservers {route}", "\tdns-search localdomain"]
        route = None
        lines += [""]
    lines += [] if classic else ["source /etc/network/interfaces.d/*", ""]
    return {"/etc/network/interfaces": "\n".join(lines)}


def booted_script(node: "Sandbox") -> str:
    """A shell script that does what ifupdown2 does at a boot with the configuration above."""
    kernel = "/proc/sys/net"
    before, after, commands = [], [], ["link set lo up"]
    route = node.gateway
    for number, (nic, addresses) in enumerate(node.nics.items()):
        if not addresses:
            continue
        bridge = f"vmbr{number}"
        commands += [f"link add {bridge} type bridge forward_delay 0 stp_state 0", f"link set {nic} master {bridge} up"]
        commands += [f"link set {bridge} up", *(f"address add {address} dev {bridge}" for address in addresses)]
        if route:
            commands += [f"route add default via {route} proto kernel dev {bridge} onlink"]
        route = None
        before += [f"echo 1 > {kernel}/ipv6/conf/{nic}/disable_ipv6"]
        after += [f"echo 1 > {kernel}/ipv{version}/conf/{bridge}/forwarding" for version in (4, 6)]
    return "\n".join([*before, "ip -batch - <<END || exit", *commands, "END", *after, ""])
