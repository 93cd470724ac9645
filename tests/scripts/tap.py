"""A strict reader of TAP version 14, as node scripts write it; InvalidTap where the text is not that.

What is checked: the version line; numbers that count up from 1 without a gap; one plan at each level, right where
there is no "Bail out!"; subtests at four blanks, closed by a point of their parent that names them; YAML blocks
at two blanks behind their point, of keys with literal text; "#" in a description only as TODO or SKIP.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_POINT = re.compile(r"(not ok|ok) (\d+) - (\S.*)")
_PLAN = re.compile(r"1\.\.(\d+)")
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(?:(TODO|SKIP)\S*(?:\s+(.*))?)?(.*)", re.IGNORECASE)
_KEY = re.compile(r"([a-z][a-z0-9_-]*): \|(2)?")
_SUBTEST = re.compile(r"# Subtest: (\S+)")


class InvalidTap(AssertionError):
    """The text is not TAP 14: what is wrong, with the number of the line."""


@dataclass
class Point:
    """One test point; yaml is its block as {key: text}, subtest what it sums up."""

    ok: bool
    number: int
    description: str
    directive: str = ""
    reason: str = ""
    yaml: dict[str, str] = field(default_factory=dict)
    subtest: Tap | None = None

    @property
    def failed(self) -> bool:
        """Whether a harness counts it as a failure: what is TODO is none."""
        return not self.ok and self.directive != "TODO"

    def __str__(self) -> str:
        directive = f" # {self.directive} {self.reason}".rstrip() if self.directive else ""
        return f"{'ok' if self.ok else 'not ok'} - {self.description}{directive}"


@dataclass
class Tap:
    """One stream, or one subtest, of it. bail: the words after "Bail out!", None where there is none."""

    points: list[Point] = field(default_factory=list)
    plan: int | None = None
    bail: str | None = None
    comments: list[str] = field(default_factory=list)

    def walk(self) -> Iterator[Point]:
        """All points, those of subtests before the point that sums them up."""
        for point in self.points:
            if point.subtest is not None:
                yield from point.subtest.walk()
            yield point

    def leaves(self) -> list[Point]:
        """The points that are not sums of others."""
        return [point for point in self.walk() if point.subtest is None]

    def failures(self) -> list[Point]:
        """The points, not sums, that failed."""
        return [point for point in self.leaves() if point.failed]

    def todo(self) -> list[Point]:
        """The points, not sums, that wait for a change."""
        return [point for point in self.leaves() if point.directive == "TODO"]

    def find(self, part: str) -> Point:
        """The one point, not a sum, that has PART in its description."""
        found = [point for point in self.leaves() if part in point.description]
        assert len(found) == 1, f"{len(found)} points with {part!r}: {[str(p) for p in found]}"
        return found[0]

    def step(self, name: str) -> Point:
        """The point that sums up the step NAME."""
        found = [p for p in self.points if p.description == name or p.description.startswith(f"{name}: ")]
        assert len(found) == 1, f"{len(found)} points of step {name}"
        return found[0]

    def said(self, part: str) -> bool:
        """Whether a comment of any level has PART in it."""
        below = (p.subtest for p in self.points if p.subtest is not None)
        return any(part in comment for comment in self.comments) or any(tap.said(part) for tap in below)


def parse(text: str) -> Tap:
    """Reads a whole output; InvalidTap where it is not TAP 14."""
    lines = text.split("\n")
    if lines.pop() != "":
        raise InvalidTap("the last line has no end")
    if not lines or lines[0] != "TAP version 14":
        raise InvalidTap(f"line 1 is not the version: {lines[:1]}")
    reader = _Reader(lines, 1)
    tap = reader.stream("")
    if tap.bail is None and tap.plan is None:
        raise InvalidTap("there is no plan")
    return tap


class _Reader:
    """Goes through the lines once; `at` is the index of the next one."""

    def __init__(self, lines: list[str], at: int) -> None:
        self.lines = lines
        self.at = at
        self.bail: str | None = None

    def wrong(self, what: str) -> InvalidTap:
        around = "\n".join(f"  {n + 1}: {self.lines[n]}" for n in range(max(0, self.at - 3), self.at))
        return InvalidTap(f"line {self.at}: {what}\n{around}")

    def stream(self, blanks: str) -> Tap:
        """One level; ends at a line of a lower level or at the end of the text."""
        tap = Tap()
        below: Tap | None = None  # a subtest that waits for its point
        name = ""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.startswith(blanks):
                break
            rest = line[len(blanks) :]
            if rest.startswith("    "):
                if self.bail is not None or below is not None or not name:
                    raise self.wrong("a subtest without its comment, or after another one, or after bailing out")
                below = self.stream(blanks + "    ")
                continue
            self.at += 1
            if rest.startswith("Bail out!"):
                if self.bail is not None:
                    raise self.wrong("bailed out already")
                self.bail = tap.bail = rest.removeprefix("Bail out!").strip()
            elif rest.startswith("#"):
                if found := _SUBTEST.fullmatch(rest):
                    if name:
                        raise self.wrong(f"subtest {name} is not closed yet")
                    name = found.group(1)
                else:
                    tap.comments.append(rest.removeprefix("#").strip())
            elif self.bail is not None:
                raise self.wrong("more than a comment after bailing out")
            elif found := _PLAN.fullmatch(rest):
                if tap.plan is not None:
                    raise self.wrong("a second plan")
                tap.plan = int(found.group(1))
                if below is not None or tap.plan != len(tap.points):
                    raise self.wrong(f"the plan is {tap.plan} after {len(tap.points)} points")
            elif found := _POINT.fullmatch(rest):
                point = self.point(found, len(tap.points) + 1)
                if tap.plan is not None:
                    raise self.wrong("a point after the plan")
                if name and below is None:
                    raise self.wrong(f"subtest {name} has no lines")
                if name and point.description.partition(":")[0] != name:
                    raise self.wrong(f"subtest {name} is closed by another point")
                point.subtest, below, name = below, None, ""
                point.yaml = self.yaml(blanks + "  ")
                tap.points.append(point)
            else:
                raise self.wrong("not a line of TAP")
        if (below is not None or name) and self.bail is None:
            raise self.wrong(f"subtest {name} is not closed")
        if tap.plan is None and self.bail is None:
            raise self.wrong("a level without a plan")
        return tap

    def point(self, found: re.Match[str], number: int) -> Point:
        if int(found.group(2)) != number:
            raise self.wrong(f"the number should be {number}")
        description, directive, reason = found.group(3), "", ""
        if marked := _DIRECTIVE.search(description):
            if not marked.group(1) or description[marked.start() - 1] != " ":
                raise self.wrong("a # that is no directive is to be written \\#")
            directive, reason = marked.group(1).upper(), (marked.group(2) or "").strip()
            description = description[: marked.start()].rstrip()
        description = re.sub(r"\\([\\#])", r"\1", description)
        return Point(found.group(1) == "ok", number, description, directive, reason)

    def yaml(self, blanks: str) -> dict[str, str]:
        """The block behind a point, if there is one: keys, each with literal text."""
        block: dict[str, list[str]] = {}
        if self.at >= len(self.lines) or self.lines[self.at] != f"{blanks}---":
            return {}
        self.at += 1
        key, explicit = "", False
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if line == f"{blanks}...":
                if not block:
                    raise self.wrong("an empty block")
                return {name: "".join(f"{text}\n" for text in lines) for name, lines in block.items()}
            if line.startswith(f"{blanks}  ") or (line.strip() == "" and key):
                if not key:
                    raise self.wrong("text before a key")
                text = line[len(blanks) + 2 :]
                # Blanks at the start of the first line would count as the indentation of all.
                if not explicit and text.startswith(" ") and not any(block[key]):
                    raise self.wrong("the first line of a literal text begins with a blank")
                block[key].append(text)
            elif line.startswith(blanks) and (found := _KEY.fullmatch(line[len(blanks) :])):
                key, explicit = found.group(1), bool(found.group(2))
                if key in block:
                    raise self.wrong(f"the key {key} twice")
                block[key] = []
            else:
                raise self.wrong("not a line of a YAML block")
        raise self.wrong("a YAML block without an end")
