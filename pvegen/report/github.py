"""The report as workflow commands of GitHub Actions, which show it beside the lines of a change.

Form and escaping: actions/toolkit, packages/core, command.ts.
"""

from __future__ import annotations

from pvegen.catalogue import Catalogue, visible
from pvegen.report import Finding, Report


def render(report: Report, texts: Catalogue) -> str:
    """One command a finding; nothing where there is none."""
    return "".join(_command(finding) + "\n" for finding in report.findings)


def _command(finding: Finding) -> str:
    properties = {"file": finding.mistake.source.name}
    if finding.place is not None:
        line, column, end_line, end_column = finding.place
        properties |= {"line": str(line), "endLine": str(end_line)}
        if line == end_line:
            properties |= {"col": str(column), "endColumn": str(end_column)}
    properties["title"] = f"{finding.mistake.code}: {finding.title}"
    stated = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{finding.severity} {stated}::{_message(f'{finding.what} {finding.do}')}"


def _message(text: str) -> str:
    return "%0A".join(visible(line).replace("%", "%25") for line in text.split("\n"))


def _property(text: str) -> str:
    return _message(visible(text)).replace(":", "%3A").replace(",", "%2C")
