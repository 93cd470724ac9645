"""Ten moments of the join of pve2 through pve1, in the order in which they come, seen from outside."""

import contextlib
import stat
from collections.abc import Callable

from scripts.nodes import in_quorum, members

from .cluster import Lab
from .node import Node

MEMBER, JOINER = "pve1", "pve2"


def is_link(node: Node, path: str) -> bool:
    found = node.root.lstat(path)
    return found is not None and stat.S_ISLNK(found.st_mode)


def there(node: Node, path: str) -> bool:
    """Whether there is anything; below /etc/pve there is nothing while pmxcfs comes or goes."""
    try:
        return node.exists(path)
    except OSError:
        return False


def has(name: str, path: str) -> Callable[[Lab], bool]:
    return lambda lab: there(lab[name], path)


def lacks(name: str, path: str) -> Callable[[Lab], bool]:
    return lambda lab: not there(lab[name], path)


def key_sent(lab: Lab) -> bool:
    return f"root@{JOINER}" in lab[MEMBER].read("/etc/pve/priv/authorized_keys")


def listed(lab: Lab) -> bool:
    return f"name: {JOINER}" in lab[MEMBER].read("/etc/corosync/corosync.conf")


def joined(lab: Lab) -> bool:
    return there(lab[JOINER], "/etc/pve/corosync.conf") and in_quorum(lab[JOINER])


def finished(lab: Lab) -> bool:
    """What pvecm does last."""
    own = f"/etc/pve/nodes/{JOINER}/ssh_known_hosts"  # from pve-cluster 8.0.6 on
    return joined(lab) and (is_link(lab[JOINER], f"{lab.ssh_dir}/ssh_known_hosts") or there(lab[JOINER], own))


MOMENTS: dict[str, Callable[[Lab], bool]] = {
    "key sent": key_sent,
    "lock taken": has(MEMBER, "/etc/pve/priv/pvegen-join/node"),
    "listed by the member": listed,
    "key copied": has(JOINER, "/etc/corosync/authkey"),
    "pve-cluster stopped": lacks(JOINER, "/etc/pve/local"),
    "database gone": lacks(JOINER, "/var/lib/pve-cluster/config.db"),
    "pve-cluster started": has(JOINER, "/etc/pve/corosync.conf"),
    "corosync up": lambda lab: members(lab[MEMBER]).get(JOINER, False),
    "in the quorum": joined,
    "pvecm at its end": finished,
}


def reach(lab: Lab, moment: str, goes: Callable[[], bool]) -> None:
    """Waits for the moment of a join that goes on; AssertionError where it ends before."""

    def reached() -> bool:
        with contextlib.suppress(OSError):  # a file of /etc/pve while pmxcfs comes or goes
            return MOMENTS[moment](lab)
        return False

    lab.until(lambda: reached() or not goes(), moment, 120, every=0.002)
    assert goes(), f"the join ended before: {moment}"
