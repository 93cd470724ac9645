"""The network between nodes: a bridge in a network namespace of its own."""

import hashlib
import subprocess
from collections.abc import Sequence
from types import TracebackType

from .holder import Holder

_START = """
ip -batch - <<END || exit 1
link set lo up
link add sw0 address 02:00:00:00:00:01 type bridge forward_delay 0
link set sw0 up
END
# A name server that is not there is to be noticed at once, each time it is asked.
echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
for address do ip address add "$address" dev sw0 || exit 1; done
echo ready
exec cat >/dev/null
"""


class Switch:
    """An Ethernet switch that sandboxes plug into; GATEWAYS are addresses that the switch itself answers on."""

    def __init__(self, *gateways: str) -> None:
        self.gateways = gateways
        self._holder: Holder | None = None
        self._ports: dict[tuple[str, str], str] = {}

    def __enter__(self) -> "Switch":
        self.open()
        return self

    def __exit__(self, _t: type[BaseException] | None, _v: BaseException | None, _b: TracebackType | None) -> None:
        self.close()

    def open(self) -> None:
        self._holder = Holder(["unshare", "--net", "dash", "-c", _START, "switch", *self.gateways])

    def close(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def ip(self, *commands: str) -> str:
        """Runs `ip` commands, one a string, inside the switch; gives what they print, raises on a failure."""
        done = self._batch(commands)
        if done.returncode != 0:
            raise RuntimeError(f"switch: {'; '.join(commands)}: {done.stderr.strip()}")
        return done.stdout

    def enter(self) -> list[str]:
        """The words before those of a command that runs it where the switch is: it has the gateways' addresses."""
        if self._holder is None:
            raise RuntimeError("the switch is not open")
        return ["nsenter", "-t", str(self._holder.pid), "-n"]

    def _batch(self, commands: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
        words = [*self.enter(), "ip", *options, "-batch", "-"]
        return subprocess.run(words, input="\n".join(commands) + "\n", capture_output=True, text=True, check=False)

    def plug(self, node: str, pid: int, nics: list[str]) -> None:
        """Lays a cable from a port to each of NICS in the network namespace of process PID.

        A NIC keeps its hardware address from boot to boot.
        """
        commands = []
        for nic in nics:
            port = self._ports.setdefault((node, nic), f"port{len(self._ports)}")
            digits = hashlib.sha256(f"{node} {nic}".encode()).hexdigest()
            address = ":".join(["02", *(digits[i : i + 2] for i in range(0, 10, 2))])
            commands.append(f"link add {port} type veth peer name {nic} address {address} netns {pid}")
            commands.append(f"link set {port} master sw0 up")
        if commands:
            self.ip(*commands)

    def unplug(self, node: str) -> None:
        """Takes away the cables of a node that is off; the kernel itself would do so, but later."""
        if self._holder is None:
            return
        gone = [f"link delete {port}" for (owner, _), port in self._ports.items() if owner == node]
        self._batch(gone, "-force")  # those that have gone by themselves are no error

    def cable(self, node: str, nic: str, *, plugged: bool) -> None:
        """Cuts the cable of a node's NIC, or plugs it in again."""
        self.ip(f"link set {self._ports[node, nic]} {'up' if plugged else 'down'}")
