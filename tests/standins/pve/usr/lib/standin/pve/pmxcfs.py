"""pmxcfs: the cluster file system on /etc/pve, kept alike on all nodes that see one another.

A change goes at once to the other members over TCP 5406, a port of the stand-in's own; now and then (scale.COMPARE) the
members compare versions, and the lower takes over the higher one's files whole. Who comes to a quorum has to be alike with
all that are there before it may write.

Settings: "quorum-delay" (0.3 s) is how long after corosync's quorum /etc/pve becomes writable and `"quorate": 1`
(facts: "for 4.7-5.1 s after create, `pvecm status` already says Quorate: Yes while /etc/pve is not yet writable").
"""

import base64
import contextlib
import errno
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from . import corosyncd, fuse, scale
from .clusterfs import ClusterFiles
from .corosyncconf import Conf, parse
from .daemon import alive, daemonize, on_signal
from .database import FILE, Database, Item
from .settings import RUNNING, complain, era, nodename, seconds
from .wire import resolve, seal, unseal

MOUNTPOINT = "/etc/pve"
HOST_CONF = corosyncd.CONF
HUNG = RUNNING / "hung"  # while it is there a member of a cluster is not quorate, whatever corosync says
PORT = 5406
LOCK_WAIT = 30.0  # seconds for another pmxcfs to end; 10 in truth, where none is kept from running by other tests


