"""Every target whose series joins through the API: three nodes joined, verified, applied again, rolled back before.

PVEGEN_EVERY=1 tries each target in each of the shells; else they take turns, as in test_matrix.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import sample
from sandbox.requirements import require_system

from pvegen import target as targets
from pvegen.description import load

from . import support
from .nodes import Nodes, address, bail, description, login, trash
from .support import sound_and_nothing_to_do
from .test_join_api import BY_API, adds, fingerprint, join
from .test_matrix import LINK, OWN, SHELLS, TARGETS, nics
from .test_rollback import disk, same, units

pytestmark = pytest.mark.sandbox

HAVE_IT = [name for name in TARGETS if targets.load(name).pvecm["api"]]
CLUSTERS = {"alt-p9": "6.2-1", "alt-p10": "7.3-3", "alt-p11": "8.1.2"}
CLUSTERS |= {"pve-6": "6.4-1", "pve-7": "7.3-3", "pve-8": "8.1.2", "pve-9": "9.1.1"}
"""The pve-cluster of each target's system, from tests/sandbox/systems: which pvecm the join is tried with.

All of them spell it `pvecm add MEMBER --fingerprint FP --link0 ADDRESS`: `--ring0_addr` went with 6.0, and the API came
with 5.0-21. What differs is behind that: before 6.1-5 there are two links and the checks come before the worker
(test_two_links_and_honest_checks), 7.3-3 refuses to run below /etc/pve, 8.0 merges ssh keys instead of known hosts.
Each asks for the password first, and for the certificate only where no fingerprint is given.
"""


def cells() -> list[tuple[str, str]]:
    """(target, shell): each target in one shell, the shells taking turns; in all where EVERY."""
    first = sample.chance("matrix").randrange(len(SHELLS))
    return [
        (name, shell)
        for row, name in enumerate(HAVE_IT)
        for turn, shell in enumerate(SHELLS)
        if sample.EVERY or turn == (first + row) % len(SHELLS)
    ]


def test_each_series_from_pve_6_on_has_it() -> None:
    assert sorted(HAVE_IT) == sorted(CLUSTERS)


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in HAVE_IT])
def test_an_error_at_its_line_on_the_others(target: str, tmp_path: Path) -> None:
    """alt-p8, and alt-p8-pve5, which is of 5.0 and 5.1."""
    path = tmp_path / "cluster.toml"
    path.write_text(description(target, 3, cluster=BY_API))
    assert [(found.code, found.path) for found in load(str(path)).mistakes] == [("PVE510", ("cluster", "join"))]


@pytest.mark.parametrize(("target", "shell"), cells())
def test_three_nodes(target: str, shell: str) -> None:
    require_system(target)
    own = [OWN.format(number=250 + number) for number in (1, 2, 3)]
    with Nodes(
        description(target, own, tables=LINK, cluster=BY_API), more_nics=nics(3), held=["pve-cluster", "pveproxy"]
    ) as nodes:
        assert nodes["pve2"].system.settings["pve-cluster"] == CLUSTERS[target]
        second = nodes["pve2"]
        second.put(support.PLACE, nodes.scripts["pve2"])  # where units() looks for their names
        stood = disk(second), units(second)
        nodes.apply("pve1", shell=shell).expect(0)
        policy = login(nodes["pve1"])[0]
        stopped = join(nodes, "pve2", password="wrong", shell=shell)
        assert stopped.status == 1 and "does not let root in by this password" in bail(stopped), str(stopped)
        nodes.call("pve2", "rollback", shell=shell).expect(0)
        # ifupdown2 leaves the address of a NIC that is in its file no more, until the next boot.
        same(stood[0], second)
        assert units(second) == stood[1]
        for name in ("pve2", "pve3"):
            join(nodes, name, shell=shell).expect(0)
            words = ["10.0.0.251", "--fingerprint", fingerprint(nodes), "--link0", address(int(name[3:]))]
            assert [call[2:] for call in adds(nodes[name])] == [[*words, "--link1", f"10.1.0.{250 + int(name[3:])}"]]
        nodes.agree()
        for name, box in nodes.node.items():
            assert trash(box) == [], name
            assert login(box)[0] == policy, name
            sound_and_nothing_to_do(box, shell, f"/root/{name}.sh")
        assert "pvecm delnode" in nodes.call("pve3", "rollback", shell=shell).expect(0).stdout
        nodes.agree()


def test_two_links_and_honest_checks() -> None:
    """pve-cluster 6.1-4: what PVE 6.0 and 6.1 have."""
    text = description("alt-p9", [OWN.format(number=251), OWN.format(number=252)], tables=LINK, cluster=BY_API)
    with Nodes(text, more_nics=nics(3), settings={"pve-cluster": "6.1-4"}) as nodes:
        nodes.apply("pve1").expect(0)
        join(nodes, "pve2").expect(0)
        nodes.agree()
        nodes.verify("pve2").expect(0)
