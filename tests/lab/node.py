"""One node of the lab: a booted system in namespaces and a control group of its own, over layers of files.

(facts: "systemd-nspawn --boot works: systemd 252 is PID 1 in each node"; the four settings found by a failure are
below.) A node lives as long as the process that started it: its namespaces are held by a Holder.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox import Machine, Switch
from sandbox.holder import Holder
from sandbox.inroot import Root
from sandbox.machine import PATH
from sandbox.patience import LONGEST

from .groups import Group
from .waiting import until

# $1 the node's folder, $2 its lower layers. An overlay that has just been let go may take a moment to be free.
_HOLD = """
i=0
until mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" lab "$1/root" 2>"$1/error"; do
    i=$((i + 1))
    [ "$i" -lt 600 ] || { cat "$1/error" >&2; exit 1; }
    sleep 0.05
done
rm -f "$1/error"
echo ready
exec env --ignore-signal=CHLD cat >/dev/null
"""
# Writes itself into the control groups named before "--", and becomes the command behind it.
_ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit; shift; done; shift; exec "$@"'
_REBOOTED = 133  # facts: "Because of --keep-unit a guest's reboot ends nspawn with status 133"
_POWER_OFF, _REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5


class NodeFailed(AssertionError):
    """A node did not start, stop or answer within its time; the text has the end of its console."""


class Node(Machine):
    """One node. folder: its own, with all that it keeps; lowers: its layers, the uppermost first.

    nics: {name: the switch that it is plugged into}.
    """

    def __init__(self, name: str, folder: Path, lowers: Sequence[Path], nics: Mapping[str, Switch], group: str) -> None:
        self.name = self.hostname = name
        self.folder = folder
        self.lowers = tuple(lowers)
        self.nics = dict(nics)
        self.boots = 0
        self._group = Group(group)
        self._holder: Holder | None = None
        self._process: subprocess.Popen[bytes] | None = None
        for part in ("upper", "work", "root"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        os.chmod(folder / "upper", 0o755)

    # Power ------------------------------------------------------------------------------------------------------

    @property
    def on(self) -> bool:
        return self._process is not None

    def start(self, *, wait: bool = True) -> None:
        """Switches the node on; without WAIT not until its units have started, see `until_up`."""
        assert not self.on, f"{self.name} is on already"
        self.boots += 1
        lowers = ":".join(str(path) for path in self.lowers)
        words = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child"]
        words += ["--mount-proc", "dash", "-c", _HOLD, "hold", str(self.folder), lowers]
        self._holder = Holder(words)
        first = self._holder.child()
        for switch in {id(s): s for s in self.nics.values()}.values():
            switch.plug(self.name, first, [nic for nic, its in self.nics.items() if its is switch])
        words = ["dash", "-c", _ENTER, "enter", *self._group.make(), "--"]
        words += ["nsenter", "-t", str(first), "-m", "-p", "systemd-nspawn", *self._nspawn_options()]
        with open(self.folder / "console", "ab") as console:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                # facts: "(else /sys/class/net shows the host's interfaces)"
                env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
            )
        self._find_first()
        if wait:
            self.until_up()

    def _nspawn_options(self) -> list[str]:
        return [
            f"--directory={self.folder}/root",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--network-namespace-path=/proc/1/ns/net",
            f"--machine={self.name}",
            "--bind=/dev/fuse",
            "--capability=all",
            # The machine's clock and kernel are no node's to change.
            "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE",
            "--link-journal=no",
            "--console=pipe",
            "--resolv-conf=off",
            "--timezone=off",
            "--settings=no",
        ]

    def _find_first(self, limit: float = 20 * LONGEST) -> None:
        """Waits until systemd runs as the first process of the node, and gets hold of it."""
        assert self._process is not None
        end = time.monotonic() + limit
        while True:
            for pid in _descendants(self._process.pid):
                if _runs(pid, "systemd"):
                    self.pid = pid
                    self.root = Root(f"/proc/{pid}/root")
                    return
            if self._process.poll() is not None or time.monotonic() > end:
                raise self._failed("systemd did not start")
            time.sleep(0.02)

    def until_up(self, limit: float = 90 * LONGEST) -> None:
        """Waits until all units that start at boot have started or failed."""
        end = time.monotonic() + limit
        while True:
            said = self.run(["systemctl", "is-system-running"]).stdout.strip()
            if said in ("running", "degraded"):
                return
            if time.monotonic() > end:
                raise self._failed(f"still {said} {limit:g} s after it was switched on")
            time.sleep(0.1)

    def until_settled(self, limit: float = 60) -> None:
        """Waits until no unit starts or stops, or is to be started again, and nobody has asked systemd for either."""
        still = "systemctl list-units --all --plain --no-legend --state=activating,deactivating,reloading"
        still += "; systemctl list-jobs --no-legend"
        until(lambda: self.run(still).check().stdout == "", "no unit starts or stops", limit)

    def stop(self, limit: float = 60 * LONGEST) -> None:
        """Shuts the node down in order (facts: "Poweroff: RTMIN+4 to PID 1")."""
        self._end_by(_POWER_OFF, limit)

    def reboot(self, *, wait: bool = True, limit: float = 60 * LONGEST) -> None:
        """Shuts the node down in order and starts it again, its network as after a real reboot."""
        self._end_by(_REBOOT, limit)
        self.start(wait=wait)

    def _end_by(self, number: int, limit: float) -> None:
        assert self._process is not None, f"{self.name} is off"
        os.kill(self.pid, number)
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise self._failed(f"did not go down within {limit:g} s") from None
        self._let_go()

    def cut_power(self) -> None:
        """Ends every process of the node at once (facts: "Power cut: kill -9 of the node's PID 1")."""
        if self._holder is not None:
            self._let_go()

    def _let_go(self) -> None:
        assert self._holder is not None
        if self.pid:
            self.root.close()
            self.pid = 0
        self._holder.kill()
        if self._process is not None:
            self._process.wait()
        self._holder = self._process = None
        self._group.remove()
        for switch in {id(s): s for s in self.nics.values()}.values():
            switch.unplug(self.name)

    def discard(self) -> None:
        """Ends the node and removes its disk."""
        self.cut_power()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Cables -----------------------------------------------------------------------------------------------------

    def unplug(self, nic: str = "eth0") -> None:
        """Pulls the cable of a NIC (facts: "Cable: `ip link set PORT down` on the switch side")."""
        self.nics[nic].cable(self.name, nic, plugged=False)

    def plug(self, nic: str = "eth0") -> None:
        """Puts the cable of a NIC back."""
        self.nics[nic].cable(self.name, nic, plugged=True)

    # Looking ----------------------------------------------------------------------------------------------------

    def _enter(self) -> list[str]:
        assert self.pid, f"{self.name} is off"
        return ["dash", "-c", _ENTER, "enter", *self._group.doors(), "--", "nsenter", "-t", str(self.pid), "-a"]

    def enter(self) -> list[str]:
        """The words before those of a command that run it in the node from anywhere, with a login's environment."""
        return [*self._enter(), "env", "-i", f"PATH={PATH}", "HOME=/root", "TERM=xterm", "USER=root", "LANG=C.UTF-8"]

    def _failed(self, why: str) -> NodeFailed:
        return NodeFailed(f"{self.name}: {why}\n{self.console()}")

    def console(self, count: int = 40) -> str:
        """The last lines of the console."""
        text = (self.folder / "console").read_text(errors="replace")
        return "\n".join(text.splitlines()[-count:])


def _descendants(pid: int) -> list[int]:
    """The processes below PID, as numbered here."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        try:
            with open(f"/proc/{one}/task/{one}/children") as file:
                children = [int(word) for word in file.read().split()]
        except OSError:
            continue
        found += children
        left += children
    return found


def _runs(pid: int, program: str) -> bool:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip() == program and os.readlink(f"/proc/{pid}/exe").endswith("/systemd/systemd")
    except OSError:
        return False
