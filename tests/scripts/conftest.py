"""Sandboxes for node scripts, with the script of their own node in them."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sandbox import Sandbox

from . import support


@functools.cache
def root_key() -> dict[str, tuple[bytes, int]]:
    """{path: (content, mode)} of a key pair of root's."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-C", "root@node", "-f", f"{folder}/id_rsa"]
        subprocess.run(words, check=True)
        private, public = (Path(folder, name).read_bytes() for name in ("id_rsa", "id_rsa.pub"))
    return {"/root/.ssh/id_rsa": (private, 0o600), "/root/.ssh/id_rsa.pub": (public, 0o644)}


Make = Callable[..., Sandbox]


@pytest.fixture
def make() -> Iterator[Make]:
    """make(text, node="pve1", system=..., **options): a booted sandbox with the node's script at /root/NODE.sh.

    text is a description; system is taken from it where none is named; OPTIONS are those of Sandbox. Root has a key
    already, for making one takes seconds; key=False leaves that to the script.
    """
    with ExitStack() as stack:

        def made(text: str = support.WIKI, node: str = "pve1", system: str | None = None, **options: Any) -> Sandbox:
            name = system or support.target_of(text)
            options.setdefault("hostname", node)
            key = options.pop("key", True)
            box = stack.enter_context(Sandbox(name, **options))
            if key:
                for path, (content, mode) in root_key().items():
                    box.put(path, content, mode)
            box.put(f"/root/{node}.sh", support.build(text)[node], 0o755)
            return box

        yield made
