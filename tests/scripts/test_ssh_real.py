"""What sshd and ssh themselves say after the ssh step, on each target's stock files and on hostile ones."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from sandbox import Sandbox
from sandbox.requirements import require_system
from sandbox.systems import SYSTEMS

from .nodes import Nodes, description
from .openssh import bring_nearest

pytestmark = pytest.mark.sandbox

NAMES = sorted(folder.name for folder in SYSTEMS.iterdir())
TICKET = "LC_PVE_TICKET"
# (at the end of sshd_config, at the end of ssh_config): blocks that go on to the end of the file, no newline there.
ENDS = {
    "stock": ("", ""),
    "blocks": (
        "\nmatch ADDRESS 10.99.0.0/16\n\tPermitRootLogin no\nMATCH user nobody\n  x11forwarding NO",
        "\nhost other\n\tPort 2222\nHOST *.example.net\n  user Nobody",
    ),
}


def values(box: Sandbox, command: str, key: str) -> list[str]:
    """All words of KEY in what sshd -T or ssh -G prints."""
    lines = [line.split() for line in box.run(command).check().stdout.splitlines()]
    return [word for words in lines if words[:1] == [key] for word in words[1:]]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("target", NAMES)
def test_ticket_passes_both_ways_by_the_words_of_sshd_and_ssh(target: str, end: str) -> None:
    require_system(target)
    with Nodes(description(target), ["pve1"], system=target) as nodes:
        box = nodes["pve1"]
        folder = "/etc/ssh" if target.startswith("pve-") else "/etc/openssh"
        for name, more in zip(("sshd_config", "ssh_config"), ENDS[end], strict=True):
            box.put(f"{folder}/{name}", box.read(f"{folder}/{name}").removesuffix("\n") + more)
        bring_nearest(box, target, folder)
        sshd, where = box.run("command -v sshd").stdout.strip(), "user=root,host=pve2,addr=10.0.0.252"
        if not target.startswith("pve-"):  # Debian's own files have LC_* already
            assert not any(fnmatchcase(TICKET, word) for word in values(box, f"{sshd} -T -C {where}", "acceptenv"))
            assert not any(fnmatchcase(TICKET, word) for word in values(box, "ssh -G root@10.0.0.252", "sendenv"))
        nodes.call("pve1", "apply", "--only", "ssh").expect(0)
        assert any(fnmatchcase(TICKET, word) for word in values(box, f"{sshd} -T -C {where}", "acceptenv"))
        assert any(fnmatchcase(TICKET, word) for word in values(box, "ssh -G root@10.0.0.252", "sendenv"))
        assert nodes.call("pve1", "apply", "--only", "ssh").expect(0).changes == 0
        if end == "blocks":
            # What stood there goes on to mean what it meant.
            other = "user=root,host=other,addr=10.99.0.1"
            assert values(box, f"{sshd} -T -C {other}", "permitrootlogin") == ["no"]
            assert values(box, "ssh -G other", "port") == ["2222"]
