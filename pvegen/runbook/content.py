"""What a runbook tells, as plain data: taken from the view, the plan and the scripts, never worked out anew."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from pvegen import __version__
from pvegen.derive import NodeView, View, order_of_running
from pvegen.plan import Script
from pvegen.render import Rendered, Renderer
from pvegen.runbook.messages import Said
from pvegen.runbook.picture import picture
from pvegen.runbook.ports import ports
from pvegen.runbook.tree import network_rows, outline, tree, words
from pvegen.target import Target

# How long a new network may take, where the call does not say it: the runtime's own line.
_WITHIN = re.compile(r"confirm_within=\$\{confirm_within:-(\d+)\}")
_GROUP = 8


class Act(NamedTuple):
    """One thing to do.

    kind: which of the template's texts tells of it; console: the node at whose console
    it is done; command: what is typed there; other: the node that it is done for, or
    with which; facts: what the texts need beside that.
    """

    kind: str
    console: str
    command: str
    other: str = ""
    facts: dict[str, Any] = {}  # noqa: RUF012 - never changed


def content(
    view: View, target: Target, scripts: list[Script], rendered: list[Rendered], renderer: Renderer
) -> dict[str, Any]:
    """The values of the template; scripts and rendered: of all nodes, in the description's order."""
    by_node = {script.node: script for script in scripts}
    order = order_of_running(view.nodes)
    nodes = [_node(node, by_node, renderer) for node in order]
    networks = network_rows(view)
    said = Said(renderer, rendered, _known(view, target, renderer))
    return {
        "cluster": view.description.cluster.name,
        "title": target.title,
        "version": __version__,
        "is_cluster": view.is_cluster,
        "series": target.pve["series"],
        "target": target.name,
        "trust": view.description.ssh.trust,
        "by_api": scripts[0].values["fingerprints"],
        "within": _within(rendered),
        "limits": scripts[0].values["limits"],
        "minutes": view.description.ssh.open_minutes,
        "nodes": nodes,
        "networks": networks,
        "tiles": picture(nodes, networks),
        "keys": _keys(view, order, by_node),
        "needs": _needs(view, target),
        "sums": [(f"{made.node}.sh", _grouped(made.text)) for made in rendered],
        "ports": ports(view, target, renderer),
        "calls": _calls(order, by_node, renderer),
        "said": said,
        "first": f"{order[0].name}.sh",
    }


def _known(view: View, target: Target, renderer: Renderer) -> dict[str, str]:
    """What messages name and is the same on every node."""
    known = {
        "cluster": view.description.cluster.name,
        "minutes": str(view.description.ssh.open_minutes),
        "dir": str(target.ssh["config"]),
    }
    if view.is_cluster:
        known["ports"] = str(renderer.words(f"cluster.ports_{target.pve['corosync']}"))
    return known


def _within(rendered: list[Rendered]) -> str:
    """Seconds in which a new network has to be proved, as the runtime has it; "" where a site's own says otherwise."""
    found = _WITHIN.search(rendered[0].text)
    return found[1] if found else ""


def _grouped(text: str) -> list[str]:
    """A script's SHA-256 in groups of eight digits."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return [digest[at : at + _GROUP] for at in range(0, len(digest), _GROUP)]


def _node(node: NodeView, by_node: dict[str, Script], renderer: Renderer) -> dict[str, Any]:
    """One node: what it is, its interfaces, its steps, and what is done for it."""
    script = by_node[node.name]
    rows = tree(node, alone=not script.values["is_cluster"])
    return {
        "name": node.name,
        "fqdn": node.fqdn,
        "script": f"{node.name}.sh",
        "creates": node.creates,
        "member": node.member or "",
        "mac": node.node.mac or "",
        "role": _role(node, is_cluster=script.values["is_cluster"]),
        "tree": rows,
        "outline": outline(rows),
        "steps": [(step.name, renderer.title(script, step)) for step in script.steps],
        "acts": _acts(script, by_node),
    }


def _role(node: NodeView, *, is_cluster: bool) -> str:
    """What a node does in its cluster, in words."""
    kind = "alone" if not is_cluster else "creates" if node.creates else "joins"
    return words()[kind].format(member=node.member)


def _acts(script: Script, by_node: dict[str, Script]) -> list[Act]:
    """What is typed for one node, in order."""
    node, name = script.node, f"{script.node}.sh"
    member = by_node.get(script.values["member"])
    admits = member is not None and member.values["admits"]
    acts = [Act("sum", node, f"sha256sum {name}"), Act("check", node, f"sh {name}")]
    facts: dict[str, Any] = {"creates": script.values["creates"], "by_api": script.values["by_api"], "admits": admits}
    apply = f"sh {name} apply"
    if member is not None and script.values["by_api"]:
        step = next(step for step in script.steps if step.name == "join")
        stated = facts["fingerprint"] = step.values["fingerprint"]
        acts.append(Act("fingerprint", member.node, f"sh {member.node}.sh fingerprint", node, {"fingerprint": stated}))
        if not stated:
            apply += " --fingerprint AA:BB:..."
    if member is not None and admits:
        acts.append(Act("admit", member.node, f"sh {member.node}.sh admit", node))
    acts.append(Act("apply", node, apply, member.node if member else "", facts))
    if member is not None and admits:
        acts.append(Act("close", member.node, f"sh {member.node}.sh close", node))
    acts.append(Act("verify", node, f"sh {name} verify"))
    return acts


def _keys(view: View, order: list[NodeView], by_node: dict[str, Script]) -> list[Act]:
    """What makes and prints each node's keys, where the description has not all of them."""
    steps = [step for script in by_node.values() for step in script.steps if step.name == "trust"]
    if view.description.ssh.trust != "keys" or not any(step.values["missing"] for step in steps):
        return []
    return [
        Act(kind, node.name, f"sh {node.name}.sh {call}")
        for node in order
        for kind, call in (("make_key", "apply --only trust"), ("keys", "keys"))
    ]


def _needs(view: View, target: Target) -> dict[str, Any]:
    """What has to be there before the first script is run, beside the nodes."""
    interfaces = [interface for node in view.nodes for interface in node.interfaces]
    return {
        "lacp": any(interface.bond_mode == "802.3ad" for interface in interfaces),
        "vlans": sorted({interface.vlan_id for interface in interfaces if interface.vlan_id is not None}),
        "mtu": max((interface.mtu or 0 for interface in interfaces), default=0),
        "multicast": view.is_cluster and target.pve["corosync"] == 2,
        "time_servers": list(view.description.time.servers),
        "by_dns": view.description.cluster.names == "dns",
        "packages": list(target.release["packages"]),
    }


def _calls(order: list[NodeView], by_node: dict[str, Script], renderer: Renderer) -> list[tuple[str, str]]:
    """Each call and option that any of the scripts knows, as its usage tells it."""
    found: dict[str, str] = {}
    for node in order:
        found |= dict(renderer.calls(by_node[node.name]))
    for node in order:
        for text in renderer.options(by_node[node.name]):
            option, _, meaning = text.partition("  ")
            found.setdefault(option, meaning.strip())
    return list(found.items())
