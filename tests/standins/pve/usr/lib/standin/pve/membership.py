"""Creating a cluster, adding and removing nodes: what happens on whichever node it happens on."""

import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import certificates, corosyncd, pmxcfs, scale, ssh
from .corosyncconf import Conf, Node, parse, render
from .database import FILE, back_up
from .settings import RUNNING, complain, die, era, failing, nodename, say
from .wire import AUTHKEY, is_local, resolve

PVE_CONF = Path("/etc/pve/corosync.conf")
LOCAL = Path("/etc/pve/local")
LOCK = Path("/var/lock/pvecm.lock")
NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?")
Options = dict[str, str]


def need_pmxcfs() -> None:
    """Facts: "Before any pvecm call `systemctl start pve-cluster` must have run; else rc 111"."""
    if not pmxcfs.running():
        for number in (1, 2, 3):
            complain(f"ipcc_send_rec[{number}] failed: Connection refused")
        die("Unable to load access control list: Connection refused\n", 111)


def quorate() -> bool:
    """Facts: "owner-write bit of the symlink /etc/pve/local (lstat mode & 0200)"."""
    try:
        return bool(LOCAL.lstat().st_mode & 0o200)
    except OSError:
        return False


def need_conf() -> Conf:
    if not PVE_CONF.exists():
        status = 2 if era() >= (5,) else 255
        die(f"Error: Corosync config '{PVE_CONF}' does not exist - is this node part of a cluster?\n", status)
    return parse(PVE_CONF.read_text())


def write_conf(conf: Conf) -> None:
    """Replaces the cluster's corosync.conf as PVE does: a new file, then a rename."""
    new = PVE_CONF.with_name("corosync.conf.new")
    new.write_text(render(conf))
    new.rename(PVE_CONF)


@contextmanager
def lock(path: Path = LOCK, limit: float = 10) -> Iterator[None]:
    """Facts: "lock: /var/lock/pvecm.lock, 10 s (from 5.0-21)"."""
    with open(path, "w") as file:
        end = time.monotonic() + limit
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    die(f"can't lock file '{path}' - got timeout\n")
                time.sleep(0.02)
        yield


def local_address() -> str:
    """The own address by name; dies with the text of the era (facts: "hostname -> loopback")."""
    name = nodename()
    address = resolve(name)
    if address is None:
        die(f"hostname lookup '{name}' failed - failed to get address info for: {name}: Name or service not known\n")
    if address.startswith("127.") or address == "::1":
        if era() < (5, 0, 7):
            die(f"hostname lookup failed - got local IP address ({name} = {address})\n")
        die(f"address lookup for '{name}' did not find any IP address\n")
    return address


def addresses(options: Options, default: str) -> dict[int, str]:
    """The addresses by link number out of --link0 (ADDRESS[,priority=N]) or --ring0_addr and so on."""
    found = {}
    for key, value in options.items():
        match = re.fullmatch(r"link(\d)|ring(\d)_addr", key)
        if match:
            found[int(match[1] or match[2])] = value.partition(",")[0].removeprefix("address=")
    return found or {0: default}


# Creating -----------------------------------------------------------------------------------------------------------


def check_creatable(name: str) -> None:
    """What `create` looks at before anything: the name, and whether there is a cluster."""
    if len(name) > 15:
        die(f"400 Parameter verification failed.\nclustername: value may only be 15 characters long\n{USAGE_CREATE}\n")
    if not NAME.fullmatch(name):
        text = "value does not look like a valid node name"
        die(f"400 Parameter verification failed.\nclustername: invalid format - {text}\n{USAGE_CREATE}\n")
    need_pmxcfs()
    if PVE_CONF.exists():
        die(f"cluster config '{PVE_CONF}' already exists\n")


USAGE_CREATE = "pvecm create <clustername> [OPTIONS]"


def create(name: str, options: Options) -> None:
    """Makes a cluster of this node alone."""
    ssh.allow_root()
    ssh.own_keys()
    certificates.update()
    ssh.share_authorized_keys()
    address = local_address()
    ssh.share_known_hosts(address)
    ssh.share_host_key(address)
    if not AUTHKEY.exists():  # facts: "an existing /etc/corosync/authkey is reused silently by create"
        AUTHKEY.parent.mkdir(exist_ok=True)
        corosyncd.make_key()
    default = nodename() if era() < (5, 0, 21) else address
    links = addresses(options, default)
    node = Node(nodename(), int(options.get("nodeid", "1")), int(options.get("votes", "1")), links)
    bindnet = {n: options.get(f"bindnet{n}_addr", resolve(a) or a) for n, a in links.items()} if era() < (6,) else None
    time.sleep(scale.CREATE)
    if era() >= (5, 0, 21):
        say(f"Writing corosync config to {PVE_CONF}")
    # facts: from 9.1.0 on an option of create, "default now 125"; older ones write none
    coefficient = options.get("token-coefficient", "125") if era() >= (9, 1, 0) else ""
    write_conf(Conf(name, 1, {node.name: node}, bindnet, coefficient))
    restart_cluster()


