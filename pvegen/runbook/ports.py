"""The ports that have to be open for a cluster.

Source: the manuals of Proxmox VE and its firewall's built-in rules (facts: transport of
corosync by its version; 4.4, ports to allow). Those of corosync stand in the scripts'
own catalogue, which says the same where a node finds no quorum.
"""

from __future__ import annotations

from typing import NamedTuple

from pvegen.derive import View
from pvegen.render import Renderer
from pvegen.target import Target

# name in the template of texts: protocol and ports.
BETWEEN_NODES = {"ssh": "tcp 22", "web": "tcp 8006", "migration": "tcp 60000-60050", "ping": "icmp echo"}
FROM_DESKS = {"web": "tcp 8006", "spice": "tcp 3128", "console": "tcp 5900-5999", "ssh": "tcp 22"}
TIME, NAMES = "udp 123", "udp and tcp 53"


class Port(NamedTuple):
    """One line: way ("nodes", "desks" or "out"), purpose (its text is the template's), ports, and to whom."""

    way: str
    purpose: str
    ports: str
    to: str = ""


def ports(view: View, target: Target, renderer: Renderer) -> list[Port]:
    """All lines for a cluster; a node alone has no others to reach."""
    found = []
    if view.is_cluster:
        found.append(Port("nodes", "corosync", renderer.words(f"cluster.ports_{target.pve['corosync']}")))
        found += [Port("nodes", purpose, number) for purpose, number in BETWEEN_NODES.items()]
    found += [Port("desks", purpose, number) for purpose, number in FROM_DESKS.items()]
    found += [Port("out", "time", TIME, server) for server in view.description.time.servers]
    found += [Port("out", "names", NAMES, str(server)) for server in view.description.network.nameservers]
    gateways = dict.fromkeys(g for node in view.nodes for g in (node.main.gateway, node.main.gateway6) if g)
    found += [Port("out", "gateway", BETWEEN_NODES["ping"], str(gateway)) for gateway in gateways]
    return found
