"""What a check is given and how it tells what it finds."""

from __future__ import annotations

from typing import Any

from pvegen.derive import Interface, NodeView, View
from pvegen.mistakes import Mistake
from pvegen.model import Description
from pvegen.source import Path, Source
from pvegen.target import Targets


class Context:
    """One description under check.

    view: everything derived; targets: those there are; target: the one that the nodes
    run, None where that is not known; mistakes: those found so far.
    """

    def __init__(self, view: View, source: Source, bad: set[Path], targets: Targets) -> None:
        self.view = view
        self.targets = targets
        name = view.description.cluster.target
        self.target = targets.load(name) if name in targets.names() else None
        self.mistakes: list[Mistake] = []
        self._source = source
        # A list with one bad item cannot be relied on either.
        self._bad = bad | {path[:-1] for path in bad if path and isinstance(path[-1], int)}
        self._said: set[tuple[str, Path]] = set()

    @property
    def description(self) -> Description:
        """The description as it is stated."""
        return self.view.description

    def say(self, code: str, path: Path, part: str = "value", **facts: Any) -> None:
        """Note a mistake at a path; the same one is noted there only once (nodes share what [network] says)."""
        if (code, path) not in self._said:
            self._said.add((code, path))
            self.mistakes.append(Mistake(code, self._source, path, part, None, facts))

    def sound(self, *paths: Path) -> bool:
        """Whether what stands at all these paths was read as it is stated."""
        if not self._bad:
            return True
        return not any(path[:length] in self._bad for path in paths for length in range(len(path) + 1))

    def distrust(self, path: Path) -> None:
        """Let no later check rest on what stands at a path: it is wrong in itself."""
        self._bad.add(path)

    def inherited(self, node: NodeView, key: str) -> Path:
        """Where a node's value of a key stands that [network] can state for all nodes."""
        own: Path = (*node.path, key)
        shared: Path = ("network", key)
        if getattr(node.node, key) is not None or not self.sound(own):
            return own
        default = type(self.description.network).KEYS[key].default
        stated = getattr(self.description.network, key) != default
        return shared if stated or not self.sound(shared) else own

    def key(self, node: NodeView, interface: Interface, key: str) -> Path:
        """Where an interface's key stands; the main bridge's keys are the node's or [network]'s."""
        if not interface.main:
            return (*interface.path, key)
        key = {"name": "bridge_name", "port": "nic"}.get(key, key)
        return (*node.path, key) if key.startswith("address") else self.inherited(node, key)

    def lower(self, node: NodeView, interface: Interface, name: str) -> Path:
        """Where an interface says that it stands on the one of that name."""
        if interface.kind == "bond":
            return (*interface.path, "nics", interface.lowers.index(name))
        return self.key(node, interface, "parent" if interface.kind == "vlan" else "port")
