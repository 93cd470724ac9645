"""Going into the background, seen by whoever started us as systemd sees it."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path

from .settings import RUNNING, replace

_PR_SET_NAME = 15


def daemonize(name: str, serve: Callable[[Callable[[], None]], None]) -> int:
    """Runs SERVE(ready) in a background process called NAME; gives the exit status for the foreground.

    The foreground waits until SERVE calls ready() (status 0) or ends (status 1). The process's number is then in its
    pid file, and where the systemctl stand-in looks for that of the unit that it is starting. Under systemd itself
    what the process writes goes to the journal.
    """
    waiting, told = os.pipe()
    if os.fork() > 0:
        os.close(told)
        return 0 if os.read(waiting, 1) else 1
    os.close(waiting)
    os.setsid()
    os.chdir("/")
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    if "JOURNAL_STREAM" not in os.environ:
        log = os.open(_log(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def ready() -> None:
        unit = os.environ.get("UNIT")
        if unit:
            replace(RUNNING / "pids" / unit, f"{os.getpid()}\n")
        replace(pid_file(name), f"{os.getpid()}\n")
        os.write(told, b"\n")
        os.close(told)

    try:
        serve(ready)
    except SystemExit:
        pass
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # the pid file stays: what it has open, its port too, is free only when the process is gone


def pid_file(name: str) -> Path:
    """Where the number of the process called NAME is while it runs."""
    RUNNING.mkdir(exist_ok=True)
    return RUNNING / f"{name}.pid"


def _log(name: str) -> Path:
    (RUNNING / "log").mkdir(parents=True, exist_ok=True)
    return RUNNING / "log" / name


def on_signal(number: signal.Signals, act: Callable[[], None]) -> None:
    """Calls ACT when the signal comes."""
    signal.signal(number, lambda *_: act())


def alive(name: str) -> int:
    """The number of the process called NAME that daemonize() has started and that lives, else 0."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file(name).read_text())
        os.kill(pid, 0)
        return pid
    return 0
