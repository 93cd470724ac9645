"""What each node's script is made of: its steps, in order, with the values of each.

The plan decides; snippets only spell. Everything in it is plain data (strings,
numbers, lists, dicts), so that it can be shown, compared and tested.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from pvegen import network
from pvegen import target as targets
from pvegen.derive import Interface, NodeView, View, link_numbers
from pvegen.target import Target, Targets

EPOCH = date(1970, 1, 1)


class Step(NamedTuple):
    """One step of a node's script.

    name: as `--only` takes it; snippet: the file in `snippets/steps/`; values: what
    the snippet and the step's title name.
    """

    name: str
    snippet: str
    values: dict[str, Any]


class Script(NamedTuple):
    """One node's script before it is spelled out.

    values: what the frame and the runtime need.
    """

    node: str
    steps: list[Step]
    values: dict[str, Any]


def plan(view: View, target: Target, known: Targets | None = None) -> list[Script]:
    """Plan the scripts of all nodes, in the order of the description.

    known: the targets there are, for a node that needs another; by default pvegen's own.
    """
    fits = _fits(known or targets.shipped())
    return [_script(view, target, node, fits) for node in view.nodes]


def _script(view: View, target: Target, node: NodeView, fits: list[str]) -> Script:
    description = view.description
    steps = [_host(view, target, node, fits), _time(view, target, node), _bridge(view, target, node)]
    if target.network["mirror_interfaces_before"]:
        steps.append(_mirror(view, target, node))
    steps.append(_names(view, target, node))
    if view.is_cluster:
        steps.append(_ssh(view, target, node))
        if _has_trust(view):
            steps.append(_trust(view, target, node))
    if target.rrdcached["sysconfig"]:
        steps.append(Step("rrdcached", "rrdcached", dict(target.rrdcached)))
    if target.corosync["stub"]:
        steps.append(Step("stub", "stub", {}))
    steps.append(Step("services", "services", _services(view, target)))
    if view.is_cluster:
        steps.append(Step("root-login", "root_login", _root_login(view, target)))
        steps.append(_create(view, target, node) if node.creates else _join(view, target, node))
    steps.append(_manager(view, target, node))
    limits = description.limits
    values = {
        "node": node.name,
        "cluster": description.cluster.name,
        "target": target.name,
        "manager": target.network["manager"],
        "title": target.title,
        "is_cluster": view.is_cluster,
        "creates": node.creates,
        "member": node.member or "",
        "trust": description.ssh.trust,
        "has_trust": _has_trust(view),
        "fingerprints": view.is_cluster and _by_api(view),
        "by_api": view.is_cluster and _by_api(view) and not node.creates,
        "admits": bool(node.joined_by) and description.ssh.trust == "password" and not _by_api(view),
        "joined_by": node.joined_by,
        "others": " ".join(
            f"{other.name}={other.host_address}" for other in view.nodes if other is not node and other.host_address
        ),
        "open_minutes": description.ssh.open_minutes,
        "ssh_dir": target.ssh["config"],
        "ssh_unit": target.ssh["unit"],
        "packages_by": target.release["package_manager"],
        "units": " ".join(dict.fromkeys(_units(view, target))),
        "limits": {name: getattr(limits, name) for name in limits.KEYS},
    }
    return Script(node.name, steps, values)


def _by_api(view: View) -> bool:
    return view.description.cluster.join == "api"


def _has_trust(view: View) -> bool:
    """Whether root has to get from node to node before a join; through the API pvecm sees to that."""
    return view.is_cluster and (view.description.ssh.trust == "keys" or not _by_api(view))


def _units(view: View, target: Target) -> list[str]:
    """All units that the steps look at."""
    services = target.services
    found = [*target.network["rivals"], *target.time["services"], *target.network["boot_units"]]
    found += [*services["before"], *services["cluster"], *services["after"], *services["onboot"]]
    if view.is_cluster:
        found += [target.ssh["unit"], *services["boot"]]
    return found


# What the runtime itself calls, beside what the target's steps do.
_TOOLS = [
    "awk", "cat", "chmod", "cmp", "cp", "cut", "date", "df", "diff", "find", "grep", "id", "ln", "mkdir", "mv", "ping",
    "readlink", "rm", "rmdir", "sed", "sha256sum", "sleep", "stat", "sync", "tail", "tr", "uname",
]  # fmt: skip


def _host(view: View, target: Target, node: NodeView, fits: list[str]) -> Step:
    values = {
        "release_file": target.release["file"],
        "release_pattern": target.release["pattern"],
        "series": " ".join(target.pve["series"]),
        "fits": fits,
        "packages": target.release["packages"],
        "tools": _TOOLS + (["head", "mkfifo", "od", "stty", "wc"] if _by_api(view) and not node.creates else []),
        "commands": target.release["commands"],
        "rivals": target.network["rivals"],
        "written": ["/etc", "/root", "/var/lib", "/var/log"],
        "mac": node.node.mac,
        "mac_nics": _nics_below(node, node.main.name),
        "machine_id": node.node.machine_id,
    }
    return Step("host", "host", values)


def _fits(known: Targets) -> list[str]:
    """Which target a system with a series of PVE needs: "<release file>:<series>:<target>"."""
    every = [known.load(name) for name in known.names()]
    return [f"{one.release['file']}:{series}:{one.name}" for one in every for series in one.pve["series"]]


def _nics_below(node: NodeView, name: str) -> list[str]:
    """The NICs that an interface stands on in the end."""
    interface = node.interface(name)
    if interface is None or interface.kind == "nic":
        return [name]
    return [nic for lower in interface.lowers for nic in _nics_below(node, lower)]


def _time(view: View, target: Target, node: NodeView) -> Step:
    released = target.pve["released"]
    values = {
        "timezone": view.description.cluster.timezone,
        "timezone_file": target.time["timezone_file"],
        "services": target.time["services"],
        "masked": " ".join(target.time["mask"]),
        "configs": sorted(set(target.time["config"].values())),
        "config_of": list(target.time["config"].items()),
        "servers": list(view.description.time.servers),
        "released": (released - EPOCH).days * 86400,
        "released_day": released.isoformat(),
    }
    return Step("time", "time", values)


def _bridge(view: View, target: Target, node: NodeView) -> Step:
    main = node.main
    manager = target.network["manager"]
    bridges = [i for i in node.interfaces if i.kind == "bridge"]
    uppers = " ".join(i.name for i in node.interfaces if i.kind in ("bridge", "bond"))
    values: dict[str, Any] = {
        "bridge": main.name,
        "port": main.lowers[0] if main.lowers else "",
        "keep": main.keep,
        "address": str(main.address) if main.address else "",
        "nics": [i.name for i in node.interfaces if i.kind == "nic"],
        "uppers": uppers,
        "made": [i.name for i in node.interfaces if i.kind in ("bond", "vlan")],
        "boot_units": target.network["boot_units"],
        "bridges": " ".join(i.name for i in bridges),
        "brctl": bool(target.network["bridge_command"]),
        "bridge_options": target.network["bridge_options"] == "options",
        "restart": target.network["restart_unit"],
        "facts": [
            {"message": fact.message, "values": fact.values, "command": list(fact.command)}
            for fact in network.running(node, manager)
        ],
        "gateways": [
            {"address": g, "on": main.name if g.is_link_local else ""} for g in (main.gateway, main.gateway6) if g
        ],
        "interface_names": " ".join(i.name for i in reversed(node.interfaces)),
        "made_names": " ".join(i.name for i in reversed(node.interfaces) if i.kind != "nic"),
        "peers": " ".join(str(n.host_address) for n in view.nodes if n is not node and n.host_address is not None),
        "nameservers": list(view.description.network.nameservers),
    }
    if manager == "etcnet":
        values["directories"] = [
            {
                "name": d.interface.name,
                "path": d.path,
                "kind": d.interface.kind,
                "keep": d.keep,
                "files": [{"name": n, "text": "\n".join(lines) + "\n"} for n, lines in d.files.items()],
                "absent": d.absent,
                "moved": d.moved,
                "moved_from": d.moved_from,
                "forgotten": d.forgotten,
                "gives": node.main.keep and node.main.lowers[:1] == (d.interface.name,),
                "ipv6": "yes" if main.address6 or d.interface.address6 else "no",
            }
            for d in network.etcnet(view, node, target.network)
        ]
        return Step("bridge", "bridge_etcnet", values)
    values.update(_interfaces(node, network.interfaces_file(view, node)))
    # What the system has to have for classic ifupdown; no question where ifupdown2 has to be there.
    kinds = {kind for i in node.interfaces for kind in _kinds(i)}
    values["kinds"] = sorted(kinds) if target.may_be_classic else []
    values["several_aware"] = sum(bridge.vlan_aware for bridge in bridges) > 1
    return Step("bridge", "bridge_ifupdown2", values)


def _kinds(interface: Interface) -> list[str]:
    """What an interface is that classic ifupdown does not bring up by itself, in the words of `need_brings_up`.

    It makes a VLAN PARENT.ID itself, the package vlan one called vlanID, with up to four digits filled up by zeros;
    for other names nothing makes one (if-pre-up.d/vlan of vlan 2.0.5).
    """
    if interface.kind == "vlan":
        if interface.name == f"{interface.lowers[0]}.{interface.vlan_id}":
            return []
        made = (f"vlan{interface.vlan_id}", f"vlan{interface.vlan_id:04}")
        return ["vlan" if interface.name in made else "named"]
    aware = ["aware"] if interface.vlan_aware else []
    return [interface.kind, *aware] if interface.kind in ("bridge", "bond") else []


def _interfaces(node: NodeView, lines: list[str]) -> dict[str, Any]:
    """What /etc/network/interfaces is to hold of a node's interfaces, in these lines."""
    main = node.main
    return {
        "text": "\n".join(lines) + "\n",
        "names": " ".join(i.name for i in node.interfaces),
        "name_list": [i.name for i in node.interfaces],
        "kept": " ".join((main.name, *main.lowers)),
    }


