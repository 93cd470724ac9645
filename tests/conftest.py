"""What holds for every test: nobody's real home is touched, and messages are in English."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults import sample, table
from lab import record
from sandbox.once import folder_of_this_run
from sandbox.requirements import require_sandbox
from sandbox.signals import ignore_for_ourselves_alone

__all__ = ["folder_of_this_run"]


GITS_OWN = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"}


class TouchedTheRealHome(Exception):
    """A test asked for the home of whoever runs it; give it a tmp_path instead."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="write the expected files anew instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    """The table of faults and the lab's record are put together by the one process to which all workers report."""
    ignore_for_ourselves_alone()
    # Within a hook, or a rebase that runs the tests, git tells its children of its repository: tests make their own.
    for name in GITS_OWN:
        os.environ.pop(name, None)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(table.Collector(), "faults")
        config.pluginmanager.register(record.Collector(), "lab-record")


def pytest_report_header() -> str:
    return sample.told()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs a sandbox says in plain words why it is skipped, before any fixture makes one."""
    if item.get_closest_marker("sandbox"):
        require_sandbox()


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
