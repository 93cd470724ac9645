"""The network as the kernel of a node has it, by `ip -j` and `bridge -j`."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from sandbox import Sandbox

from lab.waiting import until

from . import wanted
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


def ports(box: Sandbox) -> dict[str, str]:
    """{port: its bridge} of those over which frames pass."""
    found = _asked(box, "bridge -j link show")
    return {port["ifname"]: port["master"] for port in found if port["state"] == "forwarding"}


def routes(box: Sandbox) -> set[tuple[str, str, str | None]]:
    """(destination, interface, gateway) of each route but those that IPv6 makes by itself; default4 is 0.0.0.0/0."""
    found: set[tuple[str, str, str | None]] = set()
    for family in (4, 6):
        for route in _asked(box, f"ip -{family} -j route show"):
            to = route["dst"]
            if not to.startswith(("fe80:", "ff00:")):
                found.add((f"default{family}" if to == "default" else to, route["dev"], route.get("gateway")))
    return found


def vlans(box: Sandbox) -> dict[str, set[int]]:
    """{port or bridge: the VLANs that it lets through}."""
    return {
        port["ifname"]: {
            number for vlan in port["vlans"] for number in range(vlan["vlan"], vlan.get("vlanEnd", vlan["vlan"]) + 1)
        }
        for port in _asked(box, "bridge -j vlan show")
    }


def not_as_described(box: Sandbox, text: str, name: str) -> list[str]:
    """Where the kernel's network is not what the description TEXT states of the node NAME, a line each."""
    wrong = differences(wanted.links(text, name), links(box))
    for what, now, meant in (
        ("addresses", addresses(box), wanted.addresses(text, name)),
        ("routes", routes(box), wanted.routes(text, name)),
        ("ports", ports(box), wanted.ports(text, name)),
    ):
        wrong += [f"{what} are {now}, not {meant}"] if now != meant else []
    aware = wanted.vlans(text, name)
    if aware:
        through = {port: some for port, some in vlans(box).items() if port in aware}
        wrong += [f"VLANs are {through}, not {aware}"] if through != aware else []
    return wrong


def _carries(box: Sandbox, text: str, name: str) -> bool:
    """Whether all interfaces that are described are up, and frames pass all that are ports."""
    up = {own: {"up": link["up"]} for own, link in wanted.links(text, name).items()}
    return differences(up, links(box)) == [] and wanted.ports(text, name).items() <= ports(box).items()


def as_described(box: Sandbox, text: str, name: str) -> None:
    """Fails where the kernel's network is not what the description states; says each difference.

    What the kernel does by itself, some time after it was told to, is waited for: carriers, and ports that pass frames.
    """
    with contextlib.suppress(AssertionError):  # what is missing then is said below
        until(lambda: _carries(box, text, name), "all have a carrier", 15)
    assert not_as_described(box, text, name) == []
