"""The procedure that node scripts replace: the wiki's commands, as a person types them at a fresh node.

``wiki/commands-NODE.sh`` are the page's own commands word for word, the member's name put in for its placeholder.
The address in the copy for /etc/network/interfaces is 10.0.0.254 there as well, though no node has it.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from .harness import Sandbox

FOLDER = Path(__file__).parent / "wiki"

# Each command in the same shell, which goes on after a failure, as an interactive one does.
_TYPE = """
i=0
while [ -f "/run/wiki/$i.command" ]; do
    eval "$(cat "/run/wiki/$i.command")" > "/run/wiki/$i.stdout" 2> "/run/wiki/$i.stderr"
    printf '%s\\n' "$?" > "/run/wiki/$i.status"
    i=$((i + 1))
done
"""


@dataclass(frozen=True)
class Outcome:
    """One command of the page and what came of it."""

    command: str
    status: int
    stdout: str
    stderr: str


def commands(node: str) -> list[str]:
    """The page's commands for NODE ("pve1" creates the cluster, "pve2" joins), a heredoc being a part of its own."""
    found: list[str] = []
    end = ""
    for line in (FOLDER / f"commands-{node}.sh").read_text().splitlines():
        if end:
            found[-1] += f"{line}\n"
            end = "" if line == end else end
        else:
            found.append(f"{line}\n")
            end = "EOF" if "<<EOF" in line else ""
    return found


def type_commands(node: Sandbox, typed: str = "", timeout: float = 120) -> list[Outcome]:
    """Types the page's commands for the node's name at NODE; TYPED are the lines that answer what they ask."""
    todo = commands(node.hostname)
    for number, command in enumerate(todo):
        node.put(f"/run/wiki/{number}.command", command)
    node.run(["/bin/bash", "-c", _TYPE], tty=True, stdin=typed, timeout=timeout).check()
    found = []
    for number, command in enumerate(todo):
        stdout, stderr = (node.read(f"/run/wiki/{number}.{name}") for name in ("stdout", "stderr"))
        found.append(Outcome(command, int(node.read(f"/run/wiki/{number}.status")), stdout, stderr))
    return found


def failures(outcomes: list[Outcome]) -> list[str]:
    """The first words of the commands that failed."""
    return [" ".join(shlex.split(o.command, posix=False)[:2]) for o in outcomes if o.status != 0]
