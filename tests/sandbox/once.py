"""What one worker of a run of the tests makes for all of them, kept in the folder that pytest has for the run.

Pytest keeps the folders of the last three runs and removes older ones, so that a run that was killed leaves nothing.
"""

import fcntl
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Made = TypeVar("Made")

_folder: Path | None = None


@pytest.fixture(scope="session", autouse=True)
def folder_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Sets the folder; that of a worker lies in the one of the run."""
    global _folder
    base = tmp_path_factory.getbasetemp()
    _folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"
    _folder.mkdir(0o700, exist_ok=True)


def made_once(name: str, make: Callable[[], Made]) -> Made:
    """What MAKE gives, which can be pickled; the first to ask for NAME makes it, the others wait and read it.

    Outside of a run of the tests there is nobody to share with.
    """
    if _folder is None:
        return make()
    path = _folder / hashlib.sha256(name.encode()).hexdigest()
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = make()
            new = Path(f"{path}.new")
            new.write_bytes(pickle.dumps(made))
            new.rename(path)
    found: Made = pickle.loads(path.read_bytes())
    return found