def own_address() -> str:
    """The node's address by its name; ends the process as pmxcfs does where there is none but loopback.

    Facts: "pve-cluster starts only if the short host name's FIRST getaddrinfo answer is not 127.* or ::1"; "4.x looks
    only at the FIRST getaddrinfo answer, 8.0.2+ at all".
    """
    name = nodename()
    try:
        found = [str(answer[4][0]) for answer in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
    except OSError:
        found = []
    all_answers = era() >= (8, 0, 2)
    for address in found if all_answers else found[:1]:
        if not address.startswith("127.") and address != "::1":
            return address
    if all_answers:
        text = (
            f"Unable to resolve node name '{name}' to a non-loopback IP address - missing entry in '/etc/hosts' or DNS?"
        )
    else:
        text = "Unable to get local IP address"
    complain(f"[main] crit: {text}")
    raise SystemExit(255)


class Pmxcfs:
    """One running pmxcfs; local means without corosync, whatever the configuration says."""

    def __init__(self, *, local: bool) -> None:
        self.address = own_address()
        self.database = Database()
        if self.database.created:
            self._first_start(local)
        self.clustered = not local and self._conf() is not None
        self.files = ClusterFiles(self.database, self.quorate, self.members, self.changed)
        self.quorum_since: float | None = None
        self.heard: dict[str, int] = {}  # versions of the others, since quorum was lost
        self.synced = False
        self.delay = seconds("quorum-delay", scale.QUORUM_DELAY)
        self.view: dict[str, Any] | None = None
        if self.clustered:
            self._copy_conf(wake=False)

    def _first_start(self, local: bool) -> None:
        """Facts: "pmxcfs, when it creates its database for the first time (not -l), IMPORTS corosync.conf"."""
        if HOST_CONF.exists() and not local:
            self.database.items["corosync.conf"] = Item(HOST_CONF.read_bytes(), int(time.time()))
        self.database.version = 1
        self.database.save()

    # The cluster ------------------------------------------------------------------------------------------------

    def _conf(self) -> Conf | None:
        item = self.database.items.get("corosync.conf")
        return parse((item.data or b"").decode()) if item else None

    def _copy_conf(self, *, wake: bool) -> None:
        """Copies corosync.conf to the host where it is newer.

        Corosync is told ONLY IF an old local file existed (facts: "calls corosync-cfgtool -R ONLY IF an old local
        file existed (`notify_corosync && old_version`)").
        """
        conf = self._conf()
        if conf is None:
            return
        old = parse(HOST_CONF.read_text()).version if HOST_CONF.exists() else 0
        if old >= conf.version and HOST_CONF.exists():
            if old > conf.version:
                complain("local corosync.conf is newer")
            return
        HOST_CONF.parent.mkdir(exist_ok=True)
        new = HOST_CONF.with_suffix(".conf.new")
        new.write_bytes(self.database.items["corosync.conf"].data or b"")
        new.rename(HOST_CONF)
        if wake and old:
            corosyncd.reload()

    def quorate(self) -> bool:
        if not self.clustered:
            return True
        if self.quorum_since is None or not self.synced or HUNG.exists():
            return False
        return time.monotonic() - self.quorum_since >= self.delay

    def look(self) -> None:
        """Takes in what corosync sees."""
        self.view = corosyncd.view() if self.clustered else None
        if self.view is None or not self.view["quorate"]:
            self.quorum_since = None
            self.synced = False
            self.heard.clear()
            return
        if self.quorum_since is None:
            self.quorum_since = time.monotonic()
        if not self.synced:
            versions = [self.heard.get(name) for name in self._others()]
            self.synced = all(v is not None and v <= self.database.version for v in versions)

    def members(self) -> str:
        """The text of .members."""
        conf = self._conf() if self.clustered else None
        head = f'{{\n"nodename": "{nodename()}",\n"version": {self.database.version}'
        if conf is None or not conf.nodes:
            return f"{head}\n}}\n"
        online = self.view["members"] if self.view else []
        cluster = f'"name": "{conf.cluster}", "version": {conf.version}, "nodes": {len(conf.nodes)}'
        nodes = []
        for node in conf.nodes.values():
            address = self.address if node.name == nodename() else resolve(node.addresses.get(0, "")) or ""
            here = 1 if node.nodeid in online else 0
            nodes.append(f'  "{node.name}": {{ "id": {node.nodeid}, "online": {here}, "ip": "{address}"}}')
        return (
            f'{head},\n"cluster": {{ {cluster}, "quorate": {int(self.quorate())} }},\n'
            '"nodelist": {\n' + ",\n".join(nodes) + "\n  }\n}\n"
        )

    # The other nodes --------------------------------------------------------------------------------------------

    def _others(self) -> dict[str, str]:
        """The other nodes that are there: {name: what resolves to the ring address}."""
        conf = self._conf()
        if conf is None or self.view is None:
            return {}
        online = [n for n in conf.nodes.values() if n.nodeid in self.view["members"] and n.name != nodename()]
        return {node.name: node.addresses.get(0, "") for node in online}

    def _peers(self) -> list[str]:
        return [address for name in self._others().values() if (address := resolve(name))]

    def _tell(self, address: str, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError), socket.create_connection((address, PORT), timeout=0.3) as wire:
            wire.sendall(seal(message))

    def _files_message(self) -> dict[str, Any]:
        items = {
            path: [None if item.data is None else base64.b64encode(item.data).decode(), item.mtime]
            for path, item in self.database.items.items()
        }
        return {"version": self.database.version, "items": items}

    def changed(self, path: str) -> None:
        """After each change of our own: on to the others, and corosync.conf to the host."""
        if not self.clustered:
            return
        message = self._files_message()
        for address in self._peers():
            self._tell(address, message)
        if path == "corosync.conf":
            self._copy_conf(wake=True)

    def compare(self) -> None:
        """Tells the others our version; who has a higher one sends its files."""
        for address in self._peers():
            self._tell(address, {"version": self.database.version, "reply": self.address, "node": nodename()})

    def hear(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(0.3)
        data = b""
        with contextlib.suppress(OSError), connection:
            while piece := connection.recv(65536):
                data += piece
        message = unseal(data) if data else None
        if message is None:
            return
        if "items" in message:
            self._take(message)
            return
        self.heard[message["node"]] = message["version"]
        if message["version"] < self.database.version and self.quorate():
            self._tell(message["reply"], self._files_message())

    def _take(self, message: dict[str, Any]) -> None:
        if message["version"] <= self.database.version:
            return
        self.database.version = message["version"]
        self.database.items.clear()
        for path, (data, mtime) in message["items"].items():
            self.database.items[path] = Item(None if data is None else base64.b64decode(data), mtime)
        self.database.save()
        self._copy_conf(wake=True)

    # Life -------------------------------------------------------------------------------------------------------

    def serve(self, fd: int, listener: socket.socket) -> None:
        """Answers the kernel and the other nodes until the file system is taken away."""
        server = fuse.Server(fd, self.files)
        look = compare = 0.0
        while True:
            now = time.monotonic()
            settled = self.synced or not self.clustered
            if now >= look:
                self.look()
                look = now + (0.1 if settled else 0.03)
            if now >= compare:
                if self.clustered:
                    self.compare()
                compare = now + (scale.COMPARE if settled else scale.COMPARE / 3)
            ready = select.select([fd, listener], [], [], max(0.0, min(look, compare) - now))[0]
            if listener in ready:
                self.hear(listener)
            if fd in ready:
                try:
                    server.handle()
                except OSError as error:
                    if error.errno == errno.ENODEV:
                        return
                    raise


def start(*, local: bool) -> int:
    """Mounts /etc/pve and serves it in the background; gives the exit status."""
    if alive("pmxcfs"):
        complain("[main] notice: unable to acquire pmxcfs lock - trying again")
        end = time.monotonic() + LOCK_WAIT  # facts: "unable to acquire pmxcfs lock" after 10 s
        while alive("pmxcfs"):
            if time.monotonic() > end:
                complain("[main] crit: unable to acquire pmxcfs lock: Resource temporarily unavailable")
                return 255
            time.sleep(0.02)
    fuse.unmount_stale(MOUNTPOINT)
    HUNG.unlink(missing_ok=True)
    Path(MOUNTPOINT).mkdir(exist_ok=True)
    filesystem = Pmxcfs(local=local)
    listener = socket.create_server(("", PORT), reuse_port=False)

    def stop() -> None:
        fuse.unmount(MOUNTPOINT)
        sys.exit(0)

    def serve(ready: Any) -> None:
        on_signal(signal.SIGTERM, stop)
        fd = fuse.mount(MOUNTPOINT, "pmxcfs")
        filesystem.look()
        ready()
        filesystem.serve(fd, listener)

    return daemonize("pmxcfs", serve)


def running() -> bool:
    """Whether a pmxcfs serves /etc/pve."""
    return alive("pmxcfs") != 0


__all__ = ["FILE", "HOST_CONF", "MOUNTPOINT", "own_address", "running", "start"]
