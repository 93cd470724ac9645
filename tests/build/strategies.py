"""Descriptions of every sort that pass all checks, as the data of a TOML file, for hypothesis."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any

from hypothesis import strategies as st

# Names that a script has its own use for, or that a shell or ShellCheck could take for something.
ODD = [
    "if", "done", "in", "esac", "time", "function", "select", "test", "sudo", "ls", "rm", "echo", "main", "step",
    "run", "point", "usage", "same", "admit", "keys", "END", "shellcheck", "a-b", "x1", "N", "Z9", "e0", "xn--a",
]  # fmt: skip
LABELS = st.one_of(
    st.sampled_from(ODD), st.from_regex("[a-zA-Z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True), st.just("n" * 63)
)
SEARCH = ["example.org", "a.example.org", "b.example.net"]
MTUS = st.sampled_from([1280, 1400, 1500, 9000])


def _key(seed: str) -> str:
    """A public key that has the form of one."""
    parts = [b"ssh-ed25519", hashlib.sha256(seed.encode()).digest()]
    return "ssh-ed25519 " + base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


def _rsa(seed: str) -> str:
    number = b"\0" + b"".join(hashlib.sha256(f"{seed}{i}".encode()).digest() for i in range(8))
    parts = [b"ssh-rsa", b"\1\0\1", b"\0\x80" + number[2:]]
    return "ssh-rsa " + base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


@st.composite
def descriptions(draw: st.DrawFn) -> dict[str, Any]:
    """One description. Networks are laid out so that they cannot overlap: 10.<what>.0.0/16 for each purpose."""
    target = draw(st.sampled_from(["alt-p8", "alt-p11"]))
    count = draw(st.integers(1, 5))
    names = draw(st.lists(LABELS, min_size=count, max_size=count, unique_by=str.lower))
    network = draw(_network(target))
    links = draw(st.integers(0, 3)) if target == "alt-p11" and count > 1 else 0
    keys = count > 1 and draw(st.booleans())
    numbered = draw(st.booleans())
    by_dns = draw(st.booleans())
    known = bool(links) or not by_dns
    shared = draw(st.booleans())
    if shared:
        network["nic"] = "eth0"
    if draw(st.booleans()):
        network["bond"] = [draw(_bond("bond0", ["eth1", "eth2"]))]
    data: dict[str, Any] = {
        "format": 1,
        "cluster": {
            "name": draw(
                st.one_of(st.sampled_from(ODD), st.from_regex("[a-z]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True))
            ),
            "target": target,
            "domain": draw(st.sampled_from(["example.org", "A.b.c.d.example", "x"])),
            "timezone": draw(st.sampled_from(["Europe/Moscow", "UTC", "America/Port-au-Prince", "Etc/GMT+3"])),
            "names": "dns" if by_dns else "hosts",
        },
        "network": network,
        "ssh": {
            "trust": "keys" if keys else "password",
            "root_login": draw(st.sampled_from(["keep", "prohibit-password", "yes"])),
            "open_minutes": draw(st.integers(1, 120)),
        },
        "limits": draw(
            st.fixed_dictionaries({}, optional={"unit": st.integers(1, 3600), "clock": st.integers(1, 3600)})
        ),
        "node": [],
    }
    if draw(st.booleans()):
        data["time"] = {
            "servers": draw(st.lists(st.sampled_from(["ntp", "10.9.9.9", "fd00::9"]), unique=True, min_size=1))
        }
    if links:
        data["link"] = [_link(draw, number) for number in range(links)]
    for index, name in enumerate(names):
        node = draw(_node(index, name, names, target, shared, keys, numbered, known))
        node["interface"] = node.get("interface", []) + [
            {"name": f"ens{20 + link}", "address": f"10.{100 + link}.0.{index + 1}/24"} for link in range(links)
        ]
        data["node"].append(node)
    return data


@st.composite
def _network(draw: st.DrawFn, target: str) -> dict[str, Any]:
    network: dict[str, Any] = {}
    if draw(st.booleans()):
        network["bridge_name"] = draw(st.sampled_from(["vmbr0", "vmbr4094"]))
    if draw(st.booleans()):
        network["mtu"] = draw(MTUS)
    if target == "alt-p11" and draw(st.booleans()):
        network["vlan_aware"] = True
        network["vlans"] = draw(st.sampled_from(["2-4094", "10 20-29", "7"]))
    if draw(st.booleans()):
        network["nameservers"] = draw(
            st.lists(st.sampled_from(["10.9.9.1", "10.9.9.2", "fd00::53"]), unique=True, min_size=1)
        )
        if draw(st.booleans()):
            network["search"] = draw(st.lists(st.sampled_from(SEARCH), unique=True, min_size=1))
    return network


@st.composite
def _bond(draw: st.DrawFn, name: str, nics: list[str]) -> dict[str, Any]:
    mode = draw(st.sampled_from(
        ["active-backup", "802.3ad", "balance-rr", "balance-xor", "broadcast", "balance-tlb", "balance-alb"]
    ))  # fmt: skip
    bond: dict[str, Any] = {"name": name, "nics": nics, "mode": mode, "miimon": draw(st.integers(10, 10000))}
    if mode in ("802.3ad", "balance-xor", "balance-tlb") and draw(st.booleans()):
        bond["hash_policy"] = draw(st.sampled_from(["layer2", "layer2+3", "layer3+4"]))
    return bond


def _link(draw: st.DrawFn, number: int) -> dict[str, Any]:
    link: dict[str, Any] = {"network": f"10.{100 + number}.0.0/24"}
    if draw(st.booleans()):
        link["priority"] = draw(st.integers(0, 255))
    return link


@st.composite
def _node(
    draw: st.DrawFn,
    index: int,
    name: str,
    names: list[str],
    target: str,
    shared: bool,
    keys: bool,
    numbered: bool,
    known: bool,
) -> dict[str, Any]:
    keep = draw(st.booleans())
    node: dict[str, Any] = {"name": name, "address": "keep" if keep else f"10.0.{index}.1/16"}
    if keep and (known or draw(st.booleans())):
        node["hosts_address"] = f"10.0.{index}.1"
    if not shared or draw(st.booleans()):
        node["nic"] = draw(st.sampled_from(["eth0", "enp3s0f1", "a"]))
    if not keep and draw(st.booleans()):
        node["gateway"] = "10.0.255.254"
    if not keep and draw(st.booleans()):
        node["address6"] = f"fd00::{index + 1}/64"
        if draw(st.booleans()):
            node["gateway6"] = "fd00::fffe"
    if index and draw(st.booleans()):
        node["joins"] = names[draw(st.integers(0, index - 1))]
    if draw(st.booleans()):
        node |= {"mac": f"52:54:00:12:34:{index:02x}", "machine_id": f"{index + 1:032x}"}
    if numbered:
        node["nodeid"] = 10 * (index + 1)
    if draw(st.booleans()):
        node["votes"] = 1
    if keys:
        node["ssh_user_key"] = _key(f"user {index}") + draw(st.sampled_from(["", " root@pve", " a+b-c_d.e"]))
        node["ssh_host_keys"] = [_rsa(f"host {index}"), _key(f"host {index}")]
    if draw(st.booleans()):
        node["bond"] = [draw(_bond("bond1", ["eth3", "eth4"]))]
        node["vlan"] = [{"parent": "bond1", "id": 10, "address": f"10.10.{index}.1/16"}, {"parent": "bond1", "id": 20}]
        node["bridge"] = [{"name": "vmbr20", "port": "bond1.20"}]
    if draw(st.booleans()):
        bridge: dict[str, Any] = {"name": "vmbr3", "address": f"10.3.{index}.1/16", "address6": f"fd03::{index + 1}/64"}
        if draw(st.booleans()):
            bridge |= {"port": "eth5", "mtu": draw(MTUS)}
        if target == "alt-p11" and draw(st.booleans()):
            bridge |= {"vlan_aware": True, "vlans": "5 6"}
        node["bridge"] = [*node.get("bridge", []), bridge]
    if draw(st.booleans()):
        node["interface"] = [{"name": "eth6", "address": f"10.6.{index}.1/16", "mtu": draw(MTUS)}]
    return node
