"""Whether this machine can hold the lab, and what is said where it cannot."""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.requirements import require

from . import groups, place, rootfs

PROGRAMS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
}
_TRY = """
cd "$1" && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work try root && ip link add try0 type veth &&
ip link add try2 type bridge
"""


def missing_programs() -> str | None:
    """What is missing for the lab of root's rights, programs and devices, in plain words; None where nothing is."""
    if os.geteuid() != 0:
        return "the lab needs root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = {package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None}
    if lacking:
        return f"the lab needs the Debian packages: {', '.join(sorted(lacking))}"
    if not os.path.exists("/dev/fuse"):
        return "the lab needs /dev/fuse"
    if not groups.hierarchies():
        return "the lab needs control groups: neither cgroup2 nor systemd's own hierarchy is mounted"
    return None


@functools.cache
def missing_requirement() -> str | None:
    """What is missing for the lab, in plain words, after having tried it; None where nothing is."""
    reason = missing_programs()
    if reason is not None:
        return reason
    folder = Path(tempfile.mkdtemp(prefix="try-", dir=place.folder()))  # several workers try at the same time
    try:
        for name in ("lower", "upper", "work", "root"):
            (folder / name).mkdir(exist_ok=True)
        words = ["unshare", "--mount", "--net", "--propagation", "private", "dash", "-c", _TRY, "try", str(folder)]
        tried = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if tried.returncode != 0:
        return f"no overlay, veth or bridge can be made in {folder.parent}: {tried.stderr.strip()}"
    try:
        rootfs.root()
    except rootfs.NoRoot as error:
        return str(error)
    return None


def require_lab() -> None:
    """Skips the test where there can be no lab; in CI that is a failure instead."""
    require("the lab", missing_requirement())
