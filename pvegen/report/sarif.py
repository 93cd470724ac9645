"""The report as SARIF 2.1.0 (OASIS), which code scanning services read."""

from __future__ import annotations

import json
import urllib.parse

from pvegen import __version__
from pvegen.catalogue import Catalogue, Entry
from pvegen.mistakes import is_warning
from pvegen.report import Finding, Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report, texts: Catalogue) -> str:
    """One run; its rules are those codes of the catalogue that were met."""
    codes = sorted({finding.mistake.code for finding in report.findings})
    rules = [_rule(texts.entry(code)) for code in codes]
    run = {
        "tool": {"driver": {"name": "pvegen", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, codes.index(finding.mistake.code)) for finding in report.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.code,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.explain.strip()},
        "defaultConfiguration": {"level": "warning" if is_warning(entry.code) else "error"},
    }


def _result(finding: Finding, rule: int) -> dict[str, object]:
    location: dict[str, object] = {
        "artifactLocation": {"uri": urllib.parse.quote(finding.mistake.source.name, errors="surrogateescape")}
    }
    if finding.place is not None:
        line, column, end_line, end_column = finding.place
        location["region"] = {
            "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": max(end_column, column)
        }
    return {
        "ruleId": finding.mistake.code,
        "ruleIndex": rule,
        "level": finding.severity,
        "message": {"text": f"{finding.what}\n{finding.do}"},
        "locations": [{"physicalLocation": location}],
    }
