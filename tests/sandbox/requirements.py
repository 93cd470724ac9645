"""Whether this machine can hold sandboxes, and what is said where it cannot."""

import functools
import os
import shutil
import subprocess

import pytest

from .shells import SHELLS
from .systems import load_system

PROGRAMS = {
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "pivot_root": "util-linux",
    "setsid": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "brctl": "bridge-utils",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "openssl": "openssl",
    "strace": "strace",
    "busybox": "busybox",
    "ifreload": "ifupdown2",
    "sqlite3": "sqlite3",
}
SHELL_PACKAGES = {"ksh93": "ksh93u+m", "bash-posix": "bash"}
_TRY = """
mount -t tmpfs try /mnt && mkdir /mnt/up /mnt/work /mnt/root &&
mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work try /mnt/root &&
mount -t proc proc /mnt/root/proc && ip link add try0 type veth peer name try1 &&
ip link add try2 type bridge
"""


@functools.cache
def missing_requirement() -> str | None:
    """What is missing for a sandbox, in plain words; None where nothing is."""
    if os.geteuid() != 0:
        return "a sandbox needs root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = {package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None}
    lacking |= {SHELL_PACKAGES.get(n, n) for n, words in SHELLS.items() if shutil.which(words[0]) is None}
    if lacking:
        return f"a sandbox needs the Debian packages: {', '.join(sorted(lacking))}"
    if not os.path.exists("/usr/bin/python3"):
        return "a sandbox needs /usr/bin/python3"
    if not os.path.exists("/dev/fuse"):
        return "a sandbox needs /dev/fuse"
    words = ["unshare", "-m", "-p", "-n", "-u", "-i", "--fork", "--propagation", "private", "dash", "-c", _TRY]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"this kernel gives no namespaces, overlay, veth or bridge: {tried.stderr.strip()}"
    return None


def require(what: str, reason: str | None) -> None:
    """Skips the test for REASON, if there is one; where CI is "true" that is a failure: WHAT must run there."""
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} must run here: {reason}", pytrace=False)
    pytest.skip(reason)


def require_system(name: str) -> None:
    """Skips the test where a sandbox can be, but not one of that system; in CI that is a failure instead."""
    lacking = [str(file) for file in load_system(name).borrowed.values() if not file.exists()]
    reason = f"{name} needs Debian packages unpacked, as .ci/run does it: there is no {', '.join(lacking)}"
    require(f"tests of {name}", reason if lacking else None)


def require_sandbox() -> None:
    """Skips the test where there can be no sandbox; in CI that is a failure instead."""
    require("sandbox tests", missing_requirement())
