"""Ssh host keys: made once for each test process, lent to a sandbox, no two living sandboxes with the same."""

import functools
import os
import subprocess
import tempfile
from dataclasses import dataclass


@dataclass(frozen=True)
class HostKeys:
    """The host keys of one node as {file name: (content, mode)}.

    In a sandbox the RSA key has 1024 bits, the least that sshd takes, because making a longer one takes long.
    """

    files: dict[str, tuple[bytes, int]]

    def give_back(self) -> None:
        _pool.append(self)

    def __hash__(self) -> int:
        return id(self)


_pool: list[HostKeys] = []


def take() -> HostKeys:
    """A set of keys that no other living sandbox has."""
    return _pool.pop() if _pool else make(1024)


def make(bits: int) -> HostKeys:
    """New keys, the RSA one of that many bits."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, size in (("rsa", ["-b", str(bits)]), ("ed25519", [])):
            path = os.path.join(folder, f"ssh_host_{kind}_key")
            words = ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "root@node", "-f", path]
            subprocess.run(words, check=True)
        files = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as file:
                files[name] = (file.read(), 0o644 if name.endswith(".pub") else 0o600)
        return HostKeys(files)


@functools.cache
def warm_up() -> None:
    """Makes a first set beforehand, so that no test's time has it."""
    take().give_back()
