"""The machine's root file system and kernel: made once, kept by what it is made of."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import place
from lab.rootfs import SUITE, bootstrap

HERE = Path(__file__).parent
# What a sandbox needs (tests/sandbox/requirements.py), but busybox as one file, and pytest.
PACKAGES = (
    "dash", "bash", "busybox-static", "mksh", "yash", "ksh93u+m", "iproute2", "iputils-ping", "bridge-utils",
    "ifupdown2", "kmod", "openssh-server", "openssh-client", "openssl", "rsync", "sqlite3", "curl", "strace", "procps",
    "psmisc", "tzdata", "diffutils", "attr", "acl", "util-linux", "dosfstools", "python3", "python3-pytest",
)  # fmt: skip
SIZE = "900M"
INIT = "/usr/lib/lab-init"


@dataclass(frozen=True)
class Image:
    """A directory with a root file system, root.ext4, and its kernel, vmlinuz."""

    directory: Path

    @property
    def disk(self) -> Path:
        return self.directory / "root.ext4"

    @property
    def kernel(self) -> Path:
        return self.directory / "vmlinuz"


def image() -> Image:
    """The image in the lab's folder, made where there is none of these inputs yet, which takes a minute.

    Raises NoRoot or RuntimeError with what went wrong. Images of other inputs are removed.
    """
    scripts = [(HERE / name).read_text() for name in ("kernel.sh", "init.sh")]
    found = Image(place.folder() / f"vm-{place.digest([SUITE, *PACKAGES, SIZE, INIT, *scripts])}")
    with place.alone("vm"):
        if not found.directory.exists():
            for old in found.directory.parent.glob("vm-*/"):
                shutil.rmtree(old)
            _make(found.directory)
    return found


def _make(directory: Path) -> None:
    """Makes the image beside its place and renames it there, so that it is whole or not there."""
    new = directory.with_suffix(".new")
    root = new / "root"
    new.mkdir()
    bootstrap(root, PACKAGES, f"--customize-hook={HERE / 'kernel.sh'}", '--customize-hook=rm -r "$1/usr/share/doc"')
    (kernel,) = root.glob("boot/vmlinuz-*")
    kernel.rename(new / "vmlinuz")
    shutil.copy(HERE / "init.sh", f"{root}{INIT}")
    _run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(root), str(new / "root.ext4"), SIZE])
    shutil.rmtree(root)
    new.rename(directory)


def _run(words: list[str]) -> None:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
