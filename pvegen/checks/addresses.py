"""Addresses: that each can be a host's, that none is used twice, and how the nodes' networks lie."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pvegen.checks.context import Context
from pvegen.derive import NodeView
from pvegen.kinds import is_number
from pvegen.mistakes import Where, Word
from pvegen.source import Path

Interfaces = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# A network larger than this is a slip of the pen (/2 for /24): it would take routes to half the world.
_LARGEST = {4: 8, 6: 16}


def check(context: Context) -> None:
    """Whether every stated address can be a host's, once, and the nodes' networks fit together."""
    first: dict[Address, Path] = {}
    for node in context.view.nodes:
        for path, address in stated(context, node):
            if _host(context, path, address):
                _once(context, first, path, address.ip)
        _hosts_address(context, node, first)
        _overlaps(context, node)
    _one_network(context, "address")
    _one_network(context, "address6")
    _name_servers(context)
    _time_servers(context)


def stated(context: Context, node: NodeView) -> Iterator[tuple[Path, Interfaces]]:
    """The addresses that a node's interfaces state, with their places; the main bridge's come first."""
    for interface in sorted(node.interfaces, key=lambda i: not i.main):
        for key, address in (("address", interface.address), ("address6", interface.address6)):
            path = context.key(node, interface, key)
            if address is not None and context.sound(path):
                yield path, address


def unusable(address: Address) -> Word | None:
    """Why an address can be no single machine's on a network: a word of the catalogue, or None."""
    if address.is_loopback:
        return Word("loopback")
    if address.is_multicast:
        return Word("multicast")
    if address.is_link_local:
        return Word("link_local")
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return Word("unspecified")
    if address.version == 4 and address.is_reserved:
        return Word("reserved")
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address in _COMPATIBLE):
        return Word("embedded")
    return None


_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_COMPATIBLE = ipaddress.ip_network("::/96")


def _host(context: Context, path: Path, address: Interfaces) -> bool:
    """Whether an address with prefix can be a host's; says why not."""
    reason = unusable(address.ip)
    network: Any = address.network
    if reason is not None:
        context.say("PVE303" if reason == "loopback" else "PVE304", path, value=address, reason=reason)
    elif network.prefixlen < _LARGEST[address.version]:
        context.say("PVE317", path, value=address, prefix=network.prefixlen)
    elif network.prefixlen == network.max_prefixlen:
        context.say("PVE318", path, value=address)
    elif network.max_prefixlen - network.prefixlen > 1 and address.ip == network.network_address:
        context.say("PVE301", path, value=address, network=network, example=network.network_address + 1)
    elif address.version == 4 and network.prefixlen < 31 and address.ip == network.broadcast_address:
        context.say("PVE302", path, value=address, network=network, example=network.broadcast_address - 1)
    else:
        return True
    context.distrust(path)
    return False


def _once(context: Context, first: dict[Address, Path], path: Path, address: Address) -> None:
    if address in first:
        context.say("PVE310", path, value=address, first=Where(first[address]))
    else:
        first[address] = path


def _hosts_address(context: Context, node: NodeView, first: dict[Address, Path]) -> None:
    """The address for /etc/hosts: known where it is needed, one of the node's, nobody else's."""
    path: Path = (*node.path, "hosts_address")
    stated_address = node.node.hosts_address
    keeps = node.node.address == "keep" and context.sound((*node.path, "address"))
    if not context.sound(path, (*node.path, "address")):
        return
    if stated_address is None:
        needed = context.description.cluster.names == "hosts" or context.description.link
        if keeps and needed and context.sound(("cluster", "names")):
            context.say("PVE411", (*node.path, "address"), value=node.name)
        return
    if reason := unusable(stated_address):
        context.say("PVE303" if reason == "loopback" else "PVE304", path, value=stated_address, reason=reason)
    elif keeps:
        # What the node states elsewhere may be the very address that it is known by.
        if first.get(stated_address, ())[:2] != node.path:
            _once(context, first, path, stated_address)
    elif stated_address not in {i.address.ip for i in node.interfaces if i.address is not None}:
        context.say("PVE413", path, value=stated_address, address=node.node.address)


