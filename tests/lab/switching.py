"""What scenarios of the network's switch share: a node with its address on its NIC, logins into it, and looks at it."""

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from sandbox.patience import LONGEST
from sandbox.trees import Tree
from scripts import nodes as made
from scripts import support
from scripts.test_network import addresses, default_routes

from .cluster import Lab
from .conftest import MakeLab
from .descriptions import description
from .node import Node
from .waiting import until

ADDRESS, GATEWAY, SILENT = "10.0.0.11", made.GATEWAY, "10.0.0.9"
DIRECTORY = f"{support.STATE}/mypve/network"
ON_THE_NIC = f"""\
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
\taddress {ADDRESS}/24
\tgateway {GATEWAY}
\tdns-nameservers {GATEWAY}
"""


def on_the_nic(lab: MakeLab, target: str) -> Lab:
    """pve1 alone, with its address on eth0: the bridge is yet to come."""
    nodes = lab(description(target, 1))
    node = nodes["pve1"]
    if target == "alt-p11":
        # What its installer has made is taken down first: ifupdown2 takes what is gone from the file for nobody's.
        node.run("ifdown vmbr0").check()
        node.put("/etc/network/interfaces", ON_THE_NIC)
        node.run("ifreload -a").check()
    assert addresses(node) == {"eth0": [f"{ADDRESS}/24"]}
    return nodes


def silent(nodes: Lab) -> None:
    """From now on the script has a gateway that nobody has."""
    nodes.rebuild(support.changed(nodes.text, (f'gateway = "{GATEWAY}"', f'gateway = "{SILENT}"')))


def right(nodes: Lab) -> None:
    """From now on the script has the gateway that answers."""
    nodes.rebuild(support.changed(nodes.text, (f'gateway = "{SILENT}"', f'gateway = "{GATEWAY}"')))


def begins_to_answer(nodes: Lab, *, so: bool = True) -> None:
    """The gateway that nobody had answers from now on; or no more."""
    nodes.switch.ip(f"address {'add' if so else 'del'} {SILENT}/24 dev sw0")


def bridge(nodes: Lab, *words: str, call: str = "apply") -> support.Run:
    """Runs the step of the network alone."""
    return nodes.call("pve1", call, "--only", "bridge", *words, timeout=150)


def network(node: Node) -> object:
    """Addresses and default routes that are in force."""
    return addresses(node), default_routes(node)


OLD = ({"eth0": [f"{ADDRESS}/24"]}, [(GATEWAY, "eth0")])


def is_old(node: Node) -> bool:
    return network(node) == OLD


def is_new(node: Node, gateway: str = GATEWAY) -> bool:
    return network(node) == ({"eth0": [], "vmbr0": [f"{ADDRESS}/24"]}, [(gateway, "vmbr0")])


def files(node: Node) -> Tree:
    """What stands where the network's files and units are."""
    return node.tree("/etc/net", "/etc/network", "/etc/systemd/system", skip=("/etc/network/ifstatenew",))


def clean(node: Node) -> None:
    """Nothing of a switch is left: no timer, no unit, no profile, no file."""
    # systemd lets go of a scope only some time after the last process in it has ended.
    scopes = "systemctl list-units --all --plain --no-legend 'pvegen*.scope'"
    until(lambda: node.run(scopes).stdout == "", "no command of the network runs", 10)
    assert node.run("systemctl list-units --all --plain --no-legend 'pvegen*'").stdout == ""
    assert "pvegen" not in node.run("systemctl list-timers --all; systemctl --failed").stdout
    found = "find /run/systemd/transient /run/systemd/system /etc/systemd -name '*pvegen*' 2>/dev/null; ls /run/pvegen"
    assert node.run(found).stdout.split() == ["lock"]
    trash = "find /etc /root /var/lib/pvegen -name '*.pvegen' -o -name '*#pvegen' -o -name '*.new' -o -name '*.next'"
    assert node.run(f"{trash}; ls -d /etc/net/profile {DIRECTORY} 2>/dev/null").stdout == ""


def seen(node: Node) -> bool:
    """Whether the new network was brought up, and looked at in vain."""
    return node.run(f"[ -s {DIRECTORY}/seen ] && [ -s /run/pvegen/network ]").status == 0


def has_begun(node: Node) -> bool:
    """Whether what runs may be the new network."""
    return node.exists("/run/pvegen/network")


def decided(node: Node, how: str) -> bool:
    """Whether the switch is "kept" or "reverted", and nobody is at work on it any more."""
    ends = f"[ -e {DIRECTORY}/{how} ] && ! pgrep -f '[n]etwork-(try|back|prove|boot)'"
    return node.run(ends).status == 0


def no_run(node: Node) -> bool:
    """Whether no run of a script is under way."""
    return node.run("flock -n /run/pvegen/lock true && ! pgrep -f '[p]ve1.sh apply'").status == 0


def kill_run(node: Node) -> None:
    """Kills the run of apply that is under way, and all that it has started in its group of processes."""
    node.run("for pid in $(pgrep -f '[p]ve1.sh apply'); do kill -s KILL -- -$pid; done")
    until(lambda: no_run(node), "the run is dead")


@contextlib.contextmanager
def under_way(nodes: Lab, *words: str) -> Iterator[list[support.Run]]:
    """The step of the network in the background, once what runs may be the new network; gives its end in the list."""
    done: list[support.Run] = []

    def call() -> None:
        with contextlib.suppress(OSError, AssertionError, subprocess.SubprocessError):  # the node may be cut off
            done.append(bridge(nodes, *words))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        nodes.until(lambda: has_begun(nodes["pve1"]), "the network is being switched")
        yield done
    finally:
        thread.join()


class Administrator:
    """Somebody at the machine that is the node's gateway, with a key that gets into pve1 as root."""

    def __init__(self, nodes: Lab) -> None:
        self._nodes = nodes
        self._folder = tempfile.TemporaryDirectory()
        private, public = made.root_key("administrator")
        self._key = Path(self._folder.name, "key")
        self._key.write_text(private)
        self._key.chmod(0o600)
        node = nodes["pve1"]
        node.put("/root/.ssh/authorized_keys", public, 0o600)
        node.run("chmod 700 /root /root/.ssh").check()

    def __enter__(self) -> "Administrator":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def words(self, command: str, *options: str) -> list[str]:
        """The command line that runs COMMAND on the node through ssh."""
        words = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=20"]
        words = [word for option in words for word in ("-o", option)]
        return [*self._nodes.switch.enter(), "ssh", "-q", "-F", "none", "-i", str(self._key), *words, *options,
                f"root@{ADDRESS}", command]  # fmt: skip

    def gets_in(self) -> bool:
        """Whether a new login succeeds."""
        done = subprocess.run(self.words("hostname"), capture_output=True, text=True, timeout=60 * LONGEST, check=False)
        return done.stdout == "pve1\n"

    def start(self, command: str, *options: str) -> "subprocess.Popen[str]":
        """A login in which COMMAND runs, with its input and output as pipes."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.words(command, *options), stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, bufsize=1
        )

    @contextlib.contextmanager
    def session(self) -> "Iterator[subprocess.Popen[str]]":
        """A login that is open all the time; it repeats what is said to it."""
        with self.start("cat") as login:
            try:
                assert lives(login)
                yield login
            finally:
                login.kill()


def lives(login: "subprocess.Popen[str]") -> bool:
    """Whether an open session still passes words in both directions."""
    assert login.stdin is not None and login.stdout is not None
    login.stdin.write("there?\n")
    return login.stdout.readline() == "there?\n"
