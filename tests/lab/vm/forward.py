"""Runs tests in the virtual machine in place of here: one machine for as long as pytest runs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sandbox.requirements import require_system
from sandbox.systems import load_system

from .image import image
from .machine import BOOT, Ended, VirtualMachine
from .requirements import require_vm
from .share import write_share

LIMIT = 1800
"""Seconds within which a test in the machine has to come to its end."""

KERNEL = "Debian's kernel with bonds, VLANs and bridges that filter them"
REAL = {
    "etcnet": KERNEL,
    "ifupdown2": f"{KERNEL}; ifupdown2",
    "ifupdown": f"{KERNEL}; ifupdown, ifenslave, vlan, bridge-utils",
}
STANDINS = {
    "etcnet": "virtual machine: etcnet, systemd",
    "ifupdown2": "virtual machine: systemd",
    "ifupdown": "virtual machine: systemd",
}


class Forward:
    """Hands tests over to the machine and their reports to pytest; the first test starts the machine."""

    def __init__(self) -> None:
        self._machine: VirtualMachine | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._broken = ""

    def close(self) -> None:
        """Ends the machine."""
        if self._machine is not None:
            self._machine.close()
        if self._folder is not None:
            self._folder.cleanup()

    def run(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """One test; FOLLOWING is the one after it, for which the machine keeps what both stand on."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        try:
            require_vm()
            target, _ = _case(item)
            if target:
                require_system(target)
            for answer in self._ask(item, following):
                _report(item, **answer)
        except pytest.skip.Exception as skipped:
            path, line, _ = item.location
            _report(item, "setup", "skipped", (path, line, f"Skipped: {skipped.msg}"))
            _report(item, "teardown", "passed")
        except (Ended, RuntimeError, pytest.fail.Exception) as failed:
            _report(item, "call", "failed", str(failed))
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _ask(self, item: pytest.Item, following: pytest.Item | None) -> list[dict[str, Any]]:
        """What the machine reports of a test."""
        machine = self._start()
        reports = []
        try:
            machine.ask({"run": _name(item), "next": _name(following) if following else None})
            for answer in machine.answers(LIMIT):
                if "done" in answer:
                    break
                reports.append(answer)
        except Ended as ended:
            self._broken = str(ended)
            raise
        if any(report["outcome"] == "failed" for report in reports):
            reports[-1]["sections"] = [*reports[-1]["sections"], ("The console of the machine", machine.log()[-4000:])]
        return reports

    def _start(self) -> VirtualMachine:
        """The machine, once it is ready; one that broke stays broken for all further tests."""
        if self._broken:
            raise Ended(self._broken)
        if self._machine is None:
            self._broken = "the virtual machine did not start"
            self._folder = tempfile.TemporaryDirectory(prefix="pvegen-share-")
            share = Path(self._folder.name, "share.tar")
            write_share(share)
            self._machine = VirtualMachine(image(), share)
            ready = next(self._machine.answers(BOOT))
            if ready["errors"]:
                raise Ended(f"the tests cannot be read in the machine:\n{self._machine.log()}")
            self._broken = ""
        return self._machine


def _name(item: pytest.Item) -> str:
    """The test as the machine knows it: without the group that xdist adds to the names of tests here."""
    return item.nodeid.removesuffix("@vm")


def _report(
    item: pytest.Item,
    when: Any,
    outcome: Any,
    text: Any = "",
    seconds: float = 0,
    sections: Any = (),
) -> None:
    """One phase of a test as pytest is told of it."""
    item.ihook.pytest_runtest_logreport(
        report=pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords=dict.fromkeys(item.keywords, 1),
            outcome=outcome,
            longrepr=text or None,
            when=when,
            sections=[tuple(section) for section in sections],
            duration=seconds,
            user_properties=[("lab", json.dumps(_row(item)))] if when == "call" else [],
        )
    )


def _case(item: pytest.Item) -> tuple[str, str]:
    """What a test is of: (target, what else tells it from others); both empty where it is of none."""
    from lab.inside.networks import NETWORKS

    params = getattr(getattr(item, "callspec", None), "params", {})
    if "cluster" in params:
        target = NETWORKS[params["cluster"]].target
        return target, params["cluster"].removesuffix(f"-{target}")
    target, shell = params.get("formed", ("", ""))
    return target, shell


def _row(item: pytest.Item) -> dict[str, str]:
    """What the record of the lab has of a test."""
    assert isinstance(item, pytest.Function)
    target, case = _case(item)
    manager = load_system(target).network if target else ""
    return {
        "scenario": (item.function.__doc__ or item.name).strip().rstrip("."),
        "case": case,
        "target": target,
        "real": REAL.get(manager, "Debian's kernel"),
        "standins": STANDINS.get(manager, ""),
    }
