"""Where a line of a script comes from: step, snippet, keys of the description, facts of the target.

Nothing of this stands in a script or beside it: the script is made again from its
description, and once more for every key and fact with another value. What then
changes a line, that line comes from.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from pvegen import catalogue, quote, vary
from pvegen.derive import View, derive
from pvegen.lines import Line, aligned
from pvegen.model import Description
from pvegen.plan import plan
from pvegen.render import Rendered, Renderer
from pvegen.shape import SHAPE
from pvegen.snippets import SnippetError
from pvegen.target import Target, Targets
from pvegen.vary import Leaf

_FUNCTION = re.compile(r"([a-z_][a-z0-9_]*)\(\) \{")


class Part(NamedTuple):
    """One key or fact, and what it does to the lines asked for: sets what they say, or only decides that they stand."""

    name: str
    sets: bool
    leaf: Leaf | None = None


class Traced(NamedTuple):
    """What some lines of a script come from.

    step: "" outside of the steps; title, why: what the script says of the step;
    snippet: below snippets/; snippet_line: 0 where it cannot be told; function: of
    the runtime, "" elsewhere; keys, facts: what sets the lines first.
    """

    first: int
    last: int
    text: str
    step: str
    title: str
    why: str
    snippet: str
    snippet_line: int
    function: str
    keys: list[Part]
    facts: list[Part]


class Tracer:
    """One node's script, to be asked about many lines; the script is made again once for all of them."""

    def __init__(self, view: View, index: int, target: Target, renderer: Renderer | None = None) -> None:
        """index: the node's number in the description. Raises SnippetError."""
        self._view, self._index, self._target = view, index, target
        self._renderer = renderer or Renderer()
        self._plan = plan(view, target)[index]
        self.script = self._made(view, target)
        self.lines = self.script.text.split("\n")
        self._own = _own(self.script)
        self._printed: dict[str, dict[int, Line]] = {}
        self._effects: list[tuple[Part, str, dict[int, bool]]] | None = None

    def _made(self, view: View, target: Target) -> Rendered:
        return self._renderer.script(plan(view, target)[self._index])

    def steps(self) -> list[str]:
        """The names of the script's steps, in order."""
        return [step.name for step in self._plan.steps]

    def step_lines(self, name: str) -> tuple[int, int]:
        """The first and the last line of a step: of all that its snippet made. KeyError for none of that name."""
        number = self.steps().index(name) if name in self.steps() else -1
        if number < 0:
            raise KeyError(name)
        starts = [i for i, (_, snippet) in enumerate(self.script.origins) if snippet.startswith("steps/")]
        here = starts[number]
        return self.script.origins[here][0], self.script.origins[here + 1][0] - 1

    def trace(self, first: int, last: int) -> Traced:
        """Where the lines from first to last come from, which are of one snippet."""
        snippet = self.script.origin(first)
        step = self._step_of(first) if snippet.startswith("steps/") else ""
        title, why = self._told(step)
        printed_by, number = self._printed_by(snippet, first) if first == last else (snippet, 0)
        return Traced(
            first, last, "\n".join(self.lines[first - 1 : last]), step, title, why,
            printed_by, number,
            self._function(first) if snippet.startswith("runtime/") else "",
            self._parts("key", first, last), self._parts("fact", first, last),
        )  # fmt: skip

    def _step_of(self, line: int) -> str:
        """The name of the step that a line stands in."""
        return next(name for name in self.steps() if self.step_lines(name)[0] <= line <= self.step_lines(name)[1])

    def _told(self, step: str) -> tuple[str, str]:
        """A step's title and reason, as its script has them."""
        if not step:
            return "", ""
        return self._renderer.told(self._plan, step)

    def _function(self, line: int) -> str:
        """The function of the runtime that a line is in, or stands right above as its comment; "" elsewhere."""
        for number in range(line, 0, -1):
            if found := _FUNCTION.fullmatch(self.lines[number - 1]):
                return found[1]
            if self.lines[number - 1] == "}" and number < line:
                break
        for text in self.lines[line - 1 :]:
            if found := _FUNCTION.fullmatch(text):
                return found[1]
            if not text.startswith("#"):
                break
        return ""

    def _printed_by(self, snippet: str, line: int) -> tuple[str, int]:
        """The snippet, which may be an included one, and its line that printed a line; 0 where it cannot be told.

        Of a value with several lines that is the line that prints the value.
        """
        file = snippet if snippet.startswith("runtime/") else "script.sh"
        if file not in self._printed:
            self._printed[file] = self._lines_of(file)
        found = self._printed[file].get(line)
        return (found.snippet, found.number) if found else (snippet, 0)

    def _lines_of(self, file: str) -> dict[int, Line]:
        """What printed the lines of a file of the runtime, or of the script's own part, by their numbers."""
        if file == "script.sh":
            last = len(self.lines) - 1
            numbers = [*range(1, len(self._own) + 1), last]
            texts = [*self._own, self.lines[last - 1]]
        else:
            start = next(first for first, snippet in self.script.origins if snippet == file)
            end = next(first for first, _ in self.script.origins if first > start)
            numbers = list(range(start, end))
            texts = self.lines[start - 1 : end - 1]
        try:
            printed = self._renderer.printed(self._plan, file)
        except SnippetError:  # a site's own, which does something to its text that marks do not outlive
            return {}
        return dict(zip(numbers, aligned(texts, printed), strict=False))

    def _parts(self, kind: str, first: int, last: int) -> list[Part]:
        found: list[Part] = []
        if first > len(self._own):  # the runtime, and the last line
            return found
        for part, sort, changed in self._all_effects():
            touched = [sets for line, sets in changed.items() if first <= line <= last]
            if sort == kind and touched:
                found.append(part._replace(sets=any(touched)))
        return sorted(found, key=lambda part: not part.sets)

    def _all_effects(self) -> list[tuple[Part, str, dict[int, bool]]]:
        """Each key and fact with the lines that it changes: whether it sets what they say."""
        if self._effects is None:
            self._effects = [*self._of_keys(), *self._of_facts()]
        return self._effects

    def _of_keys(self) -> Iterator[tuple[Part, str, dict[int, bool]]]:
        description = self._view.description
        for leaf in vary.leaves(description):
            if leaf.path == ("cluster", "target"):
                named = Target("another", self._target.title, self._target.data)
                renamed = vary.with_value(description, leaf.path, "another")
                variants: Iterator[tuple[Description, Target]] = iter([(renamed, named)])
            elif self._matters(leaf):
                variants = ((changed, self._target) for changed in vary.described(description, leaf))
            else:
                continue
            yield Part(dotted(leaf.path, description), False, leaf), "key", self._changed(variants)

    def _matters(self, leaf: Leaf) -> bool:
        """Whether to try a key: what another node leaves out comes to nothing here."""
        own = leaf.path[:1] != ("node",) or leaf.path[1] == self._index
        return own or (leaf.value is not None and leaf.value != leaf.key.default)

    def _of_facts(self) -> Iterator[tuple[Part, str, dict[int, bool]]]:
        description = self._view.description
        named = Target(self._target.name, self._target.title + "x", self._target.data)
        yield Part("title", False), "fact", self._changed(iter([(description, named)]))
        for section, keys in SHAPE.items():
            for key in keys:
                variants = ((description, changed) for changed in vary.targets(self._target, section, key))
                yield Part(f"{section}.{key}", False), "fact", self._changed(variants)

    def _changed(self, variants: Iterator[tuple[Description, Target]]) -> dict[int, bool]:
        """The lines of the script's own part that are otherwise in some variant."""
        changed: dict[int, bool] = {}
        for description, target in variants:
            try:
                made = self._made(derive(description), target)
            except (ValueError, KeyError, SnippetError):  # there is no such script
                continue
            for line, sets in differing(self._own, _own(made)).items():
                changed[line] = changed.get(line, False) or sets
        return changed


