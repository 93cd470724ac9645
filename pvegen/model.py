"""The description, format 1: every key, its kind, its default and what becomes of it.

The tables below are the one place that knows the keys. Reading
(`convert`), the JSON Schema (`schema`) and the reference page
(`docs/description.md`, made by `reference`) are all made from them.
"""

from __future__ import annotations

import ipaddress
from typing import Any, ClassVar, NamedTuple

from pvegen import kinds
from pvegen.kinds import Kind, ListOf

REQUIRED: Any = object()


class Key(NamedTuple):
    """What is known of one key, beside its name.

    kind: Kind, ListOf or a subclass of Table (many: an array of such tables);
    default: the value when absent, REQUIRED where there is none;
    derived: in words, where the value comes from when absent and default is None;
    doc: what it says; lands: the file or command it ends up in; example: TOML.
    """

    kind: Kind | ListOf | type
    default: Any
    doc: str
    lands: str
    example: str
    derived: str = ""
    many: bool = False


class Table:
    """One table of the description: its keys' values as attributes, not to be changed.

    A subclass declares its keys by key(), table() and tables(); KEYS holds them.
    Plain classes, since making a frozen dataclass of each would cost more than
    reading a description does. TypeError for an unknown key or a missing one.
    """

    KEYS: ClassVar[dict[str, Key]] = {}

    def __init_subclass__(cls) -> None:
        cls.KEYS = {name: value for name, value in vars(cls).items() if isinstance(value, Key)}

    def __init__(self, **values: Any) -> None:
        for name, known in self.KEYS.items():
            value = values.pop(name, known.default)
            if value is REQUIRED:
                raise TypeError(f"{type(self).__name__} needs {name}")
            self.__dict__[name] = value
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")


def key(
    kind: Kind | ListOf, doc: str, lands: str, example: str, *, default: Any = REQUIRED, derived: str = ""
) -> Any:
    """Declare a key that holds a value."""
    return Key(kind, default, doc, lands, example, derived)


def table(kind: type[Table], doc: str, *, required: bool = False) -> Any:
    """Declare a key that holds a table."""
    return Key(kind, REQUIRED if required else None, doc, "", "")


def tables(kind: type[Table], doc: str, *, required: bool = False) -> Any:
    """Declare a key that holds an array of tables."""
    return Key(kind, REQUIRED if required else (), doc, "", "", many=True)


SECONDS = "seconds"

_ETCNET_OPTIONS = "etcnet: `/etc/net/ifaces/<interface>/options`"
_ETCNET_ADDRESS = "etcnet: `ipv4address` of the interface; ifupdown2: `address` in `/etc/network/interfaces`"
_ETCNET_ADDRESS6 = "etcnet: `ipv6address` of the interface; ifupdown2: `iface ... inet6`, `address`"
_ETCNET_ROUTE = "etcnet: `ipv4route` of the interface; ifupdown2: `gateway` in `/etc/network/interfaces`"
_ETCNET_ROUTE6 = "etcnet: `ipv6route` of the interface; ifupdown2: `gateway` of the `inet6` stanza"
_MTU = "etcnet: `mtu` in `iplink` of the interface; ifupdown2: `mtu` in `/etc/network/interfaces`"
_OWN_MTU = "the system's; 1500 where its port or parent has more for the sake of another"


