"""A node script that has nothing to change, timed in a sandbox against the commands that look, run bare."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections import Counter
from typing import NamedTuple

from sandbox import Sandbox

TIMES = 15

# Commands that work on text; all others that a script runs look at the node.
TEXT = {
    "cat",
    "cut",
    "date",
    "dirname",
    "env",
    "head",
    "mkdir",
    "rm",
    "sed",
    "sha256sum",
    "sleep",
    "sort",
    "tail",
    "tr",
    "uname",
    "wc",
}

_TIMER = """
import json, subprocess, sys, time
times = {name: [] for name in sys.argv[2::2]}
commands = dict(zip(sys.argv[2::2], sys.argv[3::2]))
for turn in range(int(sys.argv[1]) + 1):
    for name, command in commands.items():
        began = time.perf_counter()
        null = subprocess.DEVNULL
        status = subprocess.run(["/usr/bin/dash", *command.split()], stdin=null, stdout=null, stderr=null).returncode
        if turn:
            times[name].append(time.perf_counter() - began)
print(json.dumps({name: sorted(all)[len(all) // 2] for name, all in times.items()}))
"""
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_BORN = re.compile(r"= (\d+)$")


class Trace(NamedTuple):
    """What a script ran itself, without what its commands ran in their turn.

    commands: the words of each command, in order; forks: processes that remained a piece of the shell.
    """

    commands: list[list[str]]
    forks: int


def compare(system: str, script: str, call: str) -> tuple[float, float, str]:
    """Seconds of a call that has nothing to change, seconds of the bare commands, and what was counted."""
    with Sandbox(system, "pve1", {"eth0": ["10.0.0.1/24"]}, gateway="10.0.0.254", sh="dash") as box:
        box.put("/root/pve1.sh", script)
        box.run_file("/root/pve1.sh", "apply", timeout=300).check()
        box.run_file("/root/pve1.sh", "check", timeout=300).check()
        trace = _trace(box, call)
        looks = _looks(box, trace.commands)
        lines = [f"{_fed(words)} >/dev/null 2>&1" for words in looks]
        box.put("/root/bare.sh", "\n".join(lines) + "\n")
        timer = ["/usr/bin/python3", "-c", _TIMER, str(TIMES), "run", f"/root/pve1.sh {call}", "bare", "/root/bare.sh"]
        times = json.loads(box.run(timer, timeout=600).check().stdout)
    run = Counter(words[0] for words in trace.commands)
    counts = (
        f"{len(trace.commands) + trace.forks} processes, {len(trace.commands)} of them commands, to {len(looks)}\n   "
        + ", ".join(f"{number} {name}" if number > 1 else name for name, number in run.most_common())
    )
    return times["run"], times["bare"], counts


def _fed(words: list[str]) -> str:
    """A command line with its input: a request where it is to ask the web interface, else nothing."""
    line = shlex.join(words)
    if "s_client" in words:
        return f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | {line}"
    return f"{line} </dev/null"


def _looks(box: Sandbox, commands: list[list[str]]) -> list[list[str]]:
    """Each command that looks at the node, once."""
    found: list[list[str]] = []
    for words in commands:
        if words[0] in TEXT or words in found:
            continue
        if words[0] in ("awk", "grep") and not any(word.startswith("/") and box.exists(word) for word in words[1:]):
            continue
        found.append(words)
    return found


def _trace(box: Sandbox, call: str) -> Trace:
    """What a call of the script runs."""
    words = ["strace", "-f", "-s", "100000", "-e", "trace=execve,fork,vfork,clone,clone3", "-e", "signal=none"]
    box.run([*words, "-o", "/root/trace", "/usr/bin/dash", "/root/pve1.sh", call], timeout=300)
    return parse(box.read("/root/trace"))


def parse(text: str) -> Trace:
    """The commands and forks of the first process in strace's output, and of its forks that ran nothing else."""
    shells: set[int] = set()
    commands: list[list[str]] = []
    waiting: dict[int, str] = {}
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        process, rest = int(pid), rest.strip()
        if rest.endswith("<unfinished ...>"):
            waiting[process] = rest.removesuffix("<unfinished ...>")
            continue
        if rest.startswith("<... "):
            rest = waiting.pop(process, "") + rest.partition("resumed>")[2]
        if not shells:
            shells.add(process)
            first = process
        elif rest.startswith("execve(") and rest.endswith("= 0") and process in shells:
            shells.discard(process)
            commands.append(_words(rest))
        elif process in shells and (born := _BORN.search(rest)) and not rest.startswith("execve("):
            shells.add(int(born[1]))
    return Trace(commands, len(shells - {first}))


def _words(line: str) -> list[str]:
    """The words of a command line as execve got them."""
    listed = line[line.index("[") : line.rindex("], ") + 1]
    return [str(word) for word in ast.literal_eval(listed)]
