"""Freshly installed nodes of the lab under the names that tests of the sandbox have for them.

So one test of a stand-in runs on either kind of node.
"""

from collections.abc import Mapping
from typing import Any

from scripts.nodes import description

from .cluster import Lab
from .node import Node


class FreshNode:
    """A node of the lab with what a Sandbox has beyond a Machine."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __getattr__(self, name: str) -> Any:
        return getattr(self.node, name)

    def run(self, command: Any, **options: Any) -> Any:
        """Runs it; whoever asks the journal finds in it all that was said before."""
        if "journalctl" in command:
            self.node.run("journalctl --sync").check()
        return self.node.run(command, **options)

    def power_off(self) -> None:
        self.node.cut_power()

    def boot(self) -> None:
        self.node.start()

    def setting(self, name: str, text: str) -> None:
        """Tells the stand-ins something (tests/standins/README.md lists the names)."""
        self.node.put(f"/var/lib/standin/settings/{name}", text)

    def fail(self, name: str, *, on: bool = True) -> None:
        """Switches an injected failure on or off (tests/standins/README.md lists the names)."""
        if on:
            self.node.put(f"/var/lib/standin/fail/{name}", "")
        else:
            self.node.remove(f"/var/lib/standin/fail/{name}")


class Fresh(Lab):
    """Nodes pve1, pve2, ... of a system, and nothing done on them.

    files: {path: text} laid over the system's on every node; settings: {name: text} for the stand-ins.
    """

    def __init__(
        self,
        system: str = "alt-p8",
        count: int = 1,
        *,
        files: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description(system, count))
        told = {f"/var/lib/standin/settings/{name}": text for name, text in (settings or {}).items()}
        self._files = {**(files or {}), **told}

    def install(self, name: str, **more: Any) -> Node:
        node = super().install(name, **more)
        for path, text in self._files.items():
            where = node.folder / "own" / path.lstrip("/")
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(text)
        return node

    def nodes(self) -> list[FreshNode]:
        return [FreshNode(node) for node in self.node.values()]
