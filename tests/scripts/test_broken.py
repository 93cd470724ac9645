"""What an experienced hand did to break a node: each of these once did."""

from __future__ import annotations

import pytest
from sandbox import diff_trees

from . import support
from .test_join import wait
from .test_switch import DIRECTORY, MANNERS, bridge, files, network, node, under_way

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


def test_another_description_takes_the_whole_of_a_dead_runs_switch_back() -> None:
    """What the dead run switched is not what the next one would."""
    with node("exchange", silent=True, nics={"eth0": ["10.0.0.251/24"], "eth1": []}) as nodes:
        box = nodes["pve1"]
        before, disk = network(box), files(box)
        with under_way(nodes, "--confirm-within", "60"):
            wait(box, f"[ -s {DIRECTORY}/seen ]", 30)
            box.run(f"pkill -KILL -f {RUN}; systemctl stop pvegen-network-back.timer pvegen-network-try.service")
        nodes.rebuild(support.changed(nodes.text, ('nic = "eth0"', 'nic = "eth1"')))
        wait(box, "flock -n /run/pvegen/lock true", 10)
        bridge(nodes, "--confirm-within", "3").expect(1)
        assert network(box) == before
        assert [str(c) for c in diff_trees(disk, files(box))] == []
