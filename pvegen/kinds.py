"""Kinds of value that a description can hold: what each accepts, in one place.

A kind turns one TOML value into a Python value or says why it cannot. It also
knows its JSON Schema and how the reference page names it, so that reading,
`pvegen schema` and `docs/description.md` cannot disagree.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Rejected(Exception):
    """A value is not of its kind.

    code: the mistake's code in the catalogue; facts: what its message needs.
    """

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class Kind(NamedTuple):
    """One kind of value.

    name: how the reference page calls it; base: "string", "integer", "boolean";
    parse: base value -> Python value, or Rejected; schema: JSON Schema of it.
    """

    name: str
    base: str
    parse: Callable[[Any], Any]
    schema: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


class ListOf(NamedTuple):
    """A TOML array whose items are all of one kind."""

    item: Kind
    at_least: int = 0


def _pattern(name: str, pattern: str, code: str, max_length: int | None = None) -> Kind:
    """A string kind given by a pattern; a value that does not fit is mistake `code`."""
    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise Rejected(code, value=value)
        if max_length is not None and len(value) > max_length:
            raise Rejected(code, value=value)
        return value

    schema: dict[str, Any] = {"type": "string", "pattern": f"^(?:{pattern})$"}
    if max_length is not None:
        schema["maxLength"] = max_length
    return Kind(name, "string", parse, schema)


def choice(*words: str) -> Kind:
    """One of a few words."""

    def parse(value: str) -> str:
        if value not in words:
            raise Rejected("PVE112", value=value, words=words)
        return value

    return Kind("one of " + ", ".join(f'"{w}"' for w in words), "string", parse, {"enum": list(words)})


def integer(low: int, high: int, unit: str = "", code: str = "PVE113") -> Kind:
    """A whole number from low to high, both allowed."""

    def parse(value: int) -> int:
        if not low <= value <= high:
            raise Rejected(code, value=value, low=low, high=high)
        return value

    name = f"integer {low}-{high}" + (f", {unit}" if unit else "")
    return Kind(name, "integer", parse, {"type": "integer", "minimum": low, "maximum": high})


BOOLEAN = Kind("boolean", "boolean", lambda value: value, {"type": "boolean"})

# A DNS label, at most 63 characters long (RFC 1035).
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

# pve-node format of PVE's JSONSchema.pm; a cluster name is at most 15 characters long
# (facts: "Names and limits"), a node name is a DNS label, 63.
CLUSTER_NAME = _pattern("cluster name", _LABEL, "PVE201", 15)
NODE_NAME = _pattern("node name", _LABEL, "PVE202", 63)
# With a node's name and a dot before it a domain is still at most 253 characters long.
DOMAIN = _pattern("DNS domain", rf"{_LABEL}(?:\.{_LABEL})*", "PVE203", 189)
TARGET = _pattern("target", "[a-z0-9][a-z0-9-]*", "PVE204", 40)

# IFNAMSIZ leaves 15 characters. PVE's own interface ids: letter first, then letters,
# digits and underscores; a dot or colon only before a VLAN or alias number.
NIC = _pattern("interface name", "[A-Za-z][A-Za-z0-9_]*(?:[.][0-9]+)?", "PVE221", 15)
BOND = _pattern("bond name", "bond[0-9]{1,4}", "PVE222", 8)
BRIDGE = _pattern(
    "bridge name", "vmbr(?:0|[1-9][0-9]{0,2}|[1-3][0-9]{3}|40(?:[0-8][0-9]|9[0-4]))", "PVE223", 8
)
VLAN_NAME = _pattern("VLAN interface name", "[A-Za-z][A-Za-z0-9_]*(?:[.][0-9]+)?", "PVE221", 15)
VLAN_ID = integer(1, 4094, code="PVE224")
# What a VLAN-aware bridge lets through unless something is stated: PVE's own default.
ALL_VLANS = "2-4094"
_ID = "(?:0|[1-9][0-9]{0,3})"
VLAN_RANGES = _pattern("VLAN ids", f"{_ID}(?:-{_ID})?(?: {_ID}(?:-{_ID})?)*", "PVE225", 200)
MTU = integer(1280, 9216, "bytes", code="PVE226")

_PAIR = "[0-9A-Fa-f]{2}"
_MAC = f"{_PAIR}(?:[:-]{_PAIR}){{5}}"


def _mac(value: str) -> str:
    """A NIC's MAC address in the kernel's spelling; groups of NICs and nobody have addresses too, and are none."""
    plain = value.lower().replace("-", ":")
    if not re.fullmatch(_MAC, value) or int(plain[:2], 16) & 1 or plain == "00:00:00:00:00:00":
        raise Rejected("PVE227", value=value)
    return plain


def _machine_id(value: str) -> str:
    """The content of /etc/machine-id: 32 hexadecimal digits (machine-id(5)), not all of them 0."""
    if not re.fullmatch("[0-9A-Fa-f]{32}", value) or not value.strip("0"):
        raise Rejected("PVE208", value=value)
    return value.lower()


MAC = Kind("MAC address", "string", _mac, {"type": "string", "pattern": f"^{_MAC}$"})
MACHINE_ID = Kind("machine id", "string", _machine_id, {"type": "string", "pattern": "^[0-9A-Fa-f]{32}$"})

SSH_PUBLIC_KEY = _pattern(
    "ssh public key",
    r"(?:ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]{40,}={0,3}(?: [A-Za-z0-9._@+-]{1,100})?",
    "PVE241",
)

_FINGERPRINT = f"{_PAIR}(?::{_PAIR}){{31}}"


def _fingerprint(value: str) -> str:
    """The SHA-256 of a certificate as openssl prints it: 32 pairs of digits, in capitals as pvecm compares."""
    if not re.fullmatch(_FINGERPRINT, value):
        raise Rejected("PVE243", value=value)
    return value.upper()


FINGERPRINT = Kind(
    "SHA-256 fingerprint", "string", _fingerprint, {"type": "string", "pattern": f"^{_FINGERPRINT}$"}
)
TIMEZONE = _pattern("time zone", r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", "PVE205", 64)


def _address(version: int, prefix: bool) -> Callable[[str], Any]:
    """Parser of an address of one IP version, with or without a prefix length."""

    def parse(value: str) -> Any:
        has_prefix = "/" in value
        if prefix and not has_prefix:
            raise Rejected("PVE211", value=value, example="10.0.0.251/24" if version == 4 else "fd00::1/64")
        if not prefix and has_prefix:
            raise Rejected("PVE212", value=value, bare=value.split("/")[0])
        try:
            _no_scope(value)
            address: Any = ipaddress.ip_interface(value) if prefix else ipaddress.ip_address(value)
            if prefix:
                _prefix_of_digits(value)
        except ValueError:
            raise Rejected("PVE210", value=value, version=version) from None
        if address.version != version:
            raise Rejected("PVE213", value=value, version=version, other=address.version)
        return address

    return parse


def _no_scope(value: str) -> None:
    """ValueError if an address has a scope id: ipaddress takes any text at all for one, blanks included."""
    if "%" in value:
        raise ValueError


def _prefix_of_digits(value: str) -> None:
    """ValueError if a network's size is given otherwise than by its prefix's length: by a netmask, or not at all."""
    if not re.fullmatch(".*/[0-9]{1,3}", value):
        raise ValueError


def _network(value: str) -> Any:
    """A network in CIDR form whose host bits are zero, either IP version."""
    try:
        _no_scope(value)
        _prefix_of_digits(value)
        return ipaddress.ip_network(value)
    except ValueError:
        raise Rejected("PVE214", value=value) from None


# What an editor can tell of an address: more is let through than parse takes, and nothing less.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_V6 = rf"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*(?::{_V4})?"
_V4_PREFIX = "/0*(?:3[0-2]|[12]?[0-9])"
_V6_PREFIX = "/0*(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"


def _shaped(*patterns: str) -> dict[str, Any]:
    """The JSON Schema of a string of one of these shapes."""
    return {"type": "string", "pattern": f"^(?:{'|'.join(patterns)})$"}


IPV4_CIDR = Kind("IPv4 address/prefix", "string", _address(4, prefix=True), _shaped(_V4 + _V4_PREFIX))
IPV6_CIDR = Kind("IPv6 address/prefix", "string", _address(6, prefix=True), _shaped(_V6 + _V6_PREFIX))
IPV4 = Kind("IPv4 address", "string", _address(4, prefix=False), _shaped(_V4))
IPV6 = Kind("IPv6 address", "string", _address(6, prefix=False), _shaped(_V6))


# A network may also be written with a netmask, or bare where it is one address.
NETWORK = Kind("network/prefix", "string", _network, _shaped(rf"{_V4}(?:/.*)?", rf"{_V6}(?:/.*)?"))


def _any_ip(value: str) -> Any:
    try:
        _no_scope(value)
        return ipaddress.ip_address(value)
    except ValueError:
        raise Rejected("PVE215", value=value) from None


def is_number(label: str) -> bool:
    """Whether a name's label is a number to what reads addresses (inet_aton(3)): 10, 0x10."""
    return re.fullmatch("[0-9]+|0[xX][0-9A-Fa-f]*", label) is not None


def _server(value: str) -> str:
    """A host name or an address, as one word; what ends in a number can only be an address."""
    named = re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", value) and len(value) <= 253
    if named and not is_number(value.split(".")[-1]):
        return value
    try:
        _no_scope(value)
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise Rejected("PVE216", value=value) from None


IP = Kind("IP address", "string", _any_ip, _shaped(_V4, _V6))
# A host name: what ends in a number is read as an address.
_NO_NUMBER_LAST = rf"(?:{_LABEL}\.)*(?!(?:[0-9]+|0[xX][0-9A-Fa-f]*)$){_LABEL}"
SERVER = Kind("host name or IP address", "string", _server, _shaped(_NO_NUMBER_LAST, _V4, _V6))


def _address_or_keep(value: str) -> Any:
    return "keep" if value == "keep" else _address(4, prefix=True)(value)


ADDRESS_OR_KEEP = Kind('IPv4 address/prefix, or "keep"', "string", _address_or_keep, _shaped("keep", _V4 + _V4_PREFIX))
