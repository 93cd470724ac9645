"""A description with everything derived filled in: a description again, which builds the same scripts.

What has no key in the format (who creates the cluster, the order of running, the
lines of /etc/hosts, what stands on an interface) is said in notes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pvegen import catalogue
from pvegen.derive import Interface, NodeView, View, link_numbers, order_of_running
from pvegen.model import Bridge, Network, Table
from pvegen.source import Path
from pvegen.target import Targets, shipped


class Shown:
    """What is to be written.

    data: the description's keys, in the order of writing; notes: a table's path ->
    what is to be said of it.
    """

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.notes: dict[Path, list[str]] = {}

    def note(self, path: Path, name: str, /, **facts: object) -> None:
        """Say something of a table, by its name in the catalogue."""
        self.notes.setdefault(path, []).append(catalogue.load().show[name].format(**facts))


def shown(view: View, targets: Targets | None = None) -> Shown:
    """What a description comes to: what holds for all nodes, then node by node.

    targets: those there are, by default pvegen's own.
    """
    stated = view.description
    made = Shown()
    made.data["format"] = stated.format
    made.data["cluster"] = _cluster(made, view, targets or shipped())
    made.data["network"] = _network(made, view)
    for name in ("time", "ssh", "limits"):
        made.data[name] = _plain(getattr(stated, name))
    if stated.link:
        numbers = link_numbers(stated)
        made.data["link"] = [_with(link, [("number", n)]) for link, n in zip(stated.link, numbers, strict=True)]
    made.data["node"] = [_node(made, view, node) for node in view.nodes]
    return made


def _plain(table: Table) -> dict[str, Any]:
    """A table's values, without those that have neither value nor default, and without the tables in it."""
    return _values((name, getattr(table, name)) for name, key in table.KEYS.items() if not isinstance(key.kind, type))


def _with(table: Table, derived: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """A table's values and derived ones, in the order of the model."""
    found = _plain(table) | _values(derived)
    return {name: found[name] for name in table.KEYS if name in found}


def _values(pairs: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Keys with their values as TOML has them; nothing is None or an empty list."""
    return {name: _value(value) for name, value in pairs if value is not None and value != ()}


def _value(value: object) -> Any:
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return value if isinstance(value, bool | int | str) else str(value)


def _cluster(made: Shown, view: View, targets: Targets) -> dict[str, Any]:
    here: Path = ("cluster",)
    cluster = view.description.cluster
    made.note(here, "target", target=cluster.target, title=targets.load(cluster.target).title)
    made.note(here, "order", scripts=", ".join(f"{node.name}.sh" for node in order_of_running(view.nodes)))
    if cluster.names == "hosts":
        made.note(here, "hosts")
        for node in view.nodes:
            if node.host_address:
                made.note(here, "host", address=node.host_address, fqdn=node.fqdn, name=node.name)
    return _plain(cluster)


def _network(made: Shown, view: View) -> dict[str, Any]:
    """[network] as it is stated; its bonds are shown with each node that has them."""
    network = _plain(view.description.network)
    if not network["vlan_aware"] and network["vlans"] == Network.KEYS["vlans"].default:
        del network["vlans"]
    if "nameservers" in network:
        network.setdefault("search", [view.description.cluster.domain])
    else:
        made.note(("network",), "resolver")
    made.note(("network",), "network")
    return network


def _node(made: Shown, view: View, node: NodeView) -> dict[str, Any]:
    """A node with its own keys, and a table for each of its interfaces."""
    _role(made, view, node)
    main = node.main
    data = _with(node.node, [
        ("hosts_address", node.host_address),
        ("nic", main.lowers[0] if main.lowers else None),
        # What a node takes over has its routes, and none can be stated beside it.
        ("gateway", None if main.keep else main.gateway),
        ("gateway6", main.gateway6),
        ("bridge_name", main.name),
        ("mtu", main.mtu),
        ("vlan_aware", main.vlan_aware),
        ("vlans", main.vlans if main.vlan_aware else node.node.vlans),
        ("joins", node.member),
    ])  # fmt: skip
    for kind, name in (("bond", "bond"), ("vlan", "vlan"), ("bridge", "bridge"), ("nic", "interface")):
        tables = [interface for interface in node.interfaces if interface.kind == kind and not interface.main]
        if kind == "vlan":
            # In the order of the description, which is not that of the interfaces.
            tables.sort(key=lambda vlan: vlan.path[-1])
        for number, interface in enumerate(tables):
            data.setdefault(name, []).append(_interface(interface))
            _carries(made, (*node.path, name, number), node, interface)
    return data


def _role(made: Shown, view: View, node: NodeView) -> None:
    """What becomes of a node in the cluster, and what of its main bridge has no key."""
    here = node.path
    if not view.is_cluster:
        made.note(here, "alone", script=f"{node.name}.sh")
    elif node.member:
        made.note(here, "joins", script=f"{node.name}.sh", member=node.member)
    else:
        made.note(here, "creates", script=f"{node.name}.sh")
    if node.joined_by:
        made.note(here, "joined", nodes=", ".join(node.joined_by))
    if view.is_cluster:
        for number, address in [(link.number, link.address) for link in node.links] or [(0, node.host_address)]:
            if address:
                made.note(here, "link", number=number, address=address)
        chosen = [name for name in ("nodeid", "votes") if getattr(node.node, name) is None]
        if chosen:
            made.note(here, "chosen", keys=", ".join(chosen))
    if node.main.keep:
        made.note(here, "keep", nic=", ".join(node.main.lowers))
    if node.main.mtu is None:
        made.note(here, "mtu")


def _carries(made: Shown, path: Path, node: NodeView, interface: Interface) -> None:
    """What stands on an interface, and that its MTU stays."""
    above = [upper.name for upper in node.interfaces if interface.name in upper.lowers]
    if above:
        made.note(path, "carries", name=interface.name, uppers=", ".join(above))
    if interface.mtu is None:
        made.note(path, "mtu")


def _interface(interface: Interface) -> dict[str, Any]:
    """The table of a bond, a VLAN, a further bridge or a plain NIC."""
    lower = interface.lowers[0] if interface.lowers else None
    own: dict[str, list[tuple[str, object]]] = {
        "nic": [("name", interface.name)],
        "bond": [
            ("name", interface.name), ("nics", interface.lowers), ("mode", interface.bond_mode),
            ("miimon", interface.bond_miimon), ("hash_policy", interface.bond_hash or None),
        ],
        "vlan": [("parent", lower), ("id", interface.vlan_id), ("name", interface.name)],
        "bridge": [("name", interface.name), ("port", lower)],
    }  # fmt: skip
    found = [*own[interface.kind], ("address", interface.address), ("address6", interface.address6)]
    found.append(("mtu", interface.mtu))
    if interface.kind == "bridge":
        found.append(("vlan_aware", interface.vlan_aware))
        if interface.vlan_aware or interface.vlans != Bridge.KEYS["vlans"].default:
            found.append(("vlans", interface.vlans))
    return _values(found)
