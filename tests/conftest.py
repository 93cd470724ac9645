"""What holds for every test: nobody's real home is touched, and messages are in English."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


class TouchedTheRealHome(Exception):
    """A test asked for the home of whoever runs it; give it a tmp_path instead."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write the expected files anew instead of comparing")


@pytest.fixture(autouse=True)
def _no_real_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise TouchedTheRealHome

    monkeypatch.setattr(os.path, "expanduser", lambda path: refuse() if str(path).startswith("~") else path)
    monkeypatch.setattr(Path, "home", classmethod(refuse))
    monkeypatch.setenv("HOME", "/nonexistent/touched-the-real-home")


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def renew(request: pytest.FixtureRequest) -> bool:
    """Whether expected files are to be written anew; never in CI."""
    wanted = bool(request.config.getoption("--renew"))
    if wanted and os.environ.get("CI"):
        pytest.fail("--renew is not for CI: expected files are renewed by people, who read them")
    return wanted
