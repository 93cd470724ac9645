"""corosync.conf: reading what matters of it, writing it as pvecm does."""

import re
from typing import NamedTuple

Section = dict[str, list["str | Section"]]


class Node(NamedTuple):
    """One entry of the nodelist; addresses by link (or ring) number."""

    name: str
    nodeid: int
    votes: int
    addresses: dict[int, str]


class Conf(NamedTuple):
    """What corosync.conf says: the cluster's name and version, its nodes in their order, old rings or new links."""

    cluster: str
    version: int
    nodes: dict[str, Node]
    bindnet: dict[int, str] | None = None  # corosync 2: bindnetaddr by ring; None for links of corosync 3
    coefficient: str = ""  # totem.token_coefficient in milliseconds; "" where the file says nothing

    def with_node(self, node: Node) -> "Conf":
        return self._replace(version=self.version + 1, nodes={**self.nodes, node.name: node})

    def without_node(self, name: str) -> "Conf":
        rest = {key: node for key, node in self.nodes.items() if key != name}
        return self._replace(version=self.version + 1, nodes=rest)

    @property
    def votes(self) -> int:
        return sum(node.votes for node in self.nodes.values())


def _sections(text: str) -> Section:
    top: Section = {}
    stack = [top]
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.endswith("{"):
            inner: Section = {}
            stack[-1].setdefault(line[:-1].strip(), []).append(inner)
            stack.append(inner)
        elif line == "}":
            stack.pop()
        else:
            key, _, value = line.partition(":")
            stack[-1].setdefault(key.strip(), []).append(value.strip())
    return top


def _first(section: Section, key: str, default: str = "") -> str:
    values = [value for value in section.get(key, []) if isinstance(value, str)]
    return values[0] if values else default


def parse(text: str) -> Conf:
    """Reads a corosync.conf; one without a nodelist (the packaged example) has no nodes and version 0."""
    top = _sections(text)
    totem = next((s for s in top.get("totem", []) if isinstance(s, dict)), {})
    nodes = {}
    bindnet: dict[int, str] = {}
    for nodelist in top.get("nodelist", []):
        for entry in nodelist.get("node", []) if isinstance(nodelist, dict) else []:
            if not isinstance(entry, dict):
                continue
            found = [(re.fullmatch(r"ring(\d)_addr", key), key) for key in entry]
            addresses = {int(match[1]): _first(entry, key) for match, key in found if match}
            name = _first(entry, "name", addresses.get(0, ""))
            votes = int(_first(entry, "quorum_votes", "1"))
            nodes[name] = Node(name, int(_first(entry, "nodeid", "0")), votes, addresses)
    for interface in totem.get("interface", []):
        if isinstance(interface, dict) and "bindnetaddr" in interface:
            bindnet[int(_first(interface, "ringnumber", "0"))] = _first(interface, "bindnetaddr")
    version = int(_first(totem, "config_version", "0"))
    coefficient = _first(totem, "token_coefficient")
    return Conf(_first(totem, "cluster_name"), version, nodes, bindnet or None, coefficient)


def render(conf: Conf) -> str:
    """Writes CONF as pvecm does."""
    lines = ["logging {", "  debug: off", "  to_syslog: yes", "}", "", "nodelist {"]
    for node in conf.nodes.values():
        lines += ["  node {", f"    name: {node.name}", f"    nodeid: {node.nodeid}", f"    quorum_votes: {node.votes}"]
        lines += [f"    ring{number}_addr: {address}" for number, address in sorted(node.addresses.items())]
        lines += ["  }"]
    lines += ["}", "", "quorum {", "  provider: corosync_votequorum", "}", "", "totem {"]
    lines += [f"  cluster_name: {conf.cluster}", f"  config_version: {conf.version}"]
    if conf.bindnet is not None:
        for number, address in sorted(conf.bindnet.items()):
            lines += ["  interface {", f"    bindnetaddr: {address}", f"    ringnumber: {number}", "  }"]
        lines += ["  ip_version: ipv4"]
    else:
        numbers = sorted({number for node in conf.nodes.values() for number in node.addresses})
        for number in numbers:
            lines += ["  interface {", f"    linknumber: {number}", "  }"]
        lines += ["  ip_version: ipv4-6", "  link_mode: passive"]
    lines += ["  secauth: on"]
    if conf.coefficient:
        lines += [f"  token_coefficient: {conf.coefficient}"]
    return "\n".join([*lines, "  version: 2", "}", ""])
