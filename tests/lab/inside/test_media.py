"""What carries scripts to nodes: a stick with FAT and a CD of the bundle, as Debian's kernel reads and writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import Sandbox
from scripts import support
from scripts.test_receipt import lines, value

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("vm")]

CARRIED = Path("/run/lab/carried")
"""The bundle of examples/mypve.toml, which the host has made."""
MEDIUM = "/mnt/medium"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """pve1 of the example, with loop devices."""
    with Sandbox("alt-p8", "pve1", held=["pve-cluster", "pveproxy"]) as node:
        node.run(f"modprobe loop; mkdir {MEDIUM}; mknod /dev/loop-control c 10 237").check()
        node.run("for n in 0 1 2 3; do mknod /dev/loop$n b 7 $n; done").check()
        yield node


def mount(box: Sandbox, image: str, *options: str) -> None:
    box.run(f"mount -o {','.join(['loop', *options])} {image} {MEDIUM}").check()


def test_scripts_run_from_a_stick_with_fat_and_leave_receipts_there(box: Sandbox) -> None:
    """The bundle unpacked on a stick with FAT: whole, run from there read-only, and a receipt left on it."""
    box.run("modprobe vfat; mkfs.vfat -C /tmp/stick 16384").check()
    box.put("/tmp/mypve.tar", (CARRIED / "mypve.tar").read_bytes())
    mount(box, "/tmp/stick")
    assert box.run(f"stat -f -c %T {MEDIUM}").stdout == "msdos\n"
    assert box.run(f"cd {MEDIUM} && tar -xf /tmp/mypve.tar").check().stderr == ""
    box.run(f"umount {MEDIUM}").check()

    mount(box, "/tmp/stick", "ro")
    script, receipt = f"{MEDIUM}/mypve/pve1.sh", f"{MEDIUM}/pve1.receipt"
    assert box.run(f"cd {MEDIUM}/mypve && sha256sum -c SHA256SUMS").check().stdout.count(": OK\n") >= 4
    support.run(box, "check", path=script).expect(2)
    support.run(box, "apply", "--only", "names", path=script).expect(0)
    refused = support.run(box, "verify", "--only", "names", "--receipt", receipt, path=script).expect(0)
    assert f"# No receipt: {receipt}" in refused.stdout
    box.run(f"umount {MEDIUM}").check()
    mount(box, "/tmp/stick")
    support.run(box, "verify", "--only", "names", "--receipt", receipt, path=script).expect(0)
    box.run(f"umount {MEDIUM}").check()

    mount(box, "/tmp/stick")
    found = lines(box, receipt)
    assert (value(found, "call"), value(found, "status"), "step names ok" in found) == ("verify", "0", True)
    assert sorted(box.run(f"ls {MEDIUM}").stdout.split()) == ["mypve", "pve1.receipt"]
    box.run(f"umount {MEDIUM}").check()


def test_scripts_run_from_the_cd_of_a_bundle(box: Sandbox) -> None:
    """The bundle's ISO image, mounted as a CD: whole, names as they are, and scripts run from it."""
    box.put("/tmp/mypve.iso", (CARRIED / "mypve.iso").read_bytes())
    mount(box, "/tmp/mypve.iso", "ro")
    assert box.run(f"stat -f -c %T {MEDIUM}").stdout == "isofs\n"
    (sums,) = box.run(f"find {MEDIUM} -name SHA256SUMS").stdout.split()
    folder = sums.rpartition("/")[0]
    assert box.run(f"cd {folder} && sha256sum -c SHA256SUMS").check().stdout.count(": OK\n") >= 4
    support.run(box, "check", path=f"{folder}/pve1.sh").expect(2)
    support.run(box, "apply", "--only", "names", path=f"{folder}/pve1.sh").expect(0)
    box.run(f"umount {MEDIUM}").check()