def _overlaps(context: Context, node: NodeView) -> None:
    """Two interfaces of a node in one network: the kernel answers for both on either.

    Of two networks one holds the other or they have nothing in common, so that in
    order of their first addresses only those that are still open need be compared.
    """
    found = [(path, address.network) for path, address in stated(context, node)]
    sized = [(n.version, int(n.network_address), n.prefixlen, number) for number, (_, n) in enumerate(found)
            if n.prefixlen >= _LARGEST[n.version]]
    around: list[tuple[int, int, int]] = []
    for version, first, _, number in sorted(sized):
        while around and not (around[-1][0] == version and first <= around[-1][1]):
            around.pop()
        if around:
            earlier, later = sorted((around[-1][2], number))
            context.say("PVE910", found[later][0], value=found[later][1], first=Where(found[earlier][0]))
        around.append((version, int(found[number][1].broadcast_address), number))


def _one_network(context: Context, key: str) -> None:
    """The nodes' own addresses of one IP version: one network, or at least not two that half cover one another."""
    found: list[tuple[Path, Interfaces]] = []
    for node in context.view.nodes:
        path: Path = (*node.path, key)
        address = getattr(node.main, key)
        if address is not None and context.sound(path) and not unusable(address.ip):
            found.append((path, address))
    if not found:
        return
    network = Counter(address.network for _, address in found).most_common(1)[0][0]
    first = next(path for path, address in found if address.network == network)
    for path, address in found:
        if address.network == network:
            continue
        if address.network.overlaps(network):
            context.say("PVE316", path, value=address, network=network, first=Where(first))
            context.distrust(path)
        else:
            context.say("PVE906", path, value=address, network=network, first=Where(first))


def _name_servers(context: Context) -> None:
    """Name servers: addresses that can answer; not more than the resolver asks (resolv.conf(5): MAXNS 3)."""
    servers = context.description.network.nameservers
    path: Path = ("network", "nameservers")
    if not context.sound(path):
        return
    nobodys = _nobodys(context) if servers else {}
    for number, server in enumerate(servers):
        reason = unusable(server) or nobodys.get(server)
        if reason is not None and reason != "loopback":
            context.say("PVE304", (*path, number), value=server, reason=reason)
    if len(servers) > 3:
        context.say("PVE919", (*path, 3), count=len(servers))
    search: Path = ("network", "search")
    if context.description.network.search and not servers and context.sound(search):
        context.say("PVE340", search)


def _time_servers(context: Context) -> None:
    """Time servers given by their addresses: those of single machines, elsewhere."""
    servers = context.description.time.servers
    nobodys = _nobodys(context) if servers else {}
    for number, server in enumerate(servers):
        path: Path = ("time", "servers", number)
        if not context.sound(path) or not _is_address(server):
            continue
        address = ipaddress.ip_address(server)
        reason = unusable(address) or nobodys.get(address)
        # Clouds have their time servers at 169.254.*.
        if reason is not None and not (reason == "link_local" and address.version == 4):
            context.say("PVE303" if reason == "loopback" else "PVE304", path, value=server, reason=reason)


def _nobodys(context: Context) -> dict[Address, Word]:
    """The first and last addresses of the nodes' networks, which no machine bears."""
    found: dict[Address, Word] = {}
    for node in context.view.nodes:
        for _, address in stated(context, node):
            network: Any = address.network
            if network.version == 4 and network.prefixlen < 31:
                found[network.network_address] = Word("network_itself")
                found[network.broadcast_address] = Word("broadcast")
    return found


def _is_address(server: str) -> bool:
    """Whether a server that could be read is given by its address."""
    return ":" in server or is_number(server.split(".")[-1])