class Cluster(Table):
    """What is the same on every node."""

    name: str = key(
        kinds.CLUSTER_NAME, "Name of the cluster. Fixed for ever once the cluster is created.",
        "`pvecm create <name>`, the folder in `dist/`", '"mypve"',
    )
    target: str = key(
        kinds.TARGET, "The system that the nodes run; `pvegen targets` lists them.",
        "which facts and steps the scripts are made of", '"alt-p8"',
    )
    domain: str = key(
        kinds.DOMAIN, "DNS domain of the nodes.", "`/etc/hosts`: `<address> <node>.<domain> <node>`",
        '"example.org"', default="localdomain",
    )
    timezone: str = key(
        kinds.TIMEZONE, "Time zone of the nodes, as the IANA database names it.",
        "`/etc/localtime`; `/etc/timezone` where the target reads it", '"Europe/Moscow"', default="UTC",
    )
    names: str = key(
        kinds.choice("hosts", "dns"),
        'How nodes find one another\'s addresses: "hosts" keeps a block of all nodes in `/etc/hosts`, '
        '"dns" changes nothing and only checks that DNS answers for all of them.',
        "`/etc/hosts`", '"dns"', default="hosts",
    )
    join: str = key(
        kinds.choice("ssh", "api"),
        'How nodes join: "ssh" works everywhere; "api" needs no ssh between the nodes beforehand, but PVE 5.2 or later '
        "and, each time, root's password of the member.",
        "`pvecm add <member> --use_ssh 1`, or `pvecm add <member> --fingerprint <fingerprint>`", '"api"',
        default="ssh",
    )
    token_coefficient: int | None = key(
        kinds.integer(0, 10000, "milliseconds"),
        "What corosync adds to the time after which a silent node is lost, for each node beyond two.",
        "`--token-coefficient` of `pvecm create`, from PVE 9.1 on", "125", default=None, derived="pvecm's own",
    )


class Bond(Table):
    """Several NICs as one."""

    name: str = key(kinds.BOND, "Name of the bond.", _ETCNET_OPTIONS + "; ifupdown2: `iface <name>`", '"bond0"')
    nics: tuple[str, ...] = key(
        ListOf(kinds.NIC, at_least=1), "The NICs of the bond.",
        "etcnet: `HOST` in `options`; ifupdown2: `bond-slaves`", '["eth0", "eth1"]',
    )
    mode: str = key(
        kinds.choice(
            "active-backup", "802.3ad", "balance-rr", "balance-xor", "broadcast", "balance-tlb", "balance-alb"
        ),
        'How the NICs share the work. "802.3ad" (LACP) needs a switch that is set up for it.',
        "etcnet: `BONDMODE` in `options`; ifupdown2: `bond-mode`", '"802.3ad"', default="active-backup",
    )
    miimon: int = key(
        kinds.integer(10, 10000, "milliseconds"), "How often the link of each NIC is looked at.",
        "etcnet: `BONDOPTIONS`; ifupdown2: `bond-miimon`", "100", default=100,
    )
    hash_policy: str | None = key(
        kinds.choice("layer2", "layer2+3", "layer3+4"),
        'What traffic is spread by, for the modes "802.3ad", "balance-xor" and "balance-tlb".',
        "etcnet: `BONDOPTIONS`; ifupdown2: `bond-xmit-hash-policy`", '"layer3+4"', default=None,
        derived='"layer2+3" for the modes that use it',
    )
    mtu: int | None = key(kinds.MTU, "MTU of the bond.", _MTU, "9000", default=None,
                          derived="the largest MTU of what stands on it, if any is stated")


class Vlan(Table):
    """A tagged VLAN as an interface of the node."""

    parent: str = key(
        kinds.NIC, "The NIC, bond or VLAN-aware bridge that carries the tagged frames.",
        "etcnet: `HOST` in `options`; ifupdown2: `vlan-raw-device`", '"bond0"',
    )
    id: int = key(kinds.VLAN_ID, "VLAN id.", "etcnet: `VID` in `options`; ifupdown2: `vlan-id`", "10")
    name: str | None = key(
        kinds.VLAN_NAME, "Name of the interface.", _ETCNET_OPTIONS + "; ifupdown2: `iface <name>`", '"bond0.10"',
        default=None, derived="`<parent>.<id>`",
    )
    address: ipaddress.IPv4Interface | None = key(
        kinds.IPV4_CIDR, "IPv4 address of the node on this VLAN.", _ETCNET_ADDRESS, '"10.10.10.1/24"', default=None,
    )
    address6: ipaddress.IPv6Interface | None = key(
        kinds.IPV6_CIDR, "IPv6 address of the node on this VLAN.", _ETCNET_ADDRESS6, '"fd00:10::1/64"', default=None,
    )
    mtu: int | None = key(kinds.MTU, "MTU.", _MTU, "9000", default=None, derived=_OWN_MTU)


