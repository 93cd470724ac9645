"""What pvecm does to ssh on a node, and how it calls another node by it (facts: "What they change")."""

import os
import re
import subprocess
from pathlib import Path

from . import scale
from .settings import die, era, nodename, replace, ssh_dir

ROOT = Path("/root/.ssh")
CLUSTER_KEYS = Path("/etc/pve/priv/authorized_keys")
CLUSTER_KNOWN = Path("/etc/pve/priv/known_hosts")
NAMED_TO_SSH = (8, 0, 6)
"""The pve-cluster from which on each node has a file of its host key in /etc/pve, which PVE names to ssh."""


def allow_root() -> None:
    """Facts: "rewrite `^#?PermitRootLogin.*` to `PermitRootLogin yes` (or append it) and reload sshd"."""
    path = Path(ssh_dir(), "sshd_config")
    text = path.read_text()
    if re.search(r"^PermitRootLogin\s+yes", text, re.MULTILINE):
        return
    text, count = re.subn(r"^#?PermitRootLogin.*", "PermitRootLogin yes", text, flags=re.MULTILINE)
    if not count:
        text += "\nPermitRootLogin yes\n"
    path.write_text(text)
    subprocess.run(["systemctl", "reload-or-restart", "sshd"], check=False)


def own_keys() -> None:
    """Root's RSA key and client configuration where there are none yet."""
    ROOT.mkdir(mode=0o700, exist_ok=True)
    key = ROOT / "id_rsa"
    if not key.exists():
        comment = f"root@{nodename()}"
        bits = str(scale.SSH_KEY_BITS)
        words = ["ssh-keygen", "-q", "-t", "rsa", "-b", bits, "-N", "", "-C", comment, "-f", str(key)]
        subprocess.run(words, check=True)
    config = ROOT / "config"
    if not config.exists():
        config.write_text("Ciphers aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com\n")


def share_authorized_keys() -> None:
    """Makes authorized_keys a link to the cluster's, with all keys of both and our own in it.

    Facts: "turn /root/.ssh/authorized_keys into a symlink to /etc/pve/priv/authorized_keys (old file kept as
    authorized_keys.org until merged)".
    """
    mine = ROOT / "authorized_keys"
    if mine.exists() and not mine.is_symlink():
        import shutil  # takes long to load, and is seldom needed

        shutil.move(mine, ROOT / "authorized_keys.org")
    lines = []
    for path in (CLUSTER_KEYS, ROOT / "authorized_keys.org", ROOT / "id_rsa.pub"):
        if path.exists():
            lines += [line for line in path.read_text().splitlines() if line and line not in lines]
    text = "".join(f"{line}\n" for line in lines)
    if not CLUSTER_KEYS.exists() or CLUSTER_KEYS.read_text() != text:
        replace(CLUSTER_KEYS, text)
    (ROOT / "authorized_keys.org").unlink(missing_ok=True)
    _link(mine, str(CLUSTER_KEYS))


def share_host_key(address: str) -> None:
    """What a join and updatecerts do: at first what create does (facts: "known_hosts link (until 8.0.6; create still
    links in HEAD)"), later our RSA host key stands in a file of our own, by our name alone."""
    if era() < NAMED_TO_SSH:
        share_known_hosts(address)
        return
    path = Path(f"/etc/pve/nodes/{nodename()}/ssh_known_hosts")
    text = f"{nodename()} {' '.join(_host_key())}\n"
    if not path.exists() or path.read_text() != text:
        replace(path, text)


def _host_key() -> list[str]:
    """Type and data of our RSA host key."""
    public = Path(ssh_dir(), "ssh_host_rsa_key.pub")
    words = public.read_text().split() if public.exists() else []
    if len(words) < 2 or words[0] != "ssh-rsa":
        die(f"can't parse {public}\n")
    return words[:2]


def share_known_hosts(address: str) -> None:
    """Puts our RSA host key among the cluster's known hosts, and links the machine's list to them."""
    words = _host_key()
    lines = CLUSTER_KNOWN.read_text().splitlines() if CLUSTER_KNOWN.exists() else []
    for name in (nodename().lower(), address):
        line = f"{name} {words[0]} {words[1]}"
        lines = [old for old in lines if old.split()[0] != name] + [line]
    text = "".join(f"{line}\n" for line in lines)
    if not CLUSTER_KNOWN.exists() or CLUSTER_KNOWN.read_text() != text:
        replace(CLUSTER_KNOWN, text)
    _link(Path(ssh_dir(), "ssh_known_hosts"), str(CLUSTER_KNOWN))


def unshare_known_hosts() -> None:
    """Makes the list of known hosts a file again, for the time in which /etc/pve is away."""
    path = Path(ssh_dir(), "ssh_known_hosts")
    if path.is_symlink():
        text = path.read_text() if path.exists() else ""
        path.unlink()
        path.write_text(text)


def _link(path: Path, target: str) -> None:
    if path.is_symlink() and os.readlink(path) == target:
        return
    new = path.with_name(f"{path.name}.tmp")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(path)


def copy_id(host: str) -> None:
    """Lets root in over there by key: by ssh-copy-id, which asks for a password on the terminal."""
    words = ["ssh-copy-id", "-i", str(ROOT / "id_rsa.pub"), f"root@{host}"]
    done = subprocess.run(words, check=False)
    if done.returncode != 0:
        # facts: "with neither and no terminal `unable to copy ssh ID: exit code 1`", "no trust 1" on 5.0
        die("unable to copy ssh ID: exit code 1\n" if era() >= (5,) else "unable to copy ssh ID\n", 1)


def call(host: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a command on another node, by key alone."""
    command = ["ssh", f"root@{host}", "-o", "BatchMode=yes", *words]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
