"""Fixtures for tests that need sandboxes."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .harness import Sandbox
from .patience import LONGEST
from .requirements import require_sandbox
from .switch import Switch
from .wiki import Outcome, type_commands

MakeSandbox = Callable[..., Sandbox]


@pytest.fixture
def make_sandbox() -> Iterator[MakeSandbox]:
    """A function that makes a Sandbox which lasts as long as the test; its arguments are Sandbox's."""
    require_sandbox()
    with ExitStack() as stack:
        yield lambda *words, **options: stack.enter_context(Sandbox(*words, **options))


@pytest.fixture(scope="module")
def make_shared() -> Iterator[MakeSandbox]:
    """The same for a Sandbox that lasts as long as the tests of a module."""
    require_sandbox()
    with ExitStack() as stack:
        yield lambda *words, **options: stack.enter_context(Sandbox(*words, **options))


HOSTS = "127.0.0.1 localhost\n" + "".join(f"10.0.0.25{n} pve{n}.localdomain pve{n}\n" for n in (1, 2, 3))


@pytest.fixture
def make_nodes(make_sandbox: MakeSandbox) -> Iterator[Callable[..., list[Sandbox]]]:
    """A function (system, count, **options) that gives pve1..pveN on one switch, who know one another's names."""
    with Switch("10.0.0.1/24") as switch:

        def make(system: str, count: int, **options: Any) -> list[Sandbox]:
            files = {"/etc/hosts": HOSTS, **options.pop("files", {})}
            return [
                make_sandbox(system, f"pve{n}", {"eth0": [f"10.0.0.25{n}/24"]}, switch=switch, files=files, **options)
                for n in range(1, count + 1)
            ]

        yield make


@pytest.fixture
def wiki_node(make_sandbox: MakeSandbox) -> tuple[Sandbox, list[Outcome]]:
    """A fresh pve1 of p8 at which the wiki's commands were typed, and what came of each."""
    node = make_sandbox("alt-p8", root_password="secret")
    return node, type_commands(node)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """A function that waits until what it is given holds; fails after ten seconds, in CI later."""

    def wait(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 10 * LONGEST
        while not holds():
            assert time.monotonic() < end, f"did not come about within {10 * LONGEST} s"
            time.sleep(0.05)

    return wait
