"""Control groups: each node has one of its own in every hierarchy that systemd uses, else its units die (219/CGROUP).

(facts: "a cgroup of its own for each node in both hierarchies")
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from sandbox.patience import LONGEST

PREFIX = "pvegen-lab-"


def hierarchies() -> list[Path]:
    """Where the hierarchies of systemd are mounted: the unified one, and systemd's own beside it on a hybrid system."""
    found = []
    with open("/proc/mounts") as file:
        for line in file:
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
                found.append(Path(where))
    return found


class Group:
    """The control group of one node."""

    def __init__(self, name: str) -> None:
        self._paths = [top / f"{PREFIX}{name}" for top in hierarchies()]

    def make(self) -> list[str]:
        """Makes it, empty; gives the files that a process writes itself into to be in it."""
        self.remove()
        for path in self._paths:
            path.mkdir()
        return [str(path / "cgroup.procs") for path in self._paths]

    def doors(self) -> list[str]:
        """The files by which a process from outside comes in beside the node's own units."""
        found = []
        for path in self._paths:
            inside = path / "payload" / "console"
            with contextlib.suppress(OSError):
                inside.mkdir(exist_ok=True)
                found.append(str(inside / "cgroup.procs"))
        return found

    def remove(self) -> None:
        """Ends whatever still runs in it, and takes it away."""
        for path in self._paths:
            remove_tree(path)


def remove_tree(path: Path, limit: float = 10 * LONGEST) -> None:
    """Kills what runs in the group at PATH or below, and removes it; RuntimeError where that fails within LIMIT s."""
    end = time.monotonic() + limit
    while path.exists():
        for top, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                for pid in Path(top, "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.rmdir(top)
        if time.monotonic() > end:
            raise RuntimeError(f"the control group {path} cannot be removed")
        if path.exists():
            time.sleep(0.02)


def leftovers() -> list[Path]:
    """The groups of all labs that are there."""
    return [path for top in hierarchies() for path in top.glob(f"{PREFIX}*")]
