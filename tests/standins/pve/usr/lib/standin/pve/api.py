"""pveproxy: https on 8006, and of the API what a join and a look need.

GET / is 200; /api2/json/... without a ticket 401. A ticket is given for root@pam and the password in the node's own
/etc/shadow; the time of the node is in it, as eight hexadecimal digits (from memory, as is the answer of
/cluster/status). What is asked of the cluster runs pvecm's own code on this node, as on the real one.
"""

import base64
import ctypes
import http.server
import json
import secrets
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from . import certificates, groups, membership, pmxcfs
from .daemon import daemonize, on_signal
from .settings import Failure, complain, nodename, seconds, setting

PORT = 8006
_tickets: set[str] = set()


def password_right(password: str) -> bool:
    """Whether PASSWORD is root's in /etc/shadow."""
    for line in Path("/etc/shadow").read_text().splitlines():
        name, secret = line.split(":")[:2]
        if name == "root" and secret.startswith("$"):
            crypt = ctypes.CDLL("libcrypt.so.1").crypt
            crypt.restype = ctypes.c_char_p
            return secrets.compare_digest(crypt(password.encode(), secret.encode()) or b"", secret.encode())
    return False


def status() -> list[dict[str, Any]]:
    """What /cluster/status says: the cluster, where the node is in one, and the nodes, each in no certain order."""
    known = json.loads((certificates.PVE / ".members").read_text())
    own = {"id": 0, "online": 1, "ip": ""}
    nodes = known.get("nodelist") or {nodename(): own}
    found: list[dict[str, Any]] = []
    for name, node in nodes.items():
        entry = {"ip": node.get("ip", ""), "online": node["online"], "level": "", "name": name}
        local = int(name == nodename())
        found.append({**entry, "id": f"node/{name}", "nodeid": node["id"], "type": "node", "local": local})
    if "cluster" in known:
        cluster = known["cluster"]
        counts = {"nodes": len(nodes), "version": cluster.get("version", 1)}
        found.append(
            {"quorate": cluster["quorate"], "name": cluster["name"], "id": "cluster", **counts, "type": "cluster"}
        )
    return found


class Refusal(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server_version = "pve-api-daemon/3.0"
    sys_version = ""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle({})

    def do_DELETE(self) -> None:
        self._handle({})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self._handle(dict(parse_qsl(text)))

    def _handle(self, fields: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        time.sleep(seconds("api-delay", 0))
        try:
            if path == "/":
                self._answer(200, "OK", f"<title>{nodename()} - Proxmox Virtual Environment</title>\n", "text/html")
                return
            if not path.startswith("/api2/json/"):
                raise Refusal(404, "no such file")
            data = self._api(self.command, path.removeprefix("/api2/json"), fields)
            self._answer(200, "OK", json.dumps({"data": data}), "application/json")
        except Refusal as refusal:
            self._answer(refusal.status, refusal.reason, '{"data":null}', "application/json")

    def _answer(self, status: int, reason: str, body: str, kind: str) -> None:
        self.send_response(status, reason.replace("\n", " "))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def _api(self, method: str, path: str, fields: dict[str, str]) -> Any:
        if (method, path) == ("POST", "/access/ticket"):
            if fields.get("username") != "root@pam" or not password_right(fields.get("password", "")):
                raise Refusal(401, "authentication failure")
            signature = base64.b64encode(secrets.token_bytes(256)).decode()
            if setting("second-factor"):
                partial = f"PVE:!tfa!root@pam:{int(time.time()):08X}::{signature}"
                return {"username": "root@pam", "NeedTFA": 1, "ticket": partial, "CSRFPreventionToken": "standin"}
            ticket = f"PVE:root@pam:{int(time.time()):08X}::{signature}"
            _tickets.add(ticket)
            return {"username": "root@pam", "ticket": ticket, "CSRFPreventionToken": "standin"}
        if self.headers.get("Cookie", "").removeprefix("PVEAuthCookie=") not in _tickets:
            raise Refusal(401, "No ticket")
        if method != "GET" and self.headers.get("CSRFPreventionToken") != "standin":
            raise Refusal(401, "Permission denied - invalid csrf token")
        if path == "/access/groups" or path.startswith("/access/groups/"):
            return self._group(method, path.removeprefix("/access/groups").removeprefix("/"), fields)
        if path == "/version":
            return {"version": setting("pve-version").partition("/")[0]}
        if path == "/cluster/config/apiversion":
            return 1
        if method == "POST" and path.startswith("/cluster/config/nodes/"):
            return self._take_in(path.rpartition("/")[2], fields)
        if path == "/cluster/status":
            return status()
        raise Refusal(501, f"Method '{method} {path}' not implemented")

    def _group(self, method: str, name: str, fields: dict[str, str]) -> Any:
        try:
            if method == "POST":
                return groups.create(fields["groupid"], fields.get("comment", ""))
            if method == "DELETE":
                return groups.delete(name)
            return groups.read(name)
        except (Failure, OSError) as failure:
            raise Refusal(500, str(failure).strip()) from failure

    def _take_in(self, name: str, fields: dict[str, str]) -> dict[str, str]:
        try:
            with membership.lock():
                return membership.take_in(name, fields, fields.get("new_node_ip"))
        except Failure as failure:
            raise Refusal(500, str(failure).strip()) from failure


def start() -> int:
    """Starts pveproxy in the background; its ExecStartPre is `pvecm updatecerts`, whose failure is not looked at.

    Without certificates (pve-cluster is not running) the real unit is active and answers nothing, its workers ending
    one after another: from memory, and the worse of what may be.
    """
    if pmxcfs.running() and membership.quorate():
        certificates.update()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def load() -> bool:
        """Whether key and certificate are there, whole, and belong together."""
        try:
            certificates.www_files()
            context.load_cert_chain("/run/standin/pveproxy/pve-ssl.pem", "/run/standin/pveproxy/pve-ssl.key")
        except (OSError, ssl.SSLError):
            return False
        return True

    def load_again() -> None:
        if not load():
            signal.setitimer(signal.ITIMER_REAL, 0.2)

    def serve(ready: Any) -> None:
        on_signal(signal.SIGTERM, lambda: sys.exit(0))
        on_signal(signal.SIGALRM, load_again)
        on_signal(signal.SIGHUP, load_again)
        while not load():
            if ready is not None:
                complain("/etc/pve/local/pve-ssl.key: failed to load local private key")
                ready()
                ready = None
            time.sleep(0.2)
        server = http.server.ThreadingHTTPServer(("", PORT), Handler)
        # Each connection's thread shakes hands: one who says nothing keeps no other waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        if ready is not None:
            ready()
        server.serve_forever()

    return daemonize("pveproxy", serve)
