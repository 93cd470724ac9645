"""corosync-quorumtool: the two of its outputs that pvecm shows."""

from pathlib import Path
from typing import Any

from .corosyncconf import parse
from .settings import complain, era, say

_HEADING = "Membership information\n----------------------"


def run(option: str, conf: Path, view: dict[str, Any] | None) -> int:
    """Prints what `corosync-quorumtool -siH` or `-l` does; 0 with quorum, 2 without, 1 where no corosync runs."""
    if view is None:
        complain("Cannot initialize CMAP service")
        return 1
    if option == "-l":
        _members(f"\n{_HEADING}", conf, view)
        return 0
    _status(view)
    _members(_HEADING, conf, view)
    return 0 if view["quorate"] else 2


def _status(view: dict[str, Any]) -> None:
    blocked = "" if view["quorate"] else " Activity blocked"
    say("Quorum information\n------------------")
    say(f"Quorum provider:  corosync_votequorum\nNodes:            {len(view['members'])}")
    say(f"Node ID:          {view['nodeid']:#010x}")
    say(f"Ring ID:          1.{view['version']}\nQuorate:          {'Yes' if view['quorate'] else 'No'}\n")
    say("Votequorum information\n----------------------")
    say(f"Expected votes:   {view['expected']}\nHighest expected: {view['expected']}")
    say(f"Total votes:      {view['votes']}")
    say(f"Quorum:           {view['quorum']}{blocked}\nFlags:            {'Quorate' if view['quorate'] else ''}\n")


def _members(heading: str, conf: Path, view: dict[str, Any]) -> None:
    say(f"{heading}\n    Nodeid      Votes Name")
    for node in parse(conf.read_text()).nodes.values():
        if node.nodeid in view["members"]:
            mine = " (local)" if node.nodeid == view["nodeid"] else ""
            say(f"{node.nodeid:>10} {node.votes:>10} {node.name if era() >= (5,) else node.addresses[0]}{mine}")