def restart_cluster() -> None:
    """Facts: "4.x `systemctl restart pve-cluster`, then corosync; 5.0-21+ `systemctl restart corosync pve-cluster`"."""
    if era() < (5, 0, 21):
        calls = [["restart", "pve-cluster"], ["restart", "corosync"]]
    else:
        say("Restart corosync and cluster filesystem")
        calls = [["restart", "corosync", "pve-cluster"]]
    for words in calls:
        done = subprocess.run(["systemctl", *words], check=False)
        if done.returncode != 0 or failing("pvecm-restart"):
            die(f"command 'systemctl {' '.join(words)}' failed: exit code 1\n")


# A member takes a node in ---------------------------------------------------------------------------------------------


def take_in(name: str, options: Options, new_address: str | None = None) -> dict[str, str]:
    """What `pvecm addnode` does on a member: lists node NAME in the cluster's configuration.

    new_address is the joiner's own address, for where no link is named. Gives {"corosync_conf", "corosync_authkey"}.
    """
    conf = need_conf()
    if not quorate():
        die("cluster not ready - no quorum?\n", 25 if era() < (5, 0, 21) else 255)
    force = options.get("force", "0") not in ("0", "")
    old = conf.nodes.get(name)
    links = addresses(options, name if era() < (5, 0, 21) else (new_address or name))
    if era() >= (4, 0, 49):
        for other in conf.nodes.values():
            for number, address in other.addresses.items():
                if other.name != name and address in links.values():
                    used = f"already used on link ring{number}_addr by node '{other.name}'"
                    die(f"corosync: address '{address}' {used}\n")
    _check_links(conf, links, options)
    if old is None:
        taken = {node.nodeid for node in conf.nodes.values()}
        nodeid = int(options.get("nodeid") or next(n for n in range(1, 1000) if n not in taken))
        votes = int(options.get("votes", "1"))
    else:
        nodeid, votes = int(options.get("nodeid") or old.nodeid), int(options.get("votes", old.votes))
        if not (force and nodeid == old.nodeid and votes == old.votes):
            die(f"can't add existing node '{name}'\n")
        if era() < (4, 0, 49):
            say(f"node {name} already defined")
            return _join_data(conf)
        say(f"forcing overwrite of configured node '{name}'")
    conf = conf.with_node(Node(name, nodeid, votes, links))
    write_conf(conf)
    _note_parallel(name, {node.name: node.nodeid for node in conf.nodes.values()})
    return _join_data(conf)


def _note_parallel(name: str, nodeids: dict[str, int]) -> None:
    """Hangs this member, and with it all who join it, where the node taken in before NAME is not there yet.

    Facts: "PARALLEL ADDS hang both nodes". Which nodes and how is not known; that the member never gives its files to
    a joiner again until its pmxcfs is restarted is the worse of what may be.
    """
    last = RUNNING / "taken-in"
    view = corosyncd.view()
    if last.exists() and time.time() - last.stat().st_mtime < scale.PARALLEL:
        before = last.read_text()
        if before != name and view is not None and nodeids.get(before) not in (None, *view["members"]):
            pmxcfs.HUNG.touch()
    last.write_text(name)


def _check_links(conf: Conf, links: dict[int, str], options: Options) -> None:
    """Facts: "corosync: link N exists in cluster config but wasn't specified for new node" and the reverse."""
    known = {number for node in conf.nodes.values() for number in node.addresses}
    named = any(key.startswith(("link", "ring")) for key in options)
    if era() >= (6, 1, 5) and not named and len(known) > 1:
        die("no links given but multiple links found on other nodes, fallback only supported on single-link clusters\n")
    for number in sorted(known - set(links)):
        die(f"corosync: link {number} exists in cluster config but wasn't specified for new node\n")
    for number in sorted(set(links) - known):
        die(f"corosync: link {number} was specified for new node but doesn't exist in cluster config\n")


def _join_data(conf: Conf) -> dict[str, str]:
    return {"corosync_conf": render(conf), "corosync_authkey": AUTHKEY.read_bytes().hex()}


# A node joins -------------------------------------------------------------------------------------------------------


def check_joinable(links: Options, *, force: bool) -> None:
    """Dies where this node must not join (facts: "add, 4.0-46", "add, 4.0-49+")."""
    found = []
    if AUTHKEY.exists():
        found.append(f"authentication key '{AUTHKEY}' already exists")
    if PVE_CONF.exists():
        found.append(f"cluster config '{PVE_CONF}' already exists")
    if any(Path("/etc/pve/nodes").glob("*/qemu-server/*.conf")) or any(Path("/etc/pve/nodes").glob("*/lxc/*.conf")):
        found.append("this host already contains virtual guests")
    if corosyncd.view() is not None:
        found.append("corosync is already running, is this node already in a cluster?!")
    if era() >= (5, 0, 37):
        found += _bad_addresses(links)
    if not found:
        return
    if era() < (4, 0, 49):
        if not force:
            short = {
                "authentication": "authentication key already exists",
                "cluster": f"cluster config '{PVE_CONF}' already exists",
                "this": "this host already contains virtual machines - please remove them first",
                "corosync": "corosync is already running",
            }
            die(f"{short[found[0].split()[0]]}\n", 17)
        return
    complain("detected the following error(s):\n" + "\n".join(f"* {text}" for text in found))
    if not force:
        die("Check if node may join a cluster failed!\n", 17)
    complain("WARNING : detected error but forced to continue!")