def sources(
    views: list[View], node: str, line: int, site: str | os.PathLike[str] | None, targets: Targets
) -> str:
    """What is added to a finding in a node's script: the keys and facts that set its line, or nothing."""
    view = next(view for view in views if view.node(node))
    index = next(one.index for one in view.nodes if one.name == node)
    tracer = Tracer(view, index, targets.load(view.description.cluster.target), Renderer(site))
    traced = tracer.trace(line, line)
    names = [part.name for part in (*traced.keys, *traced.facts) if part.sets]
    return " " + catalogue.load().review["finding"].format(names=", ".join(names)) if names else ""


def _own(script: Rendered) -> list[str]:
    """The lines of a script's own part, numbered as in the script, without its last line."""
    return quote.plain(script.own).split("\n")[:-2]


def differing(old: list[str], new: list[str]) -> dict[int, bool]:
    """The lines of old that new has not, from 1; whether new has as many others in their place."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    middle, other = old[start : len(old) - end], new[start : len(new) - end]
    found = {}
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, middle, other, autojunk=False).get_opcodes():
        if tag in ("replace", "delete"):
            found.update({start + i + 1: tag == "replace" and i2 - i1 == j2 - j1 for i in range(i1, i2)})
    return found


def dotted(path: vary.Path, description: Description) -> str:
    """A key as people name it: a node by its name, other tables of several by their number from 1."""
    words: list[str] = []
    for i, part in enumerate(path):
        if isinstance(part, int):
            name = description.node[part].name if path[0] == "node" and i == 1 else str(part + 1)
            words[-1] += f"[{name}]"
        else:
            words.append(part)
    return ".".join(words)
