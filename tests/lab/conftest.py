"""Labs for scenarios, the record of a run, and the logs of nodes for a scenario that failed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from . import leftovers, record, states
from .cluster import Lab
from .requirements import require_lab

MakeLab = Callable[..., Lab]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(record.Collector(), "lab-record")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs the lab says in plain words why it is skipped, before any fixture makes one."""
    if item.get_closest_marker("lab"):
        require_lab()


@pytest.fixture(scope="session", autouse=True)
def _clean() -> None:
    leftovers.clean()


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[MakeLab]:
    """lab(text, form=states.fresh, names=(), only=(), **options): a Lab that lasts as long as the test.

    FORM is the state that its nodes start in (states.fresh, prepared, formed); a state that is kept is not made again.
    ONLY: those of the state's nodes that are there, all by default.
    """
    with ExitStack() as stack:

        def make(text: str, form: states.Form = states.fresh, names: Any = (), only: Any = (), **options: Any) -> Lab:
            kept = states.state(text, form, names) if form is not states.fresh else {}
            return stack.enter_context(Lab(text, only or names, state=kept, **options))

        yield make


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keeps the nodes' logs of a scenario that failed, while the nodes are still there."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if item.get_closest_marker("lab") is None:
        return
    if report.when == "call":
        report.user_properties += record.properties(item)
    if report.when == "call" and report.failed and Lab.living:
        report.sections.append(("lab", f"the logs of the nodes are in {record.keep_logs(item.name, Lab.living)}"))
