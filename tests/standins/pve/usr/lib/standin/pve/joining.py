"""`pvecm add`: the joiner's side of the two ways, over ssh and over the API."""

import http.client
import json
import ssl
import sys
import termios
import tty
from typing import Any
from urllib.parse import urlencode

from . import certificates, membership, ssh
from .settings import die, era, failing, nodename, say

PORT = 8006
API_VERSION = 1


def _link_options(options: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in options.items() if key.startswith(("link", "ring", "nodeid", "votes"))}


# Over ssh -----------------------------------------------------------------------------------------------------------


def over_ssh(host: str, options: dict[str, str]) -> None:
    """PVE 4.x to 5.1, and `--use_ssh` after that.

    4.0-46 had rewritten sshd_config and the keys before it looked whether it may join (facts: "note that it has
    ALREADY rewritten sshd_config and ssh keys before checking"); that is done here in every era.
    """
    ssh.allow_root()
    ssh.own_keys()
    certificates.update()
    ssh.share_authorized_keys()
    membership.check_joinable(options, force="force" in options)
    ssh.unshare_known_hosts()
    ssh.copy_id(host)
    words = ["pvecm", "addnode", nodename(), "--force", "1"]
    if era() >= (6, 1, 5):
        words += ["--apiversion", str(API_VERSION), "--new_node_ip", membership.local_address()]
    for key, value in _link_options(options).items():
        words += [f"--{key}", value]
    done = ssh.call(host, *words)
    sys.stdout.write(done.stdout.decode())
    sys.stdout.flush()
    if done.returncode != 0:
        # facts: "before create 25" on 5.0, where the codes are honest
        sys.stderr.write(done.stderr.decode())
        die(f"unable to add node: command failed (ssh {host} -o BatchMode=yes {' '.join(words)})\n", 25)
    say("copy corosync auth key")
    authkey, conf = (ssh.call(host, "cat", path) for path in ("/etc/corosync/authkey", "/etc/pve/corosync.conf"))
    if failing("pvecm-add-copy") or authkey.returncode != 0 or conf.returncode != 0:
        # facts: "A HALF-DONE ADD is the danger: addnode on the member comes before the copy"
        sys.stderr.write(
            'rsync: [sender] change_dir "/etc/corosync/authkey /etc/pve" failed: No such file or directory (2)\n'
        )
        die(f"can't rsync data from host '{host}'\n")
    membership.finish_join(conf.stdout.decode(), authkey.stdout)


# Over the API -------------------------------------------------------------------------------------------------------


def read_password(prompt: str) -> str:
    """Facts: "if stdin is not a TTY it reads ONE LINE; EOF -> `EOF while reading password`"."""
    print(prompt, end="", flush=True)
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        print()
        if not line:
            die("EOF while reading password\n")
        return line.rstrip("\n")
    old = termios.tcgetattr(0)
    tty.setcbreak(0)
    try:
        line = sys.stdin.readline()
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, old)
    print("*" * len(line.rstrip("\n")))
    return line.rstrip("\n")


class Api:
    """A connection to a member's pveproxy."""

    def __init__(self, host: str, fingerprint: str | None) -> None:
        self.host = host
        self._fingerprint = fingerprint
        self._headers: dict[str, str] = {}

    def login(self, password: str) -> None:
        answer = self._call("POST", "/access/ticket", {"username": "root@pam", "password": password})
        self._headers = {"Cookie": f"PVEAuthCookie={answer['ticket']}", "CSRFPreventionToken": "standin"}

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, fields: dict[str, str]) -> Any:
        return self._call("POST", path, fields)

    def _call(self, method: str, path: str, fields: dict[str, str] | None) -> Any:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(self.host, PORT, timeout=30, context=context)
        try:
            connection.connect()
        except OSError as error:
            reason = "Connection timed out" if isinstance(error, TimeoutError) else error.strerror
            die(f"500 Can't connect to {self.host}:{PORT} ({reason})\n")
        self._verify(connection.sock.getpeercert(binary_form=True))  # type: ignore[union-attr]
        headers = {"Content-Type": "application/x-www-form-urlencoded", **self._headers}
        connection.request(method, f"/api2/json{path}", urlencode(fields) if fields else None, headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            die(f"{response.status} {response.reason}\n")
        return json.loads(body)["data"]

    def _verify(self, certificate: bytes) -> None:
        found = certificates.fingerprint(ssl.DER_cert_to_PEM_cert(certificate))
        if self._fingerprint is None:
            say(f"The authenticity of host '{self.host}' can't be established.")
            say(f"X509 SHA256 key fingerprint is {found}.")
            print("Are you sure you want to continue connecting (yes/no)? ", end="", flush=True)
            if sys.stdin.readline().strip() != "yes":
                die(f"500 Can't connect to {self.host}:{PORT} (certificate verify failed)\n")
            self._fingerprint = found
        elif self._fingerprint.upper() != found:
            die(f"500 Can't connect to {self.host}:{PORT} (certificate verify failed)\n")


def over_api(host: str, options: dict[str, str]) -> None:
    """PVE from 5.2 on (pve-cluster 5.0-21); texts as in facts, "Real p11 transcript"."""
    password = read_password(f"Please enter superuser (root) password for '{host}': ")
    with membership.lock():
        membership.check_joinable(options, force="force" in options)
        ssh.allow_root()
        ssh.own_keys()
        certificates.update()
        ssh.share_authorized_keys()
        ssh.unshare_known_hosts()
        say(f"Establishing API connection with host '{host}'")
        api = Api(host, options.get("fingerprint"))
        api.login(password)
        say("Login succeeded.")
        say("check cluster join API version")
        api.get("/cluster/config/apiversion")
        fields = _link_options(options)
        address = membership.local_address()
        if not any(key.startswith("link") for key in fields):
            say(f"No cluster network links passed explicitly, fallback to local node IP '{address}'")
        if "force" in options:
            fields["force"] = "1"
        say("Request addition of this node")
        answer = api.post(f"/cluster/config/nodes/{nodename()}", {**fields, "new_node_ip": address, "apiversion": "1"})
        say("Join request OK, finishing setup locally")
        if failing("pvecm-add-copy"):  # the member lists the node, and the node has got nothing
            die("500 got no data\n")
        membership.finish_join(answer["corosync_conf"], bytes.fromhex(answer["corosync_authkey"]))