def _mirror(view: View, target: Target, node: NodeView) -> Step:
    values = {
        "bridge": node.main.name,
        "package": target.network["mirror_package"],
        "before": target.network["mirror_interfaces_before"],
    }
    return Step("mirror", "mirror", values | _interfaces(node, network.mirror_file(view, node)))


def _names(view: View, target: Target, node: NodeView) -> Step:
    known = [n for n in view.nodes if n.host_address is not None]
    domain = view.description.cluster.domain
    lines = [f"{n.host_address} {n.fqdn} {n.name}\n" for n in known]
    values = {
        "own": node.name,
        "hosts": view.description.cluster.names == "hosts",
        "text": "".join(lines),
        "names": " ".join(f"{n.name} {n.fqdn}" for n in known),
        "unknown": [{"name": n.name, "fqdn": n.fqdn} for n in view.nodes if n.host_address is None],
        "domain": domain,
    }
    return Step("names", "names", values)


def _others(view: View, node: NodeView) -> list[dict[str, Any]]:
    return [
        {"name": n.name, "fqdn": n.fqdn, "address": n.host_address or n.name} for n in view.nodes if n is not node
    ]


def _ssh(view: View, target: Target, node: NodeView) -> Step:
    values = {
        "sshd_config": f"{target.ssh['config']}/sshd_config",
        "ssh_config": f"{target.ssh['config']}/ssh_config",
        "unit": target.ssh["unit"],
        "environment": target.ssh["environment"],
        "others": _others(view, node),
    }
    return Step("ssh", "ssh", values)


