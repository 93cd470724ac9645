"""The nodes of a network with their scripts, on a switch that is set up for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

from sandbox import Sandbox
from sandbox.systems import load_system
from scripts import support
from scripts.nodes import address

from . import found
from .networks import NETWORKS
from .trunk import Trunk

Some = TypeVar("Some")


class Cluster:
    """Sandboxes pve1, ... of a network, each installed with its address on eth0, and the switch between them.

    name: of the network; manager: etcnet, ifupdown2 or ifupdown. Nothing but the network runs in them: all other units are held.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.network = network = NETWORKS[name]
        self.manager = load_system(network.target).network
        self.text = network.text
        self.switch = Trunk(network.lags, network.vlans, network.apart)
        self.node: dict[str, Sandbox] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Cluster:
        network = self.network
        held = [unit for unit in load_system(network.target).units if unit not in ("network", "networking")]
        with ExitStack() as stack:
            stack.enter_context(self.switch)
            for number, (name, script) in enumerate(sorted(support.build(network.text).items()), 1):
                nics: dict[str, list[str]] = {f"eth{nic}": [] for nic in range(network.nics)}
                nics["eth0"] = [f"{address(number)}/24"]
                box = Sandbox(network.target, name, nics, switch=self.switch, held=held, real_network=True)
                self.node[name] = stack.enter_context(box)
                box.put(f"/root/{name}.sh", script)
                box.run(network.prepare).check()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def carry(self, text: str) -> None:
        """Carries the scripts of another description to the nodes."""
        self.text = text
        for name, script in support.build(text).items():
            self.node[name].put(f"/root/{name}.sh", script)

    def call(self, name: str, *words: str) -> support.Run:
        """Runs a node's script for the network's step alone; an apply has all the time that an emulated node needs."""
        more = ["--confirm-within", "600"] if words == ("apply",) else []
        return support.run(self.node[name], *words, "--only", "bridge", *more, path=f"/root/{name}.sh", timeout=800)

    def on_all(self, *words: str) -> list[support.Run]:
        """The same call on all nodes at once."""
        return self.at_once(lambda name: self.call(name, *words))

    def reboot(self) -> None:
        """Reboots all nodes at once."""
        self.at_once(lambda name: self.node[name].reboot())

    def at_once(self, action: Callable[[str], Some]) -> list[Some]:
        """Does something for each node's name, for all at the same time."""
        with ThreadPoolExecutor() as pool:
            return list(pool.map(action, self.node))

    def as_described(self, name: str) -> None:
        """Fails where the kernel's network is not what the description states; says each difference."""
        found.as_described(self.node[name], self.text, name)

    def unreached(self) -> list[str]:
        """What of the network's pings gets no answer at pve1 within a minute."""
        box = self.node["pve1"]
        return [ping for ping in self.network.pings if box.run(f"ping -c 1 -w 60 {ping}").status != 0]
