"""The root file system that all nodes share as their lowest layer: Debian with what nodes need, made once."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import place

SUITE = "bookworm"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "kmod", "openssh-server", "openssh-client", "rrdcached", "rpcbind", "cron",
    "corosync", "iproute2", "iputils-ping", "bridge-utils", "ifupdown2", "python3", "rsync", "sqlite3", "openssl",
    "procps", "psmisc", "attr", "acl", "e2fsprogs", "dash", "bash", "busybox", "fuse3", "curl", "less", "nano", "tzdata",
    "diffutils", "strace", "libfaketime",
)  # fmt: skip
SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
NEEDED_MB = 1500
# Whoever is interrupted leaves no mount and no process behind.
ALONE = (
    "setpriv", "--pdeathsig", "KILL",
    "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
)  # fmt: skip
# What Debian starts by itself; which units a node has is said by its system.
MASKED = (
    "systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service",
    "systemd-firstboot.service", "systemd-resolved.service", "systemd-timesyncd.service", "apt-daily.timer",
    "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "getty@.service", "console-getty.service", "systemd-logind.service", "systemd-update-utmp.service",
)  # fmt: skip
# A node has its own of these, or none.
EMPTIED = (
    "etc/ssh/ssh_host_*",
    "etc/corosync/*",
    "etc/systemd/system/*.wants/*",
    "etc/systemd/system/*.service",
    "etc/rc?.d/[SK]*",
    "var/lib/corosync/*",
)


class NoRoot(Exception):
    """The root file system cannot be made; the text says why and what to do."""


def root() -> Path:
    """The folder of the root file system; made where there is none of these packages yet (about a minute)."""
    recipe = place.digest([SUITE, *PACKAGES, *MASKED, *EMPTIED])
    path = place.folder() / f"root-{recipe}"
    with place.alone("root"):
        if not path.exists():
            _make(path)
    return path


def bootstrap(directory: Path, packages: Sequence[str], *options: str) -> None:
    """Makes a root file system of PACKAGES in DIRECTORY by mmdebstrap and its OPTIONS, from the machine's own sources.

    Raises NoRoot with what went wrong, nothing half made left.
    """
    words = [*ALONE, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}"]
    words += [*options, SUITE, str(directory)]
    words += [source for source in SOURCES if os.path.exists(source) and os.path.getsize(source)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(directory, ignore_errors=True)
        raise NoRoot(f"mmdebstrap could not make the root file system:\n{done.stderr.strip()}")


def _make(path: Path) -> None:
    free = shutil.disk_usage(path.parent).free >> 20
    if free < NEEDED_MB:
        raise NoRoot(f"{path.parent} has room for {free} MB, the lab needs {NEEDED_MB}: make room, or set PVEGEN_LAB")
    new = path.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    bootstrap(new, PACKAGES)
    _settle(new)
    new.rename(path)


def _settle(new: Path) -> None:
    """Takes away what would make all nodes one and the same, and what Debian starts of its own accord."""
    for pattern in EMPTIED:
        for found in new.glob(pattern):
            if found.is_file() or found.is_symlink():
                found.unlink()
    (new / "etc/machine-id").write_text("")
    (new / "var/log/journal").mkdir(exist_ok=True)  # kept over a reboot
    for unit in MASKED:
        link = new / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
