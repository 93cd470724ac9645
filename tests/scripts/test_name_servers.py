"""Name servers on a system where nothing carries them from /etc/network/interfaces into /etc/resolv.conf."""

from __future__ import annotations

import pytest

from . import support
from .conftest import Make

pytestmark = pytest.mark.sandbox

HELD = ["pve-cluster", "pveproxy"]
SERVERS = ("[network]", '[network]\nnameservers = ["10.0.0.53"]')
TAKES = "the name servers of the description come into /etc/resolv.conf"


@pytest.mark.parametrize("name", ["pve-6", "pve-9"])
def test_they_are_refused_before_anything_changes(make: Make, name: str) -> None:
    text = support.changed(support.ONE.format(target=name), SERVERS)
    box = make(text, system=name, held=HELD)
    before = support.picture(box)
    run = support.apply(box)
    assert run.status == 78 and run.failures == [f"bridge: {TAKES}"], run
    assert "apt-get install resolvconf" in run.tap.failures()[0].yaml["help"]
    assert support.untouched(before, support.picture(box, skip=[support.LOG])) == []
    box.put("/etc/resolv.conf", "nameserver 10.0.0.53\n")
    support.apply(box).expect(0)
    support.verify(box).expect(0)


def test_resolvconf_takes_them(make: Make) -> None:
    box = make(support.changed(support.ONE.format(target="alt-p11"), SERVERS), held=HELD)
    assert box.exists("/usr/sbin/resolvconf") or box.exists("/sbin/resolvconf")
    support.apply(box).expect(0)
    assert "nameserver 10.0.0.53" in box.read("/etc/resolv.conf")
