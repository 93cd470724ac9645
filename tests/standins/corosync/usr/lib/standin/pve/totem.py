"""corosync: who of the nodelist is there, and whether that is a quorum.

Real datagrams on UDP 5405 between the nodes' ring addresses: a cut cable, a wrong address, another authkey are seen.
The view is a file for those who want to know (corosyncd.py). SIGHUP has it read its configuration again, SIGUSR1 the
votes that it expects. Settings: "token" is how long a silent node counts as there
(0.6 s; facts: "A cut cable shows after 7 s"), "corosync-interval" the pause between two datagrams (0.05 s).
"""

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .corosyncconf import Conf, parse
from .daemon import daemonize, on_signal
from .settings import RUNNING, complain, seconds
from .wire import is_local, resolve, seal, unseal

CONF = Path("/etc/corosync/corosync.conf")
VIEW = RUNNING / "corosync.json"  # what corosync sees of the cluster
EXPECTED = RUNNING / "corosync.expected"  # where `pvecm expected` leaves its number before it wakes corosync
PORT = 5405


class Corosync:
    """One running corosync."""

    def __init__(self) -> None:
        self.load()
        self.expected: int | None = None  # what `pvecm expected` asked for
        self.heard: dict[int, float] = {}
        self.todo: list[Callable[[], None]] = []  # what signals ask for, one after the other
        self.shown = ""
        self.token = seconds("token", 0.6)
        self.interval = seconds("corosync-interval", 0.05)

    def load(self) -> None:
        """Reads the configuration; ends the process where it is of no use."""
        if not CONF.exists():
            complain(f"Can't read file {CONF} reason = (No such file or directory)")
            raise SystemExit(8)
        self.conf: Conf = parse(CONF.read_text())
        self.me = next((n for n in self.conf.nodes.values() if self._mine(n.addresses)), None)
        if self.conf.nodes and self.me is None:
            # corosync 3 says so and ends; 2 would bind to any interface of the network. The worse is taken.
            complain("No valid name found for local host")
            raise SystemExit(8)
        self.expected = None
        self.addresses = {
            node.nodeid: address
            for node in self.conf.nodes.values()
            if node is not self.me and (address := resolve(node.addresses.get(0, "")))
        }

    def _mine(self, addresses: dict[int, str]) -> bool:
        own = resolve(addresses.get(0, ""))
        return own is not None and not own.startswith("127.") and is_local(own)

    def serve(self) -> None:
        """Sends and listens for ever."""
        own = resolve(self.me.addresses[0]) if self.me else None
        family = socket.AF_INET6 if own and ":" in own else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wire.bind((own or "127.0.0.1", PORT))
            due = 0.0
            while True:
                # What came while this process was kept from running counts before anybody is called gone.
                while select.select([wire], [], [], 0)[0]:
                    self._hear(wire.recv(65536))
                while self.todo:
                    self.todo.pop(0)()
                now = time.monotonic()
                if now >= due:
                    self._send(wire)
                    self._show()
                    due = now + self.interval
                select.select([wire], [], [], max(0.0, due - now))

    def _send(self, wire: socket.socket) -> None:
        if self.me is None:
            return
        message = seal({"cluster": self.conf.cluster, "nodeid": self.me.nodeid})
        for address in self.addresses.values():
            try:
                wire.sendto(message, (address, PORT))
            except OSError:  # no route, the cable is cut: the others will notice
                continue

    def _hear(self, data: bytes) -> None:
        message = unseal(data)
        if message is None or message["cluster"] != self.conf.cluster:
            return
        if message["nodeid"] in self.addresses:
            self.heard[message["nodeid"]] = time.monotonic()

    def _show(self) -> None:
        now = time.monotonic()
        members = {number for number, when in self.heard.items() if now - when < self.token}
        members &= set(self.addresses)
        if self.me is not None:
            members.add(self.me.nodeid)
        votes = sum(node.votes for node in self.conf.nodes.values() if node.nodeid in members)
        expected = max(self.expected or self.conf.votes, votes)
        view = {
            "pid": os.getpid(),
            "cluster": self.conf.cluster,
            "version": self.conf.version,
            "nodeid": self.me.nodeid if self.me else 0,
            "members": sorted(members),
            "votes": votes,
            "expected": expected,
            "quorum": expected // 2 + 1,
            "quorate": bool(self.conf.nodes) and votes >= expected // 2 + 1,
        }
        text = json.dumps(view)
        if text != self.shown:
            self.shown = text
            new = VIEW.with_suffix(".new")
            new.write_text(text)
            new.rename(VIEW)


def start() -> int:
    """Starts corosync in the background; gives the exit status."""
    corosync = Corosync()

    def set_expected() -> None:
        corosync.expected = int(EXPECTED.read_text())

    def stop() -> None:
        VIEW.unlink(missing_ok=True)
        sys.exit(0)

    def serve(ready: object) -> None:
        on_signal(signal.SIGHUP, lambda: corosync.todo.append(corosync.load))
        on_signal(signal.SIGUSR1, lambda: corosync.todo.append(set_expected))
        on_signal(signal.SIGTERM, stop)
        corosync._show()
        ready()  # type: ignore[operator]
        corosync.serve()

    return daemonize("corosync", serve)
