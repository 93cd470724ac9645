"""The power of the joining node, or of its member, is cut while it joins.

What a disk was told before the cut is on it: the processes die, the machine's memory of files does not.
"""

import pytest
from faults import sample
from scripts.nodes import TARGETS

from .conftest import MakeLab
from .moments import JOINER, MEMBER, MOMENTS, reach
from .wrong import Going, both_in, hasty, mend, ready

pytestmark = pytest.mark.lab


def cases() -> list[object]:
    """(target, who, moment): all, or as many as CI has time for."""
    return [
        pytest.param(target, who, moment, id=f"{target}-{who}-{moment.replace(' ', '_')}")
        for target in TARGETS
        for who in (JOINER, MEMBER)
        for moment in sample.pick(list(MOMENTS), 2, "lab", target, who)
    ]


@pytest.mark.both_targets
@pytest.mark.parametrize(("target", "power_of", "cut_at"), cases())
def test_power_cut_while_joining(lab: MakeLab, target: str, power_of: str, cut_at: str) -> None:
    """Power cut while a node joins: the next run of its script mends it, or says what to do."""
    nodes = ready(lab, target, MEMBER, JOINER)
    hasty(nodes, quorum=40)
    going = Going(nodes, JOINER)
    reach(nodes, cut_at, going.goes)
    nodes[power_of].cut_power()
    if power_of == JOINER:
        going.cut()
    nodes.start(power_of)
    if power_of == MEMBER:
        going.ended()
    print("followed:", mend(nodes, JOINER))
    both_in(nodes, MEMBER, JOINER)