def _bad_addresses(links: Options) -> list[str]:
    """Facts: "* [local node address|ring0|link0]: cannot use IP 'X', ..."."""
    named = {key: value for key, value in links.items() if re.match(r"link|ring", key)}
    if named:
        asked = {key.removesuffix("_addr"): value.partition(",")[0] for key, value in named.items()}
    else:
        asked = {"local node address": local_address()}
    found = []
    for label, host in asked.items():
        address = resolve(host)
        if address is None:
            found.append(f"{label}: cannot use '{host}': hostname lookup failed")
        elif not is_local(address):
            why = (
                "not found on local node!"
                if era() >= (6, 1, 2)
                else "it must be configured exactly once on local node!"
            )
            found.append(f"{label}: cannot use IP '{address}', {why}")
    return found


def finish_join(conf: str, authkey: bytes) -> None:
    """The joiner's half after a member has taken it in (facts: "add (finish_join)")."""
    AUTHKEY.parent.mkdir(exist_ok=True)
    AUTHKEY.unlink(missing_ok=True)
    AUTHKEY.touch(0o400)
    AUTHKEY.write_bytes(authkey)
    corosyncd.CONF.write_text(conf)
    say("stopping pve-cluster service")
    subprocess.run(["systemctl", "stop", "pve-cluster"], check=False)
    if FILE.exists():
        if era() >= (5,):
            say(f"backup old database to '{back_up()}'")
        else:
            say("backup old database")
            back_up()
        FILE.unlink()
    if failing("pvecm-add-die"):  # killed between the old database and the new
        os.kill(os.getpid(), signal.SIGKILL)
    subprocess.run(["systemctl", "start", "pve-cluster"], check=False)
    subprocess.run(["systemctl", "start", "corosync"], check=False)
    _wait_for_quorum()
    if era() >= (6,):
        say("(re)generate node files")
        say("generate new node certificate")
    else:
        say("generating node certificates")
    certificates.update(force=True)
    say("merge authorized SSH keys" if era() >= (8,) else "merge known_hosts file")
    ssh.share_authorized_keys()
    ssh.share_host_key(local_address())
    restart = "restart services"
    if era() >= (6,):
        restart = "generated new node certificate, restart pveproxy and pvedaemon services"
    say(restart)
    subprocess.run(["systemctl", "reload-or-restart", "pvedaemon", "pveproxy"], check=False)
    say(f"successfully added node '{nodename()}' to cluster.")


def _wait_for_quorum() -> None:
    """WITHOUT TIMEOUT, as facts say of `while !quorum sleep 1`; in a sandbox it looks more often."""
    print("waiting for quorum...", end="", flush=True)
    while not quorate() or failing("pvecm-hang"):
        time.sleep(scale.QUORUM_LOOK)
    say("OK")


# Looking and leaving --------------------------------------------------------------------------------------------------


def delnode(name: str) -> None:
    """Takes a node out of the configuration (facts: "delnode: of a running node rc 0; of a stopped one removed but
    rc 1 (CS_ERR_NOT_EXIST); unknown or itself rc 255")."""
    conf = need_conf()
    if name == nodename():
        die("Cannot delete myself from cluster!\n")
    by_address = {a: n.name for n in conf.nodes.values() for a in n.addresses.values()}
    name = by_address.get(name, name)
    if name not in conf.nodes:
        die(f"Node/IP: {name} is not a known host of the cluster.\n")
    if not quorate():
        die("cluster not ready - no quorum?\n")
    nodeid = conf.nodes[name].nodeid
    write_conf(conf.without_node(name))
    say(f"Killing node {nodeid}")
    corosyncd.kill(nodeid)


def expected(number: str) -> int:
    """Sets the votes that corosync expects, until its configuration changes; gives the exit status."""
    need_conf()
    return corosyncd.expect(number)


def status() -> int:
    """Prints the status; facts: "`pvecm status`: rc 0 quorate; rc 2 not a member or no quorum; rc 1 corosync down"."""
    conf = need_conf()
    if era() >= (6,):
        say(f"Cluster information\n-------------------\nName:             {conf.cluster}")
        say(f"Config Version:   {conf.version}\nTransport:        knet\nSecure auth:      on\n")
    return corosyncd.quorumtool("-siH")


def nodes() -> int:
    """Prints who is there."""
    need_conf()
    return corosyncd.quorumtool("-l")
