"""A command with a terminal of its own, as a person at the node's console has it."""

import contextlib
import fcntl
import os
import platform
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping

from .patience import PATIENCE

_UNLOCK, _NUMBER = 0x40045431, 0x80045430  # TIOCSPTLCK, TIOCGPTN
_END_OF_INPUT = b"\x04"
_READ = 0 if platform.machine() == "x86_64" else 63  # the number of the system call


def _open_terminal(pid: int) -> tuple[int, int]:
    """Our and their end of a new terminal of the devpts that process PID has; echo is off."""
    folder = f"/proc/{pid}/root/dev/pts"
    ours = os.open(f"{folder}/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(ours, _UNLOCK, struct.pack("i", 0))
    number = struct.unpack("i", fcntl.ioctl(ours, _NUMBER, struct.pack("i", 0)))[0]
    theirs = os.open(f"{folder}/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    mode = termios.tcgetattr(theirs)
    mode[1] &= ~termios.ONLCR
    mode[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, mode)
    return ours, theirs


def _reads_terminal(process: str) -> bool:
    """Whether a process of this machine is inside read(2) from a terminal."""
    try:
        with open(f"/proc/{process}/syscall") as file:
            number, descriptor, *_ = file.read().split()
        if int(number) != _READ:
            return False
        path = os.readlink(f"/proc/{process}/fd/{int(descriptor, 16)}")
    except (OSError, ValueError):
        return False
    return path == "/dev/tty" or path.startswith("/dev/pts/")


def _who_waits(pid: int) -> set[tuple[str, str]]:
    """What waits for a line in the node whose first process is PID: processes, and how often each has slept before.

    Who has been typed a line and has not been woken yet is the same as before; who waits for the next one is not.
    """
    node = os.stat(f"/proc/{pid}/ns/pid").st_ino
    found = set()
    for process in os.listdir("/proc"):
        if process.isdigit():
            try:
                inside = os.stat(f"/proc/{process}/ns/pid").st_ino == node
                if inside and _reads_terminal(process):
                    with open(f"/proc/{process}/status") as file:
                        slept = next(line for line in file if line.startswith("voluntary_ctxt_switches"))
                    found.add((process, slept))
            except (OSError, StopIteration):
                continue
    return found


class _Typist:
    """Knows the line to type next: of TYPED the next one, or of ANSWERS the one whose prompt was just shown.

    An answer serves as often as it is asked for; None is that nobody types. Who waits and asks for nothing known gets the end of input.
    """

    def __init__(self, typed: bytes, answers: Mapping[str, str | None] | None) -> None:
        self._lines = [line + b"\n" for line in typed.splitlines()]
        self._answers = answers
        self._seen = 0
        self._since: float | None = None

    def next(self, shown: bytes) -> bytes:
        """What to type to who waits, after all that was SHOWN; nothing where it may still become clear."""
        if self._answers is None:
            return self._lines.pop(0) if self._lines else _END_OF_INPUT
        asked = shown[self._seen :].decode(errors="backslashreplace")
        prompt = max(self._answers, key=asked.rfind, default="")
        if prompt in asked and prompt:
            if self._answers[prompt] is None:
                return b""
            self._seen, self._since = len(shown), None
            return f"{self._answers[prompt]}\n".encode()
        self._since = self._since or time.monotonic()
        return _END_OF_INPUT if time.monotonic() - self._since > PATIENCE else b""


def run_on_terminal(
    words: list[str],
    env: dict[str, str],
    typed: bytes,
    timeout: float,
    pid: int,
    answers: Mapping[str, str | None] | None = None,
) -> tuple[int, str, str]:
    """Runs WORDS on a new terminal of the node whose first process is PID; gives (status, all that was shown, "").

    A line of TYPED is typed each time somebody waits for one, never ahead: ssh and pvecm throw away what was typed
    before they asked. Who waits after the last line gets the end of input.
    ANSWERS {part of a prompt: line to type} are typed as they are asked for, instead of TYPED line by line.

    Raises subprocess.TimeoutExpired, with what was shown as its output.
    """
    ours, theirs = _open_terminal(pid)
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "dumb", **env},
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    end = time.monotonic() + timeout
    typist = _Typist(typed, answers)
    served: set[tuple[str, str]] = set()
    try:
        while True:
            # What was written before the end may come a moment after it.
            ended = process.poll() is not None
            if select.select([ours], [], [], 0.5 if ended else 0.02)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # the last holder of the terminal has closed it
                    break
            elif ended:
                break
            elif time.monotonic() > end:
                raise subprocess.TimeoutExpired(words, timeout, shown)
            elif (waiting := _who_waits(pid)) - served and not select.select([ours], [], [], 0)[0]:
                if line := typist.next(shown):
                    os.write(ours, line)
                    served = waiting
                time.sleep(0.02)  # time to take it
        status = process.wait(max(0.1, end - time.monotonic()))
    finally:
        os.close(ours)  # hangs up
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return (status if status >= 0 else 128 - status), shown.decode(errors="backslashreplace"), ""
