"""Kinds of value: whatever text comes in, what goes out is refused or harmless."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pvegen import kinds
from pvegen.kinds import Kind, Rejected

STRINGS = [kind for kind in vars(kinds).values() if isinstance(kind, Kind) and kind.base == "string"]
# What no kind may let through: a shell, chrony.conf and /etc/network/interfaces make something of it.
HARMFUL = re.compile(r"""["'`$\\;&|<>()%#!*?~]|[^ -~]""")

ADDRESSES = st.one_of(st.ip_addresses(), st.ip_addresses(network="fe80::/64")).map(str)
NETWORKS = st.one_of(ADDRESSES.map(lambda a: f"{a}/24"), st.sampled_from(["10.0.0.0/24", "fd00::/64", "::/0"]))


@st.composite
def scoped(draw: st.DrawFn) -> str:
    """An address or a network with text put where a scope id could be, and elsewhere."""
    text = draw(st.one_of(ADDRESSES, NETWORKS))
    at = draw(st.integers(0, len(text)))
    piece = draw(st.one_of(st.text(max_size=12), st.sampled_from(["%eth0", "%x & y", "%1 trust port 1 # ", " ", "%"])))
    return text[:at] + piece + text[at:]


# The same cases each time in CI, new ones on the desk.
@settings(max_examples=300, deadline=None, derandomize=os.environ.get("CI") == "true", database=None)
@example("fe80::1%eth0 trust port 1 # ; reboot | x")
@example("fd00:1::%x y/64")
@given(st.one_of(scoped(), st.text(max_size=30)))
def test_what_is_accepted_is_harmless(value: str) -> None:
    for kind in STRINGS:
        try:
            parsed = str(kind.parse(value))
        except Rejected:
            continue
        assert not HARMFUL.search(parsed), kind.name
        assert " " not in parsed or kind in (kinds.VLAN_RANGES, kinds.SSH_PUBLIC_KEY), kind.name


@pytest.mark.parametrize("value", ["10.10.10.0", "10.10.10.0/255.255.255.0", "10.10.10.0/0.0.0.255", "fd00::"])
def test_a_network_has_the_length_of_its_prefix(value: str) -> None:
    with pytest.raises(Rejected):
        kinds.NETWORK.parse(value)


@pytest.mark.parametrize(
    ("value", "parsed"), [("ntp.example.org", "ntp.example.org"), ("10.0.0.1", "10.0.0.1"), ("FD00::0009", "fd00::9")]
)
def test_a_server_is_one_word(value: str, parsed: Any) -> None:
    assert kinds.SERVER.parse(value) == parsed