class Bridge(Table):
    """A further bridge of the node, beside the one that `nic` makes."""

    name: str = key(
        kinds.BRIDGE, "Name of the bridge, `vmbr0` to `vmbr4094`: PVE shows no others.",
        _ETCNET_OPTIONS + "; ifupdown2: `iface <name>`", '"vmbr1"',
    )
    port: str | None = key(
        kinds.NIC, "The NIC, bond or VLAN that is plugged into the bridge; without it the bridge has no port and "
        "guests on it reach only one another and the node.",
        "etcnet: `HOST` in `options`; ifupdown2: `bridge-ports`", '"eth1"', default=None, derived="no port",
    )
    address: ipaddress.IPv4Interface | None = key(
        kinds.IPV4_CIDR, "IPv4 address of the node on the bridge.", _ETCNET_ADDRESS, '"10.1.0.1/24"', default=None,
    )
    address6: ipaddress.IPv6Interface | None = key(
        kinds.IPV6_CIDR, "IPv6 address of the node on the bridge.", _ETCNET_ADDRESS6, '"fd00:1::1/64"', default=None,
    )
    mtu: int | None = key(kinds.MTU, "MTU of the bridge and of its port.", _MTU, "9000", default=None,
                          derived=_OWN_MTU)
    vlan_aware: bool = key(
        kinds.BOOLEAN, "Whether guests can be given VLANs on this bridge.",
        "ifupdown2: `bridge-vlan-aware yes`", "true", default=False,
    )
    vlans: str = key(
        kinds.VLAN_RANGES, "The VLANs that a VLAN-aware bridge lets through, ids and ranges with blanks between.",
        "ifupdown2: `bridge-vids`", '"10 20-29"', default=kinds.ALL_VLANS,
    )


class Interface(Table):
    """A plain NIC with an address of its own: a cluster link, a storage network."""

    name: str = key(kinds.NIC, "Name of the NIC.", _ETCNET_OPTIONS + "; ifupdown2: `iface <name>`", '"eth2"')
    address: ipaddress.IPv4Interface | None = key(
        kinds.IPV4_CIDR, "IPv4 address of the node on this NIC.", _ETCNET_ADDRESS, '"10.10.20.1/24"', default=None,
    )
    address6: ipaddress.IPv6Interface | None = key(
        kinds.IPV6_CIDR, "IPv6 address of the node on this NIC.", _ETCNET_ADDRESS6, '"fd00:20::1/64"', default=None,
    )
    mtu: int | None = key(kinds.MTU, "MTU of the NIC.", _MTU, "9000", default=None,
                          derived="the largest MTU of what stands on it, if any is stated")