def _trust(view: View, target: Target, node: NodeView) -> Step:
    others = [n for n in view.nodes if n is not node]
    user_keys = [f"{n.node.ssh_user_key}\n" for n in others if n.node.ssh_user_key]
    host_keys = [
        f"{','.join(filter(None, [n.name, n.fqdn, str(n.host_address or '')]))} {' '.join(key.split()[:2])}\n"
        for n in others
        for key in n.node.ssh_host_keys
    ]
    values = {
        "trust": view.description.ssh.trust,
        "user_keys": "".join(user_keys),
        "host_keys": "".join(host_keys),
        "missing": " ".join(n.name for n in others if not (n.node.ssh_user_key and n.node.ssh_host_keys)),
    }
    return Step("trust", "trust", values)


def _pvecm_options(view: View, target: Target, node: NodeView, creates: bool) -> list[str]:
    """Options of `pvecm create` or `pvecm add`: node id, votes and links."""
    spelling = target.pvecm
    options: list[str] = []
    if node.node.nodeid is not None:
        options += ["--nodeid", str(node.node.nodeid)]
    if node.node.votes is not None:
        options += ["--votes", str(node.node.votes)]
    links = [(link.number, link.address, link.priority) for link in node.links]
    if not links and spelling["link_always"] and node.host_address is not None:
        links = [(0, node.host_address, None)]
    networks = dict(zip(link_numbers(view.description), view.description.link, strict=True))
    for number, address, priority in links:
        suffix = f",priority={priority}" if priority is not None and creates else ""
        options += [spelling["link"].format(number), f"{address}{suffix}"]
        if creates and spelling["network"] and number in networks:
            options += [spelling["network"].format(number), str(networks[number].network.network_address)]
    if creates and view.description.cluster.token_coefficient is not None:
        options += ["--token-coefficient", str(view.description.cluster.token_coefficient)]
    return options


