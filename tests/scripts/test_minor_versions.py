"""What depends on the minor version within a target is asked on the node, and said: packages' versions decide."""

from __future__ import annotations

import re

import pytest
from sandbox import Sandbox

from . import support
from .conftest import Make

pytestmark = pytest.mark.sandbox

TWO = """
format = 1
[cluster]
name = "minor"
target = "{target}"
domain = "example.org"
{coefficient}
[network]
gateway = "10.0.0.1"
nic = "eth0"
[[link]]
network = "10.1.0.0/24"
number = {link}
[[node]]
name = "pve1"
address = "10.0.0.251/24"
[[node.interface]]
name = "eth1"
address = "10.1.0.1/24"
[[node]]
name = "pve2"
address = "10.0.0.252/24"
[[node.interface]]
name = "eth1"
address = "10.1.0.2/24"
"""


def made(
    make: Make, name: str, node: str = "pve1", *, link: int = 1, coefficient: str = "", **settings: str
) -> Sandbox:
    text = TWO.format(target=name, link=link, coefficient=coefficient)
    if name.startswith("alt-p8"):  # one ring alone
        text = re.sub(r"\[\[(link|node\.interface)\]\]\n(\w+ = .*\n)+", "", text)
    nics = {"eth0": [f"10.0.0.25{node[-1]}/24"], "eth1": []}
    return make(text, node=node, system=name, nics=nics, settings=settings, held=["pve-cluster", "pveproxy"])


def install(box: Sandbox, package: str, version: str) -> None:
    """Let another version of a package be installed."""
    path = "/var/lib/standin/packages"
    packages, count = re.subn(rf"^{package} .*$", f"{package} {version}", box.read(path), flags=re.MULTILINE)
    assert count == 1
    box.put(path, packages)


def said(box: Sandbox, node: str, part: str) -> list[str]:
    """The points of a check that have a text in them, as "ok ..." or "not ok ..."."""
    run = support.run(box, "check", path=f"/root/{node}.sh")
    return re.findall(rf"^ *((?:not )?ok \d+ - [^\n]*{part}[^\n]*)$", run.stdout, re.MULTILINE)


def fine(points: list[str]) -> bool:
    assert len(points) == 1, points
    return points[0].startswith("ok")


@pytest.mark.parametrize(
    ("name", "link", "version", "asked", "enough"),
    [
        ("alt-p9", 2, "6.0.10-alt1", True, False),
        ("alt-p9", 2, "6.1.5-alt1", True, True),
        ("alt-p9", 1, "6.0.10-alt1", False, True),
        ("pve-6", 7, "6.1-4", True, False),
        ("pve-6", 7, "6.1-5", True, True),
        ("pve-7", 7, "7.0-3", False, True),
    ],
)
def test_links_beyond_the_first_two(make: Make, name: str, link: int, version: str, asked: bool, enough: bool) -> None:
    box = made(make, name, link=link)
    install(box, "pve-cluster", version)
    points = said(box, "pve1", "the links of the description")
    assert fine(points) == enough if asked else points == []


@pytest.mark.parametrize(
    ("name", "version", "enough"),
    [
        ("alt-p11", "9.0.6-alt1", False),
        ("alt-p11", "9.1.0-alt1", True),
        ("pve-9", "9.0.7", False),
        ("pve-9", "9.1.0", True),
        ("pve-9", "10.0.1", True),
    ],
)
def test_the_token_coefficient(make: Make, name: str, version: str, enough: bool) -> None:
    box = made(make, name, coefficient="token_coefficient = 200")
    install(box, "pve-cluster", version)
    assert fine(said(box, "pve1", "token_coefficient")) == enough


@pytest.mark.parametrize(
    ("name", "cluster", "rsync", "enough"),
    [
        ("alt-p8", "4.0.46-alt1", "3.1.2", True),
        ("alt-p8", "4.0.46-alt1", "3.2.7", False),
        ("alt-p8-pve5", "5.0.19-alt1", "3.1.3", True),
        ("alt-p8-pve5", "5.0.19-alt1", "3.4.1", False),
        ("alt-p9", "6.2.1-alt1", "3.2.3", True),
        ("alt-p10", "7.3.1-alt1", "3.2.4", False),
        ("pve-7", "7.3-3", "3.2.7", False),
        ("pve-7", "8.0.1", "3.2.7", None),
        ("pve-8", "8.0.1", "3.2.7", None),
    ],
)
def test_an_rsync_that_pvecm_cannot_call(make: Make, name: str, cluster: str, rsync: str, enough: bool | None) -> None:
    """None: pvecm of that version calls every rsync rightly, and nothing is asked."""
    box = made(make, name, "pve2", rsync=rsync)
    install(box, "pve-cluster", cluster)
    points = said(box, "pve2", "rsync")
    assert points == [] if enough is None else fine(points) == enough
