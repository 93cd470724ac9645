"""The nodes of one description on their switches, each with its built script: what a scenario works with."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from sandbox import Switch, keys
from sandbox import network as installer
from sandbox.harness import encrypted
from sandbox.systems import System, load_system
from scripts import support
from scripts.nodes import PASSWORD, Nodes, in_quorum, members, root_key

from . import place, rootfs, system
from .node import Node
from .waiting import until


class Installed:
    """A node as its installer leaves it: system, host name, NICs with their addresses, the default route."""

    def __init__(self, name: str, system: System, nics: Mapping[str, Sequence[str]], gateway: str | None) -> None:
        self.hostname, self.system, self.nics, self.gateway = name, system, nics, gateway

    def files(self) -> dict[str, tuple[bytes, int]]:
        """{path: (content, mode)} of what no two nodes have in common."""
        files = {"/etc/hostname": (f"{self.hostname}\n".encode(), 0o644), "/etc/machine-id": (_random_id(), 0o444)}
        files |= {path: (text.encode(), 0o644) for path, text in installer.files(self).items()}
        made = keys.make(2048).files
        return files | {f"{self.system.settings['ssh-dir']}/{name}": file for name, file in made.items()}


def _random_id() -> bytes:
    return f"{os.urandom(16).hex()}\n".encode()


class Lab(Nodes):
    """Nodes of one description, switched on as they are freshly installed, or in the state of a saved cluster.

    text: the description; names: which of its nodes to make, all by default; state: {node: the layer with all that it
    has become}, see `states`; systems: {node: system} of those that run another one than the target's own.
    Root's password is PASSWORD on all of them. living: the labs that are there, for whoever keeps logs.
    """

    living: ClassVar[list["Lab"]] = []

    def __init__(
        self,
        text: str,
        names: Sequence[str] = (),
        *,
        state: Mapping[str, Path] | None = None,
        systems: Mapping[str, str] | None = None,
        key: bool = True,
    ) -> None:
        super().__init__(text, names, key=key)
        self._state = state or {}
        self._systems = systems or {}
        self._view = support.view(text)
        self._networks: dict[int, Switch] = {}
        self.node: dict[str, Node] = {}

    def __enter__(self) -> "Lab":
        with ExitStack() as stack:
            self._stack = stack
            self.folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=place.folder("nodes")))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.living.append(self)
            stack.callback(self.living.remove, self)
            self.switch = self._network(0)
            for name in self._names:
                self.install(name)
            self.start(*self._names)
            self._stack = stack.pop_all()
        return self

    # Making -----------------------------------------------------------------------------------------------------

    def _network(self, number: int) -> Switch:
        """The switch of that number; the first has the gateways."""
        if number not in self._networks:
            gateways = self._gateways() if number == 0 else []
            self._networks[number] = self._stack.enter_context(Switch(*gateways))
        return self._networks[number]

    def _gateways(self) -> list[str]:
        found = {}
        for node in self._view.nodes:
            for one in node.interfaces:
                for gateway, address in ((one.gateway, one.address), (one.gateway6, one.address6)):
                    if gateway and address:
                        found[f"{gateway}/{address.network.prefixlen}"] = None
        return list(found)

    def install(self, name: str, **more: Any) -> Node:
        """Makes a node, switched off; MORE: further lower layers or another group of NICs, for tests of the lab."""
        view = self.view_of(name)
        here = load_system(self._systems.get(name, self.system))
        nics: dict[str, list[str]] = {}
        switches: dict[str, Switch] = {}
        main = next(one for one in view.interfaces if one.main)
        lower = [one for one in view.interfaces if one.kind == "nic"]
        for one in sorted(lower, key=lambda one: one.name not in main.lowers):
            first = one.name in main.lowers
            number = 0 if first else 1 + sum(1 for nic in switches if switches[nic] is not self.switch)
            switches[one.name] = self._network(number)
            carrier = main if first else one
            nics[one.name] = [str(a) for a in (carrier.address, carrier.address6) if a] if first else []
        gateway = str(main.gateway) if main.gateway else None
        folder = self.folder / name
        own = folder / "own"
        layers = [own, system.layer(here.name), rootfs.root()]
        if name in self._state:
            layers = [self._state[name] / "upper", self._state[name] / "own", *layers[1:]]
        node = Node(name, folder, layers, switches, f"{self.folder.name}-{name}")
        if name not in self._state:
            system.write_files(own, {**Installed(name, here, nics, gateway).files(), **self._account(name)})
        self.node[name] = node
        self._stack.callback(node.discard)
        return node

    def _account(self, name: str) -> dict[str, tuple[bytes, int]]:
        """Root's key pair and password, the latter on the accounts of the shared root file system."""
        lines = (rootfs.root() / "etc/shadow").read_text().splitlines(keepends=True)
        rest = "".join(line for line in lines if not line.startswith("root:"))
        found = {"/etc/shadow": (f"root:{encrypted(PASSWORD)}:17000:0:99999:7:::\n{rest}".encode(), 0o640)}
        if self._key:
            private, public = root_key(name, 2048)
            found |= {"/root/.ssh/id_rsa": (private.encode(), 0o600), "/root/.ssh/id_rsa.pub": (public.encode(), 0o644)}
        return found

    def view_of(self, name: str) -> Any:
        """The node of that name, with all that is derived."""
        return next(node for node in self._view.nodes if node.name == name)

    @property
    def ssh_dir(self) -> str:
        """Where ssh keeps its files on the nodes."""
        return load_system(self.system).settings["ssh-dir"]

    def member(self, name: str) -> str:
        """The node that the node of that name joins."""
        found: str = self.view_of(name).member
        return found

    def rebuild(self, text: str) -> None:
        super().rebuild(text)
        self._view = support.view(text)

    def start(self, *names: str) -> None:
        """Switches nodes on, all at once; waits until they are up, and carries their scripts to them."""
        for name in names:
            self.node[name].start(wait=False)
        for name in names:
            self.node[name].until_up()
            self.carry(name)

    def carry(self, name: str) -> None:
        """Puts the node's script to /root/NAME.sh."""
        self.node[name].put(f"/root/{name}.sh", self.scripts[name])

    def call(self, name: str, *words: str, **options: Any) -> support.Run:
        """Runs a node's script there, with time for what truly takes long; OPTIONS are those of support.run."""
        return super().call(name, *words, **{"timeout": 400, **options})

    def add(self, name: str, **options: Any) -> Node:
        """One more node of the description, switched on."""
        node = self.install(name)
        self.start(name)
        return node

    # Looking ----------------------------------------------------------------------------------------------------

    def whole(self, *names: str) -> bool:
        """Whether each of the nodes (all by default) sees all of them online and is in the quorum."""
        wanted = {name: True for name in names or self.node}
        return all(self._sees(self.node[name], wanted) for name in wanted)

    def _sees(self, node: Node, wanted: Mapping[str, bool]) -> bool:
        with contextlib.suppress(OSError):
            seen = members(node)
            return in_quorum(node) and all(seen.get(name) for name in wanted)
        return False

    until = staticmethod(until)

    def until_whole(self, *names: str, limit: float = 90) -> None:
        until(lambda: self.whole(*names), "the cluster is whole", limit)
