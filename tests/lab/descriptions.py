"""The descriptions that scenarios are built from."""

import re
from collections.abc import Sequence

from scripts import nodes

LINK = '[[link]]\nnetwork = "10.1.0.0/24"'


def description(target: str, count: int | Sequence[str] = 3, **more: str) -> str:
    """Nodes pve1, pve2, ... of one NIC at 10.0.0.11, .12, ..., with the limits that users have.

    COUNT and MORE as in scripts.nodes.description.
    """
    own = [""] * count if isinstance(count, int) else count
    text = nodes.description(
        target, [f'address = "10.0.0.{10 + n}/24"\n{more}' for n, more in enumerate(own, 1)], **more
    )
    return re.sub(r"\[limits\]\n(?:\w+ = \d+\n)+", "", text)


def two_links(target: str, count: int, last: str = "") -> str:
    """COUNT nodes with a NIC for the bridge and another one for a second link; LAST: further lines of the last one."""
    lines = [f'[[node.interface]]\nname = "eth1"\naddress = "10.1.0.{number}/24"' for number in range(1, count + 1)]
    return description(target, [*lines[:-1], f"{last}\n{lines[-1]}"], tables=LINK)


def many(target: str, count: int, last: str = "") -> str:
    """COUNT nodes with as many links as the target has use for; LAST as in two_links."""
    if target == "alt-p8":  # corosync 2 has one
        return description(target, [""] * (count - 1) + [last])
    return two_links(target, count, last)