class Network(Table):
    """What every node's network has in common; a node's own key of the same name wins."""

    gateway: ipaddress.IPv4Address | None = key(
        kinds.IPV4, "Default gateway.", _ETCNET_ROUTE, '"10.0.0.1"', default=None, derived="no default route",
    )
    gateway6: ipaddress.IPv6Address | None = key(
        kinds.IPV6, "Default gateway for IPv6.", _ETCNET_ROUTE6, '"fd00::1"', default=None,
        derived="no IPv6 default route",
    )
    nic: str | None = key(
        kinds.NIC, "The NIC, bond or VLAN that the main bridge stands on.",
        "etcnet: `HOST` in `options` of the bridge; ifupdown2: `bridge-ports`", '"eth0"', default=None,
        derived="each node states its own",
    )
    bridge_name: str = key(
        kinds.BRIDGE, "Name of the main bridge, which carries the node's own address.",
        _ETCNET_OPTIONS + "; ifupdown2: `iface <name>`", '"vmbr0"', default="vmbr0",
    )
    mtu: int | None = key(kinds.MTU, "MTU of the main bridge and of its port.", _MTU, "9000", default=None,
                          derived=_OWN_MTU)
    vlan_aware: bool = key(
        kinds.BOOLEAN, "Whether guests can be given VLANs on the main bridge.",
        "ifupdown2: `bridge-vlan-aware yes`", "true", default=False,
    )
    vlans: str = key(
        kinds.VLAN_RANGES, "The VLANs that a VLAN-aware main bridge lets through.", "ifupdown2: `bridge-vids`",
        '"10 20-29"', default=kinds.ALL_VLANS,
    )
    nameservers: tuple[Any, ...] = key(
        ListOf(kinds.IP), "Name servers, in the order in which they are asked.",
        "etcnet: `resolv.conf` of the bridge; ifupdown2: `dns-nameservers`", '["10.0.0.1"]', default=(),
        derived="name resolution is left as it is",
    )
    search: tuple[str, ...] = key(
        ListOf(kinds.DOMAIN), "Domains in which short names are looked up.",
        "etcnet: `resolv.conf` of the bridge; ifupdown2: `dns-search`", '["example.org"]', default=(),
        derived="the cluster's domain, where `nameservers` are stated",
    )
    bond: tuple[Bond, ...] = tables(Bond, "Bonds that every node has; a node's own bond of the same name wins.")


class Time(Table):
    """Time service."""

    servers: tuple[str, ...] = key(
        ListOf(kinds.SERVER), "NTP servers.",
        "a block of `server` lines in `/etc/chrony.conf` or `/etc/ntpd.conf`", '["10.0.0.1"]', default=(),
        derived="the time service keeps the servers it has",
    )


class Ssh(Table):
    """How root gets from node to node."""

    trust: str = key(
        kinds.choice("password", "keys"),
        'How the nodes come to trust one another\'s root: "password" is asked for while joining, '
        '"keys" takes the public keys that the nodes\' tables state.',
        "`/root/.ssh/authorized_keys` and `/root/.ssh/known_hosts`, or a question at `pvecm add`", '"keys"',
        default="password",
    )
    root_login: str = key(
        kinds.choice("keep", "prohibit-password", "yes"),
        "sshd's PermitRootLogin after the cluster is formed (pvecm itself sets it to yes): "
        '"keep" puts back what it was before.',
        "`PermitRootLogin` in `sshd_config`", '"prohibit-password"', default="keep",
    )
    open_minutes: int = key(
        kinds.integer(1, 120, "minutes"),
        "For how long `sh <node>.sh admit` lets root in by password, for others to join this node.",
        "a timer on the node that closes it again", "15", default=15,
    )


class Limits(Table):
    """Waits and limits of the node scripts."""

    unit: int = key(kinds.integer(1, 3600, SECONDS), "How long a service may take to run.", "`expect_*` of services",
                    "60", default=60)
    network: int = key(kinds.integer(1, 3600, SECONDS),
                       "How long an address, a route or a neighbour may take after the network was restarted.",
                       "the bridge step", "60", default=60)
    quorum: int = key(kinds.integer(1, 3600, SECONDS),
                      "How long the cluster may take to be quorate and `/etc/pve` writable.",
                      "the create and join steps", "120", default=120)
    join: int = key(kinds.integer(30, 7200, SECONDS), "How long `pvecm add` may run before it is stopped.",
                    "the join step: `timeout`", "600", default=600)
    api: int = key(kinds.integer(1, 3600, SECONDS), "How long the web interface may take to answer.",
                   "the manager step", "90", default=90)
    ssh: int = key(kinds.integer(1, 600, SECONDS), "How long the sshd of another node may take to answer.",
                   "the trust, create and join steps: `ConnectTimeout` of ssh, `-T` of ssh-keyscan", "10", default=10)
    clock: int = key(kinds.integer(1, 3600, SECONDS),
                     "By how much the clock of a joining node may differ from the member's.", "the join step",
                     "30", default=30)
    password: int = key(kinds.integer(10, 3600, SECONDS),
                        'How long root\'s password of the member is waited for, with `join = "api"`.', "the join step",
                        "300", default=300)


