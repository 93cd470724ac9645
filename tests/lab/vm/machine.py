"""The virtual machine: starting it, talking with what runs in it, ending it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from sandbox.patience import LONGEST

from .image import INIT, Image

# Two processors, emulated by a thread each. The root's disk is an NVMe, for which Debian's kernel needs no module and so
# no initramfs; the archive's is a virtio one. There is no network card. `panic=-1` with -no-reboot ends QEMU at a panic.
_QEMU = [
    "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none",
    "-machine", "q35,smm=off", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1536",
    "-device", "nvme,drive=root,serial=root", "-device", "virtio-blk,drive=share", "-device", "virtio-serial",
]  # fmt: skip
_KERNEL = f"console=ttyS0 quiet panic=-1 root=/dev/nvme0n1 rootfstype=ext4 ro init={INIT}"
# Protection that emulation has no use for. With addresses that differ from process to process (norandmaps puts an end to
# that) code is translated anew for each, and a shell's commands take four times as long.
_FASTER = (
    "norandmaps nokaslr mitigations=off init_on_alloc=0 audit=0 apparmor=0 transparent_hugepage=never tsc=reliable"
)
BOOT = 120 * LONGEST
"""Seconds within which the machine has to say something."""


class Ended(Exception):
    """The machine has ended, or says nothing; the text tells what its console showed last."""


def qemu(image: Image, share: Path, *more: str, kernel: str = "") -> list[str]:
    """The command that runs the machine of IMAGE with the archive SHARE; it dies with whoever starts it."""
    # Whoever starts it may be gone before setpriv has asked for the signal, which then never comes.
    alone = '[ "$PPID" = "$0" ] && exec "$@"'
    words = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", alone, str(os.getpid()), *_QEMU]
    for name, path in (("root", image.disk), ("share", share)):
        words += ["-drive", f"file={path},format=raw,if=none,readonly=on,id={name}"]
    return [*words, "-kernel", str(image.kernel), "-append", f"{_KERNEL} {_FASTER} {kernel}", *more]


class VirtualMachine:
    """A running machine, whose tests are asked for by lines of JSON and answer by lines of JSON.

    image, share: what it runs and what is handed over to it.
    """

    def __init__(self, image: Image, share: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pvegen-vm-")
        self._console = Path(self._folder.name, "console")
        words = qemu(image, share, "-serial", f"file:{self._console}", *_port())
        self._rest = b""
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> VirtualMachine:
        return self

    def __exit__(self, _t: type[BaseException] | None, _v: BaseException | None, _b: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """QEMU's process."""
        return self._process.pid

    def close(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def ask(self, question: dict[str, Any]) -> None:
        """Writes one line to what runs in the machine."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Ended(self._last_words("has ended")) from None

    def answers(self, seconds: float) -> Iterator[dict[str, Any]]:
        """The lines that come from the machine; Ended where none comes for SECONDS."""
        while True:
            while b"\n" in self._rest:
                line, _, self._rest = self._rest.partition(b"\n")
                yield json.loads(line)
            self._read(time.monotonic() + seconds)

    def _read(self, end: float) -> None:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], max(0, end - time.monotonic()))
        if not ready:
            raise Ended(self._last_words("says nothing"))
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            raise Ended(self._last_words("has ended"))
        self._rest += data

    def log(self) -> str:
        """What the console has shown."""
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    def _last_words(self, what: str) -> str:
        error = ""
        if self._process.poll() is not None and self._process.stderr is not None:
            error = self._process.stderr.read().decode(errors="replace")
        return f"the virtual machine {what}\n{error}--- its console\n{self.log()[-4000:]}"


def _port() -> Sequence[str]:
    """A channel between QEMU's standard input and output and /dev/vport*p1 in the machine."""
    return ["-chardev", "stdio,id=host,signal=off", "-device", "virtserialport,chardev=host,nr=1,name=lab"]
