"""What tests tell the stand-ins, and what the stand-ins note for tests."""

import os
import re
import shlex
import sys
from pathlib import Path
from typing import NoReturn

STANDIN = Path("/var/lib/standin")
RUNNING = Path("/run/standin")


def setting(name: str, default: str = "") -> str:
    """The text of a setting without the blanks around it."""
    try:
        return (STANDIN / "settings" / name).read_text().strip()
    except FileNotFoundError:
        return default


def seconds(name: str, default: float) -> float:
    """A setting that is a length of time."""
    return float(setting(name, str(default)))


def replace(path: Path, text: str) -> None:
    """Writes a file so that nobody ever sees a part of it, as PVE's file_set_contents does."""
    new = path.with_name(f"{path.name}.tmp.{os.getpid()}")
    new.write_text(text)
    new.rename(path)


def failing(name: str) -> bool:
    """Whether a test has switched this failure on."""
    return (STANDIN / "fail" / name).exists()


def record(*words: str) -> None:
    """Adds a call to the list of calls."""
    with open(STANDIN / "calls", "a") as file:
        file.write(shlex.join(words) + "\n")


def version(text: str) -> tuple[int, ...]:
    """A version as numbers to compare: 4.0-49 is (4, 0, 49)."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def era() -> tuple[int, ...]:
    """The version of pve-cluster that is played."""
    return version(setting("pve-cluster", "8.1.2"))


def nodename() -> str:
    """The node's name: `uname -n` cut at the first dot (facts: "Names and limits")."""
    return os.uname().nodename.partition(".")[0]


def ssh_dir() -> str:
    return setting("ssh-dir", "/etc/ssh")


def say(text: str) -> None:
    """Writes a line to standard output at once."""
    print(text, flush=True)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Failure(Exception):
    """What Perl's die is: a text for the user, and an exit status."""

    def __init__(self, text: str, status: int = 255) -> None:
        super().__init__(text)
        self.status = status


def die(text: str, status: int = 255) -> NoReturn:
    raise Failure(text, status)
