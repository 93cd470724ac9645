"""Whether this machine can run the virtual machine, and what is said where it cannot."""

from __future__ import annotations

import os
import shutil

from sandbox.requirements import require

from lab import place

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "setpriv": "util-linux",
}
ROOM = 1500  # MB that making the image takes, 400 of them for good


def missing_requirement() -> str | None:
    """What is missing for the virtual machine, in plain words; None where nothing is."""
    if os.geteuid() != 0:
        return "the virtual machine's image is made by root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = {package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None}
    if lacking:
        return f"the virtual machine needs the Debian packages: {', '.join(sorted(lacking))}"
    lab = place.folder()
    free = shutil.disk_usage(lab).free >> 20
    if free < ROOM and not any(lab.glob("vm-*/root.ext4")):
        return f"{lab} has room for {free} MB, the virtual machine's image needs {ROOM}: make room, or set PVEGEN_LAB"
    return None


def require_vm() -> None:
    """Skips the test where there can be no virtual machine; in CI that is a failure instead."""
    require("the virtual machine", missing_requirement())
