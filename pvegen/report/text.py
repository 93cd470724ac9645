"""The report for people: place, line with a caret, what is wrong, what to do."""

from __future__ import annotations

import unicodedata

from pvegen.catalogue import Catalogue, visible
from pvegen.report import Finding, Report
from pvegen.source import Place

_TAB = 4
_MOST = 200
_WIDEST = 120
_CONTEXT = 40
_COLOURS = {"error": "31", "warning": "33", "help": "36", "gutter": "34"}


def render(report: Report, texts: Catalogue) -> str:
    """The findings, one paragraph each, and how many there are."""
    paint = _Paint(report.colour)
    shown = [_finding(finding, texts, paint) for finding in report.findings[:_MOST]]
    if len(report.findings) > _MOST:
        shown.append(texts.count("rest", len(report.findings) - _MOST) + "\n")
    return "\n".join([*shown, _summary(report, texts)])


class _Paint:
    """Terminal colours, or none."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted

    def __call__(self, name: str, text: str) -> str:
        return f"\x1b[1;{_COLOURS[name]}m{text}\x1b[0m" if self.wanted else text


def _finding(finding: Finding, texts: Catalogue, paint: _Paint) -> str:
    mistake, place = finding.mistake, finding.place
    where = visible(mistake.source.name)
    if place is not None:
        where += f":{place.line}:{place.column}"
    severity = texts.report[finding.severity]
    lines = [f"{where}: {paint(finding.severity, severity + ' ' + mistake.code)}: {finding.what}"]
    if place is not None and mistake.source.text is not None:
        lines += _excerpt(mistake.source.lines, place, finding.severity, paint)
    label = texts.report["help"] + ": "
    first, *others = finding.do.splitlines()
    lines.append("  " + paint("help", label) + first)
    lines += [" " * (2 + len(label)) + line for line in others]
    return "\n".join(lines) + "\n"


def _excerpt(lines: list[str], place: Place, severity: str, paint: _Paint) -> list[str]:
    """The line, and below it what of it is meant, underlined."""
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    start = place.column - 1
    end = place.end_column - 1 if place.end_line == place.line else len(line)
    line, start, end = _window(line, start, max(end, start + 1))
    shown, columns = displayed(line)
    width = max(columns[min(end, len(line))] - columns[start], 1) if start < len(line) else 1
    number = str(place.line)
    gutter = " " * len(number)
    return [
        paint("gutter", f"  {number} |") + f" {shown}".rstrip(),
        paint("gutter", f"  {gutter} |") + " " * (columns[min(start, len(line))] + 1) + paint(severity, "^" * width),
    ]


def _window(line: str, start: int, end: int) -> tuple[str, int, int]:
    """A long line cut down to what is around the place."""
    if len(line) <= _WIDEST:
        return line, min(start, len(line)), end
    first = max(0, min(start - _CONTEXT, len(line) - _WIDEST))
    before = "..." if first else ""
    after = "..." if first + _WIDEST < len(line) else ""
    cut = before + line[first : first + _WIDEST] + after
    shift = len(before) - first
    return cut, start + shift, min(end + shift, len(before) + _WIDEST)


def displayed(line: str) -> tuple[str, list[int]]:
    """A line as a terminal can show it, and the display column at which each character starts, the end last.

    Tabs go on to the next multiple of 4; what a terminal would obey or hide is
    spelt out; wide letters count two columns, combining ones none.
    """
    shown = []
    columns = []
    column = 0
    for character in line:
        columns.append(column)
        text = " " * (_TAB - column % _TAB) if character == "\t" else visible(character)
        shown.append(text)
        column += len(text) if len(text) > 1 or character == "\t" else _width(character)
    return "".join(shown), [*columns, column]


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _summary(report: Report, texts: Catalogue) -> str:
    counts = [texts.count("errors", report.errors)] if report.errors else []
    counts += [texts.count("warnings", report.warnings)] if report.warnings else []
    names = [visible(source.name) for source in report.sources]
    where = names[0] if len(names) == 1 else texts.count("files", len(names))
    if not counts:
        return str(texts.report["fine"].format(where=where)) + "\n"
    lines = [texts.report["summary"].format(counts=", ".join(counts), where=where)]
    if report.strict and not report.errors:
        lines.append(texts.report["strict"])
    code = min(report.findings, key=lambda finding: finding.mistake.is_warning).mistake.code
    lines.append(texts.report["more"].format(code=code))
    return "\n".join(lines) + "\n"
