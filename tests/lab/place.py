"""Where the lab keeps what it makes: one folder, in the project's own unless PVEGEN_LAB names another."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def folder(*names: str) -> Path:
    """The lab's folder, or one of that name in it; made where it is not there."""
    path = Path(os.environ.get("PVEGEN_LAB") or PROJECT / ".lab").absolute().joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Holds the lock of that name, for what only one process at a time may make."""
    with open(folder("locks") / name, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def digest(parts: Iterable[str | bytes]) -> str:
    """A short name for what is made of these parts, in this order."""
    made = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        made.update(b"%d:%b" % (len(data), data))
    return made.hexdigest()[:16]
