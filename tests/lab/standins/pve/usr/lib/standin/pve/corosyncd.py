"""What pmxcfs, pvecm and pveproxy have to do with corosync, here with the real one.

What pmxcfs looks at ten times a second comes from corosync's library (votequorum.py); the rest is done by corosync's
own programs, whose words and exit statuses are thereby the real ones.
"""

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

from .corosyncconf import parse
from .settings import die, era
from .votequorum import Unavailable, Votequorum
from .wire import AUTHKEY

CONF = Path("/etc/corosync/corosync.conf")


@functools.cache
def _votequorum() -> Votequorum:
    return Votequorum()


def view() -> dict[str, Any] | None:
    """What the running corosync sees; None where none runs.

    {"cluster": its name, "version": of its configuration, "nodeid": our own, "members": the numbers of the nodes that
    are there, "votes": theirs together, "expected": all, "quorum": how many it takes, "quorate": whether they do}.
    """
    try:
        votes = _votequorum().votes()
        conf = parse(CONF.read_text())
        members = sorted(n.nodeid for n in conf.nodes.values() if _votequorum().is_member(n.nodeid))
    except (Unavailable, OSError):
        return None
    return {
        "cluster": conf.cluster,
        "version": conf.version,
        "nodeid": votes.nodeid,
        "members": members,
        "votes": votes.votes,
        "expected": votes.expected,
        "quorum": votes.quorum,
        "quorate": votes.quorate,
    }


def reload() -> None:
    """Has every running corosync of the cluster read its configuration again."""
    _run("corosync-cfgtool", "-R")


def expect(votes: str) -> int:
    """Sets the votes that corosync expects, until its configuration changes; gives the exit status."""
    return _run("corosync-quorumtool", "-e", votes)


def kill(nodeid: int) -> None:
    """Has a member's corosync end; dies where it is none (facts: "rc 1 (CS_ERR_NOT_EXIST)")."""
    status = _run("corosync-cfgtool", "-k", str(nodeid))
    if status != 0:
        die(f"command 'corosync-cfgtool -k {nodeid}' failed: exit code {status}\n", 1)


def make_key() -> None:
    """Writes a new AUTHKEY; dies where there is none then."""
    size = ["-s", "128"] if era() < (6,) else []
    if _run("corosync-keygen", "-l", "-k", str(AUTHKEY), *size) != 0:
        die("no authentication key available\n")  # facts: create: "no authentication key available"


def quorumtool(option: str) -> int:
    """Runs corosync-quorumtool with -siH or -l; gives its exit status."""
    return _run("corosync-quorumtool", option)


def _run(*words: str) -> int:
    sys.stdout.flush()
    return subprocess.run(words, check=False).returncode
