"""Labs for scenarios, the record of a run, and the logs of nodes for a scenario that failed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from faults import sample
from scripts.nodes import TARGETS

from . import leftovers, record, states
from .cluster import Lab
from .requirements import missing_programs, require_lab

MakeLab = Callable[..., Lab]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What goes wrong on both targets is tried on one of them, by the seed, unless every point or a test is asked for."""
    if sample.EVERY or config.option.keyword or any("::" in word for word in config.args):
        return
    left = [item for item in items if _is_left(item)]
    if left:
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def _is_left(item: pytest.Item) -> bool:
    """Whether the scenario is tried on the other target only."""
    target = getattr(item, "callspec", None) and item.callspec.params.get("target")  # type: ignore[attr-defined]
    if target is None or not item.path.name.startswith("test_wrong_") or item.get_closest_marker("both_targets"):
        return False
    return bool(target != sample.chance("target", item.originalname).choice(TARGETS))  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs the lab says in plain words why it is skipped, before any fixture makes one."""
    if item.get_closest_marker("lab"):
        require_lab()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What labs that were killed have left behind goes before the first scenario of any worker: one of them kills labs."""
    if missing_programs() is None and not session.config.option.collectonly:
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
    if report.when == "call" and item.path.name != "test_standins.py":  # those are no scenarios
        report.user_properties += record.properties(item)
    if report.when == "call" and report.failed and Lab.living:
        report.sections.append(("lab", f"the logs of the nodes are in {record.keep_logs(item.name, Lab.living)}"))
