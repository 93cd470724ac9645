"""The virtual machine from outside: it ends with whoever started it, keeps its image, and says what it lacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sandbox.patience import LONGEST

from . import place
from .vm import requirements
from .vm.image import Image, image
from .vm.machine import BOOT, Ended, VirtualMachine, qemu

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("vm")]

_START = """
import sys, time
from pathlib import Path
from lab.vm.image import image
from lab.vm.machine import VirtualMachine
machine = VirtualMachine(image(), Path(sys.argv[1]))
print(machine.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An archive with nothing in it: the machine boots, finds nothing to do and ends."""
    requirements.require_vm()
    path = tmp_path / "empty.tar"
    path.write_bytes(b"\0" * 10240)
    return path


def runs(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_machine_is_gone_when_its_starter_is_killed(empty: Path) -> None:
    """The virtual machine ends with the process that started it, killed or not."""
    image()
    words = [sys.executable, "-c", _START, str(empty)]
    environment = {**os.environ, "PYTHONPATH": str(place.PROJECT / "tests"), "TMPDIR": str(empty.parent)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert runs(pid)
        starter.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10 * LONGEST
    while runs(pid):
        assert time.monotonic() < end, "QEMU is there still"
        time.sleep(0.1)


def test_machine_that_ends_says_what_its_console_showed(empty: Path) -> None:
    """A virtual machine that ends is told with the last lines of its console."""
    with VirtualMachine(image(), empty) as machine, pytest.raises(Ended, match=r"has ended(.|\n)*Power down"):
        next(machine.answers(BOOT))


def test_machine_has_no_network_card(tmp_path: Path) -> None:
    """QEMU is told to make no network card, and to write to neither disk."""
    words = qemu(Image(tmp_path), tmp_path / "share")
    assert words[words.index("-nic") + 1] == "none"
    drives = [word for word in words if word.startswith("file=")]
    assert len(drives) == 2 and all("readonly=on" in drive for drive in drives)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its packages the virtual machine is left out, in plain words, and in CI that is a failure."""
    monkeypatch.setitem(requirements.PROGRAMS, "no-such-program", "some-package")
    reason = requirements.missing_requirement()
    assert reason is not None and "Debian packages: some-package" in reason
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="some-package"):
        requirements.require_vm()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="some-package"):
        requirements.require_vm()


def test_no_room_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no room for the image, nothing is made."""
    monkeypatch.setenv("PVEGEN_LAB", str(tmp_path / "lab"))
    monkeypatch.setattr(requirements, "ROOM", 1 << 40)
    reason = requirements.missing_requirement()
    assert reason is not None and "make room, or set PVEGEN_LAB" in reason
