"""A corosync.conf where the target's package is believed to bring none: pmxcfs would import it when it first starts."""

from __future__ import annotations

import pytest
from sandbox import Sandbox

from . import support
from .conftest import Make

pytestmark = pytest.mark.sandbox

CONF = "/etc/corosync/corosync.conf"
EXAMPLE = "totem {\n  version: 2\n}\n"
TAKEN = f"services: {CONF} is of no cluster that this node is in"


def told(box: Sandbox) -> list[str]:
    """What the check of the whole script refuses for."""
    return [failure for failure in support.check(box).failures if CONF in failure]


@pytest.mark.trap("C2")
@pytest.mark.parametrize("text", [support.P11, support.ONE.format(target="alt-p11")], ids=["cluster", "alone"])
def test_it_is_refused_before_pve_cluster_starts(make: Make, text: str) -> None:
    box = make(text, held=["pve-cluster", "pveproxy"])
    assert told(box) == []
    box.put(CONF, EXAMPLE)
    before = support.picture(box)
    run = support.apply(box)
    assert run.status == 78 and len(run.failures) == 1 and run.failures[0].startswith(TAKEN), run
    assert f"mv {CONF} /root/" in run.tap.failures()[0].yaml["help"]
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
    box.remove(CONF)
    support.apply(box).expect(0)
    assert not box.exists("/etc/pve/corosync.conf") or text == support.P11


@pytest.mark.parametrize("path", ["/etc/corosync/authkey", "/var/lib/pve-cluster/config.db"])
def test_it_is_nobodys_business_where_pmxcfs_does_not_import_it(make: Make, path: str) -> None:
    """pmxcfs has a database, or the node seems to be a member, which is told in other words."""
    box = make(support.ONE.format(target="alt-p11"), held=["pve-cluster", "pveproxy"])
    box.put(CONF, EXAMPLE)
    box.put(path, "")
    assert [failure for failure in told(box) if failure.startswith(TAKEN)] == []
