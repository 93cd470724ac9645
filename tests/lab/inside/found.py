"""The network as the kernel of a node has it, by `ip -j` and `bridge -j`."""

from __future__ import annotations

import json
from typing import Any

from sandbox import Sandbox

from .wanted import Links


def _asked(box: Sandbox, command: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(box.run(command).check().stdout or "[]")
    return found


def links(box: Sandbox) -> Links:
    """{interface: what is known of it}."""
    found = {}
    for link in _asked(box, "ip -j -d link show"):
        info = link.get("linkinfo", {})
        found[link["ifname"]] = {
            **info.get("info_data", {}),
            "kind": info.get("info_kind"),
            "parent": link.get("link"),
            "master": link.get("master"),
            "mtu": link["mtu"],
            "up": "UP" in link["flags"] and "LOWER_UP" in link["flags"],
        }
    return found


def differences(wanted: Links, found: Links) -> list[str]:
    """What is wanted and not so, a line each."""
    return [
        f"{name}: {key} is {found.get(name, {}).get(key)!r}, not {value!r}"
        for name, link in wanted.items()
        for key, value in link.items()
        if found.get(name, {}).get(key) != value
    ]


def addresses(box: Sandbox) -> dict[str, list[str]]:
    """{interface: its addresses} but for loopback and those that IPv6 makes by itself; IPv4 first."""
    found = {
        link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"]
        for link in _asked(box, "ip -j addr show")
        if link["ifname"] != "lo"
    }
    return {name: some for name, some in found.items() if some}


def default_routes(box: Sandbox) -> list[tuple[str, str]]:
    """(gateway, interface) of each default route."""
    return [(route["gateway"], route["dev"]) for route in _asked(box, "ip -j route show default")]


def vlans(box: Sandbox) -> dict[str, set[int]]:
    """{port or bridge: the VLANs that it lets through}."""
    return {
        port["ifname"]: {
            number for vlan in port["vlans"] for number in range(vlan["vlan"], vlan.get("vlanEnd", vlan["vlan"]) + 1)
        }
        for port in _asked(box, "bridge -j vlan show")
    }
