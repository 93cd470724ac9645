"""What pmxcfs, pvecm and pveproxy have to do with corosync, here with the stand-in (totem.py).

Nothing else of theirs asks or tells corosync anything, so that another corosync needs another module of this name
and no more: CONF, view, reload, expect, kill, make_key, quorumtool.
"""

import contextlib
import json
import os
import signal
from typing import Any

from . import quorumtool as imitation
from .settings import die, era, say
from .totem import CONF, EXPECTED, VIEW
from .wire import AUTHKEY

__all__ = ["CONF", "expect", "kill", "make_key", "quorumtool", "reload", "view"]


def view() -> dict[str, Any] | None:
    """What the running corosync sees; None where none runs.

    {"cluster": its name, "version": of its configuration, "nodeid": our own, "members": the numbers of the nodes that
    are there, "votes": theirs together, "expected": all, "quorum": how many it takes, "quorate": whether they do}.
    """
    found = _process()
    return None if found is None else {key: value for key, value in found.items() if key != "pid"}


def reload() -> None:
    """Has a running corosync read its configuration again."""
    _send(signal.SIGHUP)


def expect(votes: str) -> int:
    """Sets the votes that corosync expects, until its configuration changes; gives the exit status."""
    if view() is None:
        die("Cannot initialize CMAP service\n", 1)
    EXPECTED.write_text(votes)
    _send(signal.SIGUSR1)
    return 0


def kill(nodeid: int) -> None:
    """Has a member's corosync end; dies where it is none. The stand-in is not ended: that it is not listed is enough."""
    seen = view()
    if seen is None or nodeid not in seen["members"]:
        die("could not kill node (error = CS_ERR_NOT_EXIST)\n", 1)


def make_key() -> None:
    """Writes a new AUTHKEY, with the words of corosync-keygen."""
    size = 128 if era() < (6,) else 256
    say("Corosync Cluster Engine Authentication key generator.")
    say(f"Gathering {size * 8} bits for key from /dev/urandom.")
    say(f"Writing corosync key to {AUTHKEY}.")
    AUTHKEY.touch(0o400)
    AUTHKEY.write_bytes(os.urandom(size))


def quorumtool(option: str) -> int:
    """Runs corosync-quorumtool with -siH or -l; gives its exit status."""
    return imitation.run(option, CONF, view())


def _process() -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(VIEW.read_text())
        os.kill(int(found["pid"]), 0)
    except (OSError, ValueError):
        return None
    return found


def _send(number: signal.Signals) -> None:
    found = _process()
    if found is not None:
        with contextlib.suppress(ProcessLookupError):  # it has ended since
            os.kill(int(found["pid"]), number)