def _many_links_from(target: Target, node: NodeView) -> str:
    """The pve-cluster that a node's links need, where not every one of the target has as many."""
    last = max((link.number for link in node.links), default=0)
    return str(target.corosync["many_links_from"]) if last >= target.corosync["few_links"] else ""


def _create(view: View, target: Target, node: NodeView) -> Step:
    values = {
        "cluster": view.description.cluster.name,
        "options": _pvecm_options(view, target, node, creates=True),
        "coefficient_from": target.corosync["token_coefficient_from"]
        if view.description.cluster.token_coefficient is not None
        else "",
        "coefficient": view.description.cluster.token_coefficient,
        "others": "".join(f"{other['address']} {other['name']}\n" for other in _others(view, node)),
        **_membership(view, target, node),
    }
    return Step("create", "create", values)


def _join(view: View, target: Target, node: NodeView) -> Step:
    member = view.node(node.member or "")
    if member is None:
        raise ValueError(f"{node.name} joins nobody")
    options = ["--use_ssh", "1"] if target.pvecm["use_ssh"] and not _by_api(view) else []
    values = {
        "cluster": view.description.cluster.name,
        "member": member.name,
        "address": member.host_address or member.name,
        "fingerprint": member.node.fingerprint or "",
        "options": options + _pvecm_options(view, target, node, creates=False),
        "rsync_from": target.pvecm["rsync_from"],
        **_membership(view, target, node),
    }
    return Step("join", "join", values)


def _membership(view: View, target: Target, node: NodeView) -> dict[str, Any]:
    """What creating and joining have in common."""
    return {
        "boot": target.services["boot"],
        "corosync": target.pve["corosync"],
        "own_address": node.host_address,
        "many_links_from": _many_links_from(target, node),
        "policy": view.description.ssh.root_login,
    }


def _services(view: View, target: Target) -> dict[str, Any]:
    return {**target.services, "alone": not view.is_cluster, "stub": target.corosync["stub"]}


def _root_login(view: View, target: Target) -> dict[str, Any]:
    return {
        "policy": view.description.ssh.root_login,
        "sshd_config": f"{target.ssh['config']}/sshd_config",
        "unit": target.ssh["unit"],
        "by_key": target.ssh["root_by_key"],
    }


def _manager(view: View, target: Target, node: NodeView) -> Step:
    values = {
        "after": target.services["after"],
        "onboot": target.services["onboot"],
        "address": node.host_address or node.name,
        "others": _others(view, node) if view.is_cluster else [],
    }
    return Step("manager", "manager", values)
