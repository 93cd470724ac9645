"""What an experienced hand did to break a node: each of these once did."""

from __future__ import annotations

import pytest

from .test_join import wait
from .test_switch import DIRECTORY, MANNERS, network, node, under_way

pytestmark = pytest.mark.sandbox

RUN = "'^[^ ]*dash /root/pve1.sh apply'"


@pytest.mark.parametrize("manner", MANNERS)
def test_a_host_name_that_changes_meanwhile_does_not_stop_what_puts_the_network_back(manner: str) -> None:
    """A lease over the new network may bring another name."""
    with node(manner, silent=True) as nodes:
        box = nodes["pve1"]
        before = network(box)
        with under_way(nodes, "--confirm-within", "4"):
            box.run(f"pkill -KILL -f {RUN}; echo leased >/proc/sys/kernel/hostname")
        wait(box, f"[ -e {DIRECTORY}/reverted ]", 20)
        assert network(box) == before
