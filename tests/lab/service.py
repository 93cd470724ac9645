"""A lab that stays: one process keeps its nodes, others tell it what to do through a socket in the lab's folder."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import leftovers, place, states
from .cluster import Lab
from .node import Node

_STARTING = 600  # seconds: the root file system may have to be made first


class NoLab(Exception):
    """There is no lab to tell anything, or it has refused; the text says so."""


def _socket() -> Path:
    return place.folder("run") / "socket"


def _log() -> Path:
    return place.folder("run") / "log"


# The process that keeps the nodes ---------------------------------------------------------------------------------


def serve(text: str, *, formed: bool) -> None:
    """Keeps the nodes of a description until it is told to let go; does not return before."""
    leftovers.clean()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    path = _socket()
    path.unlink(missing_ok=True)
    with Lab(text, state=states.state(text) if formed else None) as lab:
        if formed:
            lab.until_whole()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            # A socket's name may have 107 bytes at most, and folders may lie deep.
            os.chdir(path.parent)
            listener.bind(path.name)
            listener.listen()
            try:
                while _answer(lab, listener):
                    pass
            finally:
                path.unlink(missing_ok=True)


def _answer(lab: Lab, listener: socket.socket) -> bool:
    """Does what the next caller asks for; gives whether to go on."""
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError, ValueError):
        asked = json.loads(connection.makefile().readline())
        try:
            said = _do(lab, **asked)
        except Exception as error:
            said = {"error": f"{error}"}
        connection.sendall(json.dumps(said).encode() + b"\n")
        return asked["what"] != "down"
    return True


def _do(lab: Lab, what: str, node: str = "", nic: str = "eth0") -> dict[str, Any]:
    if what == "list":
        return {"nodes": [_row(one) for one in lab.node.values()]}
    if what == "down":
        return {}
    if node not in lab.node:
        raise NoLab(f"there is no node {node}: {', '.join(lab.node)}")
    one = lab.node[node]
    if what in ("plug", "unplug") and nic not in one.nics:
        raise NoLab(f"{node} has no {nic}: {', '.join(one.nics)}")
    if what in ("stop", "reboot", "cut", "enter", "plug", "unplug") and not one.on:
        raise NoLab(f"{node} is off: start it first")
    if what == "start" and one.on:
        raise NoLab(f"{node} is on already")
    if what == "enter":
        return {"words": one.enter()}
    acts = {
        "start": one.start,
        "stop": one.stop,
        "reboot": one.reboot,
        "cut": one.cut_power,
        "plug": lambda: one.plug(nic),
        "unplug": lambda: one.unplug(nic),
    }
    acts[what]()
    return {}


def _row(node: Node) -> dict[str, Any]:
    return {"name": node.name, "on": node.on, "pid": node.pid, "boots": node.boots, "nics": list(node.nics)}


# Whoever tells it -------------------------------------------------------------------------------------------------


def start(file: Path, *, formed: bool) -> None:
    """Starts a process that serves the description in FILE, and waits until its nodes are up."""
    if runs():
        raise NoLab("a lab is up already; `down` ends it")
    words = [sys.executable, "-m", "lab", "serve", str(file.absolute()), *(["--formed"] if formed else [])]
    folders = [str(place.PROJECT / "tests"), str(place.PROJECT)]
    with open(_log(), "wb") as log:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        )
    end = time.monotonic() + _STARTING
    with _ends_with_us(process):
        while not runs():
            if process.poll() is not None or time.monotonic() > end:
                raise NoLab(f"the lab did not come up:\n{_log().read_text()}")
            time.sleep(0.2)


@contextlib.contextmanager
def _ends_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends the process where we are interrupted before its lab is up."""
    try:
        yield
    except BaseException:
        process.terminate()
        process.wait()
        raise


def runs() -> bool:
    """Whether a lab is up."""
    with contextlib.suppress(NoLab):
        return bool(tell("list"))
    return False


def tell(what: str, **more: str) -> dict[str, Any]:
    """Has the lab do something; gives its answer, NoLab where it refuses or is not there."""
    here = os.getcwd()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            os.chdir(_socket().parent)
            connection.connect(_socket().name)
            connection.sendall(json.dumps({"what": what, **more}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile().readline() or "{}")
    except OSError:
        raise NoLab("no lab is up: start one with `up`") from None
    finally:
        os.chdir(here)
    if "error" in answer:
        raise NoLab(answer["error"])
    return answer
