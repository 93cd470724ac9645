"""Walks a page: runs its commands on a desk and on nodes, and gives the page as it would read now."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sandbox import Sandbox
from scripts.nodes import ANSWERS

from .blocks import Command, Event, compared, cut, events, masked

_SHELL = """\
[ ! -e {state} ] || . {state}
( exit {status} )
{command}
status=$?
{{ export -p; printf 'cd %s\\n' "$(pwd)"; }} >{state}
exit $status
"""


class Host(Protocol):
    """Where commands run: a shell that keeps its folder, its exported variables and `$?` from one line to the next."""

    def run(self, script: str) -> tuple[int, str]:
        """Runs a script of shell; its exit status and all that it shows."""
        ...

    def put(self, name: str, content: bytes) -> None: ...

    def get(self, path: str) -> bytes: ...

    @property
    def state(self) -> str:
        """The path of the file that keeps variables and folder."""
        ...


class Desk:
    """The desk: a folder of this machine's, with a home of its own and no settings of whoever runs the tests."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder / "desk"
        self.home = folder / "home"
        for path in (self.folder, self.home):
            path.mkdir()
        (self.home / ".ssh").mkdir(mode=0o700)
        self.state = str(folder / "state")
        kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_", "UV_"))}
        self.env = {
            **kept, "PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Alice", "GIT_AUTHOR_EMAIL": "alice@example.org",
            "GIT_COMMITTER_NAME": "Alice", "GIT_COMMITTER_EMAIL": "alice@example.org", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **(env or {}),
        }  # fmt: skip

    def run(self, script: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", script], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def put(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def get(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()


class Console:
    """A node's console: each command has a terminal, at which a person answers ssh's questions."""

    state = "/run/console.state"

    def __init__(self, box: Sandbox) -> None:
        self._box = box

    def run(self, script: str) -> tuple[int, str]:
        done = self._box.run(script, answers=ANSWERS, timeout=300, cwd="/root")
        shown = done.stdout
        for asked, answer in {"(yes/no/[fingerprint])? ": "yes\n", "password: ": ""}.items():
            shown = shown.replace(asked, f"{asked}{answer}")
        return done.status, shown

    def put(self, name: str, content: bytes) -> None:
        self._box.put(f"/root/{name}", content)

    def get(self, path: str) -> bytes:
        return self._box.read(path).encode()


class Walk:
    """One walk over a page. desk: where `$` runs; node: gives the host of a node by its name."""

    def __init__(self, desk: Desk, node: Callable[[str], Host]) -> None:
        self.desk, self.node = desk, node
        self._status: dict[str, int] = {}
        self._printed: dict[str, str] = {}

    def page(self, text: str) -> str:
        """The page with what its commands print now."""
        parts, at = [], 0
        for event in events(text):
            if event.words:
                self._by_hand(event)
            else:
                lines = [line for command in event.commands for line in self._run(command)]
                self._none_failed_unseen()
                parts += [text[at : event.start], "".join(f"{line}\n" for line in lines)]
                at = event.end
        return "".join([*parts, text[at:]])

    def _host(self, name: str) -> Host:
        return self.node(name) if name else self.desk

    def _run(self, command: Command) -> list[str]:
        """The lines of a command and of what it prints."""
        if command.line != "echo $?":
            self._none_failed_unseen()
        host = self._host(command.node)
        line = self._printed.get(masked(command.line), command.line)  # copied off an earlier output
        script = _SHELL.format(state=shlex.quote(host.state), status=self._status.get(command.node, 0), command=line)
        status, output = host.run(script)
        self._status[command.node] = status
        self._last = (command, output)
        now = [line.rstrip() for line in output.splitlines()]
        self._printed |= {masked(line.strip()): line.strip() for line in now}
        return [command.prompt.replace(command.line, line), *cut(command.shown, now)]

    def _none_failed_unseen(self) -> None:
        for name, status in self._status.items():
            assert status == 0, f"{name or 'the desk'}: exit status {status}\n{self._last[0].prompt}\n{self._last[1]}"

    def _by_hand(self, event: Event) -> None:
        match event.words:
            case ["file", name]:
                self.desk.put(name, event.text.encode())
            case [("carry" | "fetch") as what, *rest]:
                between = rest.index("to" if what == "carry" else "from")
                self._carry(what, rest[:between], rest[between + 1 :])
            case words:
                raise AssertionError(f"not in the grammar of pages: {words}")

    def _carry(self, what: str, names: list[str], hosts: list[str]) -> None:
        for host in map(self.node, hosts):
            for name in names:
                if what == "carry":
                    host.put(Path(name).name, self.desk.get(name))
                else:
                    self.desk.put(Path(name).name, host.get(name))


def compare(path: Path, now: str, renew: bool, how: str) -> None:
    """AssertionError where the page differs from NOW in what counts; with RENEW it is written so first."""
    if renew and compared(path.read_text("utf-8")) != compared(now):
        path.write_text(now, "utf-8")
    shown, now = compared(path.read_text("utf-8")), compared(now)
    assert shown == now, f"renew it, and read what changed: {how} --renew"