class Link(Table):
    """A corosync link, given by its network: each node's address in it is the node's end."""

    network: Any = key(
        kinds.NETWORK, "Network of the link. Each node must have exactly one address in it.",
        "`--link<number> <address>` of `pvecm create` and `pvecm add`",
        '"10.10.10.0/24"',
    )
    number: int | None = key(
        kinds.integer(0, 7), "Number of the link; 0 takes the place of the node's own address.",
        "`--link<number>`", "1", default=None, derived="the next free number from 1",
    )
    priority: int | None = key(
        kinds.integer(0, 255), "Priority in passive mode: the highest one that works is used.",
        "`priority=<n>` of `pvecm create`", "20", default=None, derived="corosync's",
    )


class Node(Table):
    """One node, and thereby one script."""

    name: str = key(kinds.NODE_NAME, "Host name, without domain. Never change it after the node is in a cluster.",
                    "`/etc/hosts`; the script refuses to run where `uname -n` is another", '"pve1"')
    mac: str | None = key(
        kinds.MAC,
        "MAC address that the NIC below the main bridge has by itself; where there is a bond, that of any of its NICs. "
        "`cat /sys/class/net/<nic>/address` shows it.",
        "the script refuses to run where the NIC has another", '"52:54:00:12:34:56"', default=None,
        derived="not looked at",
    )
    machine_id: str | None = key(
        kinds.MACHINE_ID, "The machine's own id, the content of `/etc/machine-id`.",
        "the script refuses to run where `/etc/machine-id` is another", '"3c9a1f0e7b5d4826a1b2c3d4e5f60718"',
        default=None, derived="not looked at",
    )
    address: Any = key(
        kinds.ADDRESS_OR_KEEP,
        'The node\'s own IPv4 address, carried by the main bridge; "keep" takes over what the NIC has now.',
        _ETCNET_ADDRESS + "; `/etc/hosts`", '"10.0.0.251/24"',
    )
    hosts_address: ipaddress.IPv4Address | None = key(
        kinds.IPV4,
        'The node\'s IPv4 address for `/etc/hosts` where `address` is "keep" and so is not known on the desk.',
        "`/etc/hosts` of all nodes", '"10.0.0.251"', default=None, derived="`address` without its prefix",
    )
    address6: ipaddress.IPv6Interface | None = key(
        kinds.IPV6_CIDR, "IPv6 address beside the IPv4 one.", _ETCNET_ADDRESS6, '"fd00::251/64"', default=None,
    )
    nic: str | None = key(
        kinds.NIC, "The NIC, bond or VLAN that the main bridge stands on.",
        "etcnet: `HOST` in `options` of the bridge; ifupdown2: `bridge-ports`", '"eth0"', default=None,
        derived="`network.nic`",
    )
    gateway: ipaddress.IPv4Address | None = key(
        kinds.IPV4, "Default gateway of this node.", _ETCNET_ROUTE, '"10.0.0.1"', default=None,
        derived="`network.gateway`",
    )
    gateway6: ipaddress.IPv6Address | None = key(
        kinds.IPV6, "Default gateway of this node for IPv6.", _ETCNET_ROUTE6, '"fd00::1"', default=None,
        derived="`network.gateway6`",
    )
    bridge_name: str | None = key(
        kinds.BRIDGE, "Name of this node's main bridge.", _ETCNET_OPTIONS + "; ifupdown2: `iface <name>`", '"vmbr0"',
        default=None, derived="`network.bridge_name`",
    )
    mtu: int | None = key(kinds.MTU, "MTU of the main bridge and of its port.", _MTU, "9000", default=None,
                          derived="`network.mtu`")
    vlan_aware: bool | None = key(
        kinds.BOOLEAN, "Whether guests can be given VLANs on the main bridge.",
        "ifupdown2: `bridge-vlan-aware yes`", "true", default=None,
        derived="`network.vlan_aware`",
    )
    vlans: str | None = key(
        kinds.VLAN_RANGES, "The VLANs that a VLAN-aware main bridge lets through.", "ifupdown2: `bridge-vids`",
        '"10 20-29"', default=None, derived="`network.vlans`",
    )
    joins: str | None = key(
        kinds.NODE_NAME, "The member that this node joins the cluster through. All members are equal.",
        "`pvecm add <member>`", '"pve2"', default=None,
        derived="the first node, which itself creates the cluster",
    )
    nodeid: int | None = key(kinds.integer(1, 65535), "corosync's number of the node.", "`--nodeid`", "1",
                             default=None, derived="pvecm takes the first free number")
    votes: int | None = key(kinds.integer(0, 255), "Votes of the node for quorum.", "`--votes`", "1", default=None,
                            derived="pvecm's, 1")
    ssh_user_key: str | None = key(
        kinds.SSH_PUBLIC_KEY,
        "Public key of root on this node; `sh <node>.sh keys` prints it. Needed where `ssh.trust` is \"keys\".",
        "`/root/.ssh/authorized_keys` of the other nodes",
        '"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHO3vRnTsGsMdjmhGt1eJl5vZ1KW1syqRUj+LAyV0OLo root@pve1"', default=None,
    )
    ssh_host_keys: tuple[str, ...] = key(
        ListOf(kinds.SSH_PUBLIC_KEY),
        "Public host keys of this node; `sh <node>.sh keys` prints them. Needed where `ssh.trust` is \"keys\".",
        "`/root/.ssh/known_hosts` of the other nodes",
        '["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHO3vRnTsGsMdjmhGt1eJl5vZ1KW1syqRUj+LAyV0OLo"]', default=(),
    )
    fingerprint: str | None = key(
        kinds.FINGERPRINT,
        'SHA-256 fingerprint of the certificate that this node\'s web interface shows, for nodes that join through it '
        'with `cluster.join = "api"`; `sh <node>.sh fingerprint` prints it.',
        "`pvecm add <member> --fingerprint <fingerprint>`",
        '"' + ":".join(f"{n:02X}" for n in range(0x40, 0x60)) + '"', default=None,
        derived="to be given as `--fingerprint` when the other node joins",
    )
    bond: tuple[Bond, ...] = tables(Bond, "Bonds of this node.")
    vlan: tuple[Vlan, ...] = tables(Vlan, "VLAN interfaces of this node.")
    bridge: tuple[Bridge, ...] = tables(Bridge, "Further bridges of this node.")
    interface: tuple[Interface, ...] = tables(Interface, "Plain NICs of this node that carry an address.")


class Description(Table):
    """A whole description, as the file states it (nothing derived yet)."""

    format: int = key(kinds.integer(1, 1, code="PVE111"), "Version of the description's format.",
                      "which keys there are", "1")
    cluster: Cluster = table(Cluster, "What is the same on every node.", required=True)
    network: Network = table(Network, "What the nodes' networks have in common.")
    time: Time = table(Time, "Time service.")
    ssh: Ssh = table(Ssh, "How root gets from node to node.")
    limits: Limits = table(Limits, "Waits and limits of the node scripts, in seconds.")
    link: tuple[Link, ...] = tables(Link, "Further cluster links (corosync), beside the nodes' own addresses.")
    node: tuple[Node, ...] = tables(Node, "One table a node. The first one creates the cluster.", required=True)
