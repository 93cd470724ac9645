"""The report as one JSON object, for editors and scripts.

    {"format": 1, "pvegen": "0.1.0", "errors": 1, "warnings": 0, "files": ["cluster.toml"],
     "mistakes": [{"code": "PVE106", "severity": "error", "file": "cluster.toml",
                   "line": 14, "column": 7, "end_line": 14, "end_column": 13,
                   "path": ["node", 0, "mtu"], "title": "...", "what": "...", "do": "..."}]}

Lines and columns count from 1, columns in characters, the end is not included;
all four are null where a file could not be read.
"""

from __future__ import annotations

import json

from pvegen import __version__
from pvegen.catalogue import Catalogue
from pvegen.report import Finding, Report


def render(report: Report, texts: Catalogue) -> str:
    """The object, in several lines."""
    whole = {
        "format": 1,
        "pvegen": __version__,
        "errors": report.errors,
        "warnings": report.warnings,
        "files": [_name(source.name) for source in report.sources],
        "mistakes": [_mistake(finding) for finding in report.findings],
    }
    return json.dumps(whole, indent=2) + "\n"


def _name(file: str) -> str:
    """A file's name; a byte of it that is no UTF-8 as \\xff, since JSON has none."""
    return file.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _mistake(finding: Finding) -> dict[str, object]:
    mistake = finding.mistake
    line, column, end_line, end_column = finding.place or (None, None, None, None)
    return {
        "code": mistake.code,
        "severity": finding.severity,
        "file": _name(mistake.source.name),
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "path": list(mistake.path),
        "title": finding.title,
        "what": finding.what,
        "do": finding.do,
    }
