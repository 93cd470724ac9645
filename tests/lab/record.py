"""The record of a run of the lab: a table of scenarios as JSON and Markdown, and the logs where one failed."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import place

if TYPE_CHECKING:
    from .cluster import Lab

PAGE = place.PROJECT / "docs" / "lab.md"
BEGIN, END = "<!-- record: begin -->", "<!-- record: end -->"
# What stands behind the nodes of a target; see docs/lab.md.
STANDINS = {
    "alt-p8": "etcnet, pmxcfs, pvecm, pveproxy; placeholders for the other daemons",
    "alt-p11": "pmxcfs, pvecm, pveproxy; placeholders for the other daemons",
}
REAL = {
    "alt-p8": "systemd, sshd, corosync, rrdcached, rpcbind, cron, Linux bridge",
    "alt-p11": "systemd, sshd, corosync, rrdcached, rpcbind, cron, Linux bridge, ifupdown2",
}
LOGS = "journalctl --no-pager -b; echo; systemctl --failed --no-pager; ip address; ip route; cat /etc/pve/.members"


def properties(item: pytest.Item) -> list[tuple[str, object]]:
    """What the record has of a scenario, as user properties of its report.

    The scenario is the first sentence of the test's docstring; its target the parameter of that name, or what
    @pytest.mark.target says; @pytest.mark.standin adds a stand-in of its own.
    """
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    marked = item.get_closest_marker("target")
    target = str(parameters.get("target") or (marked.args[0] if marked else ""))
    more = [f"{name} {value}" for name, value in parameters.items() if name != "target"]
    own = [word for mark in item.iter_markers("standin") for word in mark.args]
    row = {
        "scenario": name_of(item.function.__doc__ or item.name),  # type: ignore[attr-defined]
        "case": ", ".join(more),
        "target": target,
        "real": REAL.get(target, ""),
        "standins": "; ".join([*([STANDINS[target]] if target in STANDINS else []), *own]),
    }
    return [("lab", json.dumps(row))]


def name_of(docstring: str) -> str:
    """What a scenario is called: the first paragraph of its test's docstring."""
    return re.sub(r"\s+", " ", docstring.strip().split("\n\n")[0]).rstrip(".")


def keep_logs(name: str, labs: "Sequence[Lab]") -> Path:
    """Writes down what the nodes of LABS say of themselves; gives the folder."""
    folder = place.folder("logs") / re.sub(r"[^\w.-]+", "_", name)
    shutil.rmtree(folder, ignore_errors=True)
    for lab in labs:
        for node in lab.node.values():
            own = folder / node.name
            own.mkdir(parents=True, exist_ok=True)
            shutil.copy(node.folder / "console", own)
            with contextlib.suppress(Exception):
                (own / "journal").write_text(node.run(LOGS, timeout=20).stdout)
            with contextlib.suppress(Exception):
                (own / "scripts.log").write_text(node.run("cat /var/log/pvegen/*", timeout=20).stdout)
    return folder


class Collector:
    """Puts the record together, on the controller alone."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.said: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "lab" and report.when == "call":
                row = json.loads(str(value))
                self.rows.append({**row, "result": report.outcome, "seconds": round(report.duration, 1)})

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.rows:
            return
        self.rows.sort(key=lambda row: (row["scenario"], row["target"], row["case"]))
        folder = place.folder("record")
        (folder / "lab.json").write_text(json.dumps(self.rows, indent=1, ensure_ascii=False) + "\n")
        (folder / "lab.md").write_text(drawn(self.rows))
        if session.config.getoption("--renew") and not os.environ.get("CI"):
            PAGE.write_text(put_into(PAGE.read_text("utf-8"), drawn(self.rows)), "utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.rows:
            terminalreporter.section("lab")
            terminalreporter.write_line(drawn(self.rows))
            terminalreporter.write_line(f"also in {place.folder('record')}")


def drawn(rows: Sequence[dict[str, Any]]) -> str:
    """The record as a Markdown table."""
    lines = ["| Scenario | Target | Result | Seconds | Real | Stand-ins |", "|---|---|---|---|---|---|"]
    for row in rows:
        scenario = f"{row['scenario']} ({row['case']})" if row["case"] else row["scenario"]
        cells = [scenario, row["target"], row["result"], f"{row['seconds']:.0f}", row["real"], row["standins"]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def put_into(page: str, table: str) -> str:
    """The page with the table between its two marks."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{table}{END}{rest.partition(END)[2]}"
