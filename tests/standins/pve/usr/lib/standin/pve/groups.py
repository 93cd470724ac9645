"""Groups of users in /etc/pve/user.cfg, as pveproxy's /access/groups and `pvesh delete` change them.

The API makes a group that is not there yet and says so of one that is, under a lock that all members share; without
quorum nothing is changed (from pve-access-control's API2/Group.pm). Here all members ask for one directory in
/etc/pve, which mkdir makes once.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .settings import complain, die, record

USERS = Path("/etc/pve/user.cfg")
LOCK = Path("/etc/pve/priv/lock/file-user_cfg")


@contextmanager
def _lock(what: str) -> Iterator[None]:
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 10
    while True:
        try:
            LOCK.mkdir()
            break
        except FileExistsError:
            if time.monotonic() > end:
                die(f"{what} group failed: cfs-lock 'file-user_cfg' error: got lock request timeout\n")
            time.sleep(0.02)
    try:
        yield
    finally:
        LOCK.rmdir()


def _lines() -> list[str]:
    return USERS.read_text().splitlines() if USERS.exists() else []


def _write(lines: list[str]) -> None:
    new = USERS.with_name("user.cfg.new")
    new.write_text("".join(f"{line}\n" for line in lines))
    new.rename(USERS)


def read(name: str) -> dict[str, object]:
    """The group, with its comment; dies where there is none."""
    for line in _lines():
        kind, *rest = line.split(":")
        if kind == "group" and rest[0] == name:
            return {"members": [], "comment": rest[2]}
    return die(f"group '{name}' does not exist\n")


def create(name: str, comment: str) -> None:
    """Makes a group; dies where there is one of this name."""
    with _lock("create"):
        lines = _lines()
        if any(line.startswith(f"group:{name}:") for line in lines):
            die(f"create group failed: group '{name}' already exists\n")
        _write([*lines, f"group:{name}::{comment}:"])


def delete(name: str) -> None:
    """Takes a group away; dies where there is none."""
    with _lock("delete"):
        lines = _lines()
        rest = [line for line in lines if not line.startswith(f"group:{name}:")]
        if rest == lines:
            die(f"delete group failed: group '{name}' does not exist\n")
        _write(rest)


def pvesh(words: list[str]) -> int:
    """`pvesh delete /access/groups/NAME`; gives the exit status."""
    record("pvesh", *words)
    if len(words) != 2 or words[0] != "delete" or not words[1].startswith("/access/groups/"):
        complain(f"the stand-in of pvesh does not know: {' '.join(words)}")
        return 255
    delete(words[1].removeprefix("/access/groups/"))
    return 0
