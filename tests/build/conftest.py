"""What tests of the build share: a folder for compiled templates, and the shells."""

from __future__ import annotations

from pathlib import Path

import desk
import pytest
from sandbox.shells import SHELLS


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled templates are kept for the run of the tests, and nowhere else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(params=list(SHELLS))
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The words that start a shell, for each of those that node scripts have to run in."""
    words = SHELLS[request.param]
    if not Path(words[0]).exists():
        desk.absent(f"there is no {words[0]} here")
    return words


@pytest.fixture(scope="session")
def shells() -> dict[str, tuple[str, ...]]:
    """All shells by name; the test is skipped where one is missing."""
    missing = [words[0] for words in SHELLS.values() if not Path(words[0]).exists()]
    if missing:
        desk.absent(f"missing here: {', '.join(missing)}")
    return SHELLS
