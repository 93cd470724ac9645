"""The switch between the nodes: ports for large frames and tagged ones, some of them bonded as their node's NICs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox import Switch

Lags = Mapping[str, tuple[str, tuple[str, ...]]]


class Trunk(Switch):
    """A switch that lets every VLAN through.

    lags: NICs that belong to one bond at both ends, {a name: (mode, NICs)}, the same for each node;
    vlans: addresses with prefix length that the switch answers on, by VLAN id; 0 is what comes without a tag;
    apart: NICs that are plugged into a switch of their own.
    """

    def __init__(self, lags: Lags, vlans: Mapping[int, str], apart: Sequence[str] = ()) -> None:
        super().__init__(*(address for number, address in vlans.items() if number == 0))
        self.lags = lags
        self._apart = apart
        self._vlans = {number: address for number, address in vlans.items() if number}

    def open(self) -> None:
        super().open()
        self.ip("link add sw1 type bridge forward_delay 0", "link set sw1 up")
        for number, address in self._vlans.items():
            self.ip(
                f"link add link sw0 name sw0.{number} type vlan id {number}",
                f"address add {address} dev sw0.{number}",
                f"link set sw0.{number} up",
            )

    def plug(self, node: str, pid: int, nics: list[str]) -> None:
        super().plug(node, pid, nics)
        commands = [f"link set {self._ports[node, nic]} mtu 9000" for nic in nics]
        commands += [f"link set {self._ports[node, nic]} master sw1" for nic in self._apart]
        for name, (mode, members) in self.lags.items():
            lag = f"{name}-{node}"
            commands.append(f"link add {lag} mtu 9000 type bond mode {mode} miimon 100")
            for port in (self._ports[node, nic] for nic in members):
                commands += [f"link set {port} down", f"link set {port} master {lag}"]
            commands.append(f"link set {lag} master sw0 up")
        self.ip(*commands)

    def unplug(self, node: str) -> None:
        super().unplug(node)
        if self._holder is not None:
            self._batch([f"link delete {name}-{node}" for name in self.lags], "-force")
