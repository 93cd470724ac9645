"""The network that a description states, read from its text alone, in the words of `ip -j` and `bridge -j`.

Nothing of pvegen is used: what it derives is what is tested.
"""

from __future__ import annotations

import ipaddress
import tomllib
from typing import Any

Links = dict[str, dict[str, Any]]

_HASHING = ("802.3ad", "balance-xor", "balance-tlb")


def node_table(text: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tables [network] and [[node]] of the node."""
    data = tomllib.loads(text)
    return data["network"], next(node for node in data["node"] if node["name"] == name)


def bridges(text: str, name: str) -> dict[str, dict[str, Any]]:
    """All bridges of a node by name, the main one first, each with the keys of a [[node.bridge]]."""
    network, node = node_table(text, name)
    main: dict[str, Any] = {
        "port": node["nic"],
        **{key: network[key] for key in ("vlan_aware", "vlans") if key in network},
    }
    main |= {key: node[key] for key in ("address", "address6", "mtu") if key in node}
    return {"vmbr0": main, **{bridge["name"]: bridge for bridge in node.get("bridge", ())}}


def links(text: str, name: str) -> Links:
    """{interface: what `ip -j -d link` has to say of it} of all that the description names on a node."""
    _, node = node_table(text, name)
    found: Links = {plain["name"]: {} for plain in node.get("interface", ())}
    for bond in node.get("bond", ()):
        found[bond["name"]] = {"kind": "bond", **_bond(bond)}
        found |= {nic: {"master": bond["name"]} for nic in bond["nics"]}
    for vlan in node.get("vlan", ()):
        own = vlan.get("name", f"{vlan['parent']}.{vlan['id']}")
        found[own] = {"kind": "vlan", "parent": vlan["parent"], "id": vlan["id"], "protocol": "802.1Q"}
        found.setdefault(vlan["parent"], {})
    for own, bridge in bridges(text, name).items():
        filtering = int(bridge.get("vlan_aware", False))
        bare = {"kind": "bridge", "forward_delay": 0, "stp_state": 0, "vlan_filtering": filtering}
        found.setdefault(own, {}).update(bare)
        if "port" in bridge:
            found.setdefault(bridge["port"], {})["master"] = own
    for link in found.values():
        link |= {"up": True, "mtu": 1500, "master": link.get("master")}
    _set_mtu(text, name, found)
    return found


def ports(text: str, name: str) -> dict[str, str]:
    """{port: its bridge}."""
    return {bridge["port"]: own for own, bridge in bridges(text, name).items() if "port" in bridge}


def _bond(bond: dict[str, Any]) -> dict[str, Any]:
    mode = bond.get("mode", "active-backup")
    made = {"mode": mode, "miimon": bond.get("miimon", 100)}
    if mode in _HASHING:
        made["xmit_hash_policy"] = bond.get("hash_policy", "layer2+3")
    return made


def _set_mtu(text: str, name: str, found: Links) -> None:
    """What a bridge states goes for all that is below it."""
    for own, bridge in bridges(text, name).items():
        if "mtu" in bridge:
            below = {own, bridge.get("port", own)}
            below |= {nic for nic, link in found.items() if link["master"] in below}
            for link in below:
                found[link]["mtu"] = bridge["mtu"]
    for plain in node_table(text, name)[1].get("interface", ()):
        found[plain["name"]]["mtu"] = plain.get("mtu", 1500)


def addresses(text: str, name: str) -> dict[str, list[str]]:
    """{interface: its addresses} of those that have one."""
    _, node = node_table(text, name)
    tables = bridges(text, name) | {plain["name"]: plain for plain in node.get("interface", ())}
    tables |= {vlan.get("name", f"{vlan['parent']}.{vlan['id']}"): vlan for vlan in node.get("vlan", ())}
    found = {own: [table[key] for key in ("address", "address6") if key in table] for own, table in tables.items()}
    return {own: some for own, some in found.items() if some}


def routes(text: str, name: str) -> set[tuple[str, str, str | None]]:
    """(destination, interface, gateway) of each route: to the networks of the addresses, and by default."""
    network, node = node_table(text, name)
    found: set[tuple[str, str, str | None]] = {
        (str(ipaddress.ip_interface(address).network), own, None)
        for own, some in addresses(text, name).items()
        for address in some
    }
    for family, key in ((4, "gateway"), (6, "gateway6")):
        gateway = node.get(key, network.get(key))
        if gateway:
            found.add((f"default{family}", "vmbr0", gateway))
    return found


def vlans(text: str, name: str) -> dict[str, set[int]]:
    """{port or bridge: the VLANs that it lets through} of VLAN-aware bridges.

    Frames without a tag are VLAN 1. The bridge itself is in those in which the node has an interface.
    """
    _, node = node_table(text, name)
    found = {}
    for own, bridge in bridges(text, name).items():
        if bridge.get("vlan_aware"):
            found[bridge["port"]] = {1} | _numbers(bridge["vlans"])
            found[own] = {1} | {vlan["id"] for vlan in node.get("vlan", ()) if vlan["parent"] == own}
    return found


def _numbers(text: str) -> set[int]:
    """ "2-4 9" as 2, 3, 4 and 9."""
    found: set[int] = set()
    for part in text.split():
        low, _, high = part.partition("-")
        found |= set(range(int(low), int(high or low) + 1))
    return found
