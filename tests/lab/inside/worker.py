"""A plugin of the pytest in the machine: runs what the host asks for, one test after the other, and reports.

A question is a line of JSON: {"run": the test, "next": the one after it or null}. The answers are a line for each
phase of the test and one {"done": the test}.
"""

from __future__ import annotations

import glob
import io
import json
from typing import Any

import pytest


class Worker:
    """Reads and writes the channel to the host."""

    def __init__(self, channel: io.FileIO) -> None:
        self.channel = channel

    def say(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode() + b"\n"
        while data:
            data = data[self.channel.write(data) :]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of one test after the other: what the host asks for, until it asks for nothing more."""
        items = {item.nodeid: item for item in session.items}
        self.say({"ready": sorted(items), "errors": session.testsfailed})
        while line := self.channel.readline():
            question = json.loads(line)
            item, after = items[question["run"]], items.get(question["next"])
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            self.say({"done": item.nodeid})
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.say(
            {
                "when": report.when,
                "outcome": report.outcome,
                "text": report.longreprtext,
                "seconds": report.duration,
                "sections": report.sections,
            }
        )


def pytest_configure(config: pytest.Config) -> None:
    """Opens the channel, which is the one port of the machine's virtio-serial."""
    (path,) = glob.glob("/dev/vport*p1")
    config.pluginmanager.register(Worker(io.FileIO(path, "r+")), "worker")
