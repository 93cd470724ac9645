"""pvecm of every series sets PermitRootLogin to yes: in the file, and never in force."""

from __future__ import annotations

import re

import pytest
from sandbox import Sandbox
from sandbox.requirements import require_system

from .nodes import Nodes, description, login

pytestmark = pytest.mark.sandbox

SERIES = {"4": "alt-p8", "5": "alt-p8-pve5", "6": "pve-6", "7": "pve-7", "8": "alt-p11", "9": "pve-9"}


def sshd_config(box: Sandbox) -> str:
    return "/etc/ssh/sshd_config" if box.exists("/etc/debian_version") else "/etc/openssh/sshd_config"


def of_pvecm(box: Sandbox) -> int:
    """How many lines are as pvecm writes them; ours are indented."""
    return len(re.findall(r"^PermitRootLogin yes$", box.read(sshd_config(box)), re.MULTILINE))


@pytest.mark.parametrize("series", SERIES)
def test_what_pvecm_writes_into_sshd_s_file_never_comes_into_force(series: str) -> None:
    target = SERIES[series]
    require_system(target)
    with Nodes(description(target), system=target) as nodes:
        first = nodes["pve1"]
        path = sshd_config(first)
        own = re.sub(r"(?m)^#PermitRootLogin", "PermitRootLogin", first.read(path))
        first.put(path, own)
        second = nodes["pve2"]
        without = re.sub(r"(?m)^#PermitRootLogin.*\n", "", second.read(path))
        second.put(path, without)
        assert own != without and [of_pvecm(box) for box in (first, second)] == [0, 0]
        nodes.form()
        nodes.call("pve1", "close").expect(0)
        # Create has replaced a line, and add has appended one where there was none.
        assert [of_pvecm(box) for box in (first, second)] == [1, 1]
        for name, box in nodes.node.items():
            assert login(box)[0] == "prohibit-password"
            nodes.verify(name).expect(0)
            assert nodes.apply(name).expect(0).changes == 0


@pytest.mark.parametrize("series", SERIES)
def test_pvecm_that_writes_once_more_changes_nothing_in_force(series: str) -> None:
    """As it does when a node is taken out by hand and joins again: every line of the file that it knows is yes."""
    target = SERIES[series]
    require_system(target)
    with Nodes(
        description(target, tables='[ssh]\nroot_login = "prohibit-password"\n'), ["pve1"], system=target
    ) as nodes:
        box = nodes["pve1"]
        nodes.apply("pve1").expect(0)
        path = sshd_config(box)
        box.put(
            path, re.sub(r"(?m)^#?PermitRootLogin.*", "PermitRootLogin yes", box.read(path)) + "\nPermitRootLogin yes\n"
        )
        unit = "ssh" if target.startswith("pve-") else "sshd"
        box.run(f"systemctl reload-or-restart {unit}").check()
        assert login(box)[0] == "prohibit-password"
        nodes.verify("pve1").expect(0)
        assert nodes.apply("pve1").expect(0).changes == 0
