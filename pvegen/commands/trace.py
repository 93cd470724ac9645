"""`pvegen trace`: where a line or a step of a script comes from."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from pvegen import beside, catalogue, errors
from pvegen.commands.mistakes import tell
from pvegen.derive import View
from pvegen.errors import InternalError, Refused
from pvegen.facts import Fact, facts, shown
from pvegen.render import Renderer
from pvegen.report.changes import plain
from pvegen.snippets import SnippetError
from pvegen.source import Source
from pvegen.target import Targets
from pvegen.trace import Part, Traced, Tracer

# What a line of TAP has before the name of a step.
_TAP = re.compile(r"\s*(?:not )?ok(?: \d+)? - ([a-z-]+)(?::.*)?$")


def trace(where: str, *, stated: str | None, snippets: Path | None, targets: str | None, form: str) -> int:
    """Tell where FILE:LINE or FILE:STEP comes from; 0, 1 where the description has mistakes or the script is
    not the one that it makes, 2 for a place that there is not."""
    words = catalogue.load().review
    file, _, place = where.partition(":") if not _is_line(where) else where.rpartition(":")
    if not place.strip():
        errors.complain(words["no_place"].format(where=catalogue.visible(where)))
        return errors.WRONG_CALL
    known = Targets(targets)
    path = Path(file)
    folder = beside.built(path.parent)
    loaded = beside.description_of(folder, stated, known)
    if loaded.view is None:
        return tell([loaded], "text", strict=False, stream=sys.stderr)
    tracer = _tracer(loaded.view, path, snippets, known)
    _refuse_other(tracer, folder, path, loaded.source)
    lines = _lines(tracer, place)
    if lines is None:
        errors.complain(words["no_such_place"].format(
            place=catalogue.visible(place), file=catalogue.visible(file), last=len(tracer.lines) - 1,
            steps=", ".join(tracer.steps()),
        ))  # fmt: skip
        return errors.WRONG_CALL
    answer = _Answer(where, tracer.trace(*lines), loaded.view, loaded.source, known)
    print(json.dumps(answer.data(), indent=2, ensure_ascii=False) if form == "json" else answer.text())
    return 0


def _is_line(where: str) -> bool:
    return re.search(r":\d+$", where) is not None


def _tracer(view: View, path: Path, snippets: Path | None, targets: Targets) -> Tracer:
    """The tracer of a node's script; Refused where the description has no such node."""
    number = next((node.index for node in view.nodes if f"{node.name}.sh" == path.name), None)
    if number is None:
        names = ", ".join(f"{node.name}.sh" for node in view.nodes)
        text = catalogue.load().review["no_script"]
        raise Refused(text.format(file=catalogue.visible(path.name), scripts=names))
    try:
        return Tracer(view, number, targets.load(view.description.cluster.target), Renderer(snippets))
    except SnippetError as error:
        if error.of_site:
            raise Refused(catalogue.load().build["site"].format(path=snippets, why=error)) from error
        raise InternalError(str(error)) from error


def _refuse_other(tracer: Tracer, folder: beside.Built, path: Path, source: Source) -> None:
    """Refused where a script is not what its description makes now: its lines would be told wrongly."""
    from pvegen import __version__

    try:
        same = path.read_bytes() == tracer.script.text.encode()
    except OSError as error:
        why = error.strerror or error
        text = catalogue.load().build["unreadable"]
        raise Refused(text.format(path=catalogue.visible(str(path)), why=why)) from error
    if same:
        return
    words = catalogue.load().review
    name, text = catalogue.visible(str(path)), words["otherwise"]
    if not folder.is_as_built(path.name):
        text = words["edited"]
    elif folder.manifest["pvegen"] != __version__:
        text = words["other_version"]
    raise Refused(text.format(
        file=name, built=folder.manifest["pvegen"], version=__version__, description=catalogue.visible(source.name)
    ))  # fmt: skip


def _lines(tracer: Tracer, place: str) -> tuple[int, int] | None:
    """The lines that a number, a step's name or a line of TAP means; None for none of the script."""
    if place.isdecimal():
        number = int(place)
        return (number, number) if 1 <= number < len(tracer.lines) else None
    step = _TAP.match(place)
    try:
        return tracer.step_lines(step[1] if step else place)
    except KeyError:
        return None


class _Answer:
    """What is told of some lines, as text and as data."""

    def __init__(self, where: str, traced: Traced, view: View, source: Source, targets: Targets) -> None:
        name = view.description.cluster.target
        self._where, self._traced, self._source, self._target = where, traced, source, name
        self._facts = {fact.name: fact for fact in facts(targets.text(name), targets.load(name).data)}
        self._words = catalogue.load().review

    def data(self) -> dict[str, Any]:
        """For tools: the same as the text, field by field."""
        traced = self._traced
        return {
            "format": 1,
            "where": self._where,
            "lines": [traced.first, traced.last],
            "text": traced.text,
            "step": traced.step or None,
            "title": traced.title or None,
            "why": traced.why or None,
            "snippet": f"snippets/{traced.snippet}",
            "snippet_line": traced.snippet_line or None,
            "function": traced.function or None,
            "keys": [self._key(part) for part in traced.keys],
            "facts": [self._fact(part) for part in traced.facts],
        }

    def _key(self, part: Part) -> dict[str, Any]:
        if part.leaf is None:
            raise InternalError(f"{part.name} is no key")
        value = part.leaf.value
        stated = self._source.has(part.leaf.path)
        place = self._source.place_of(part.leaf.path)
        return {
            "key": part.name,
            "sets": part.sets,
            "stated": stated,
            "file": catalogue.visible(self._source.name),
            "line": place.line,
            "column": place.column,
            "value": shown(plain(value)) if value is not None and value != () else None,
            "derived": part.leaf.key.derived or None,
            "doc": part.leaf.key.doc,
        }

    def _fact(self, part: Part) -> dict[str, Any]:
        fact: Fact | None = self._facts.get(part.name)
        file = f"targets/{self._target}.toml"
        if fact is None:
            return {"fact": part.name, "sets": part.sets, "file": file, "line": 1, "value": None, "source": None}
        return {
            "fact": part.name, "sets": part.sets, "file": file, "line": fact.line, "value": shown(fact.value),
            "source": fact.source or None,
        }  # fmt: skip

    def text(self) -> str:
        """For people."""
        traced, data, words = self._traced, self.data(), self._words
        first = traced.text.split("\n")[0].strip()
        said = [f"{catalogue.visible(self._where)}: {catalogue.visible(first)}"]
        if traced.step:
            said.append(words["step"].format(name=traced.step, title=traced.title))
            said.append(words["why"].format(why=traced.why))
        number = f":{traced.snippet_line}" if traced.snippet_line else ""
        said.append(words["snippet"].format(snippet=f"snippets/{traced.snippet}{number}"))
        if traced.function:
            said.append(words["runtime"].format(function=traced.function))
        for sets in (True, False):
            said += [self._key_text(key) for key in data["keys"] if key["sets"] == sets]
            said += [self._fact_text(fact) for fact in data["facts"] if fact["sets"] == sets]
        if not data["keys"] and not data["facts"] and not traced.function:
            said.append(words["fixed"])
        return "\n".join(said)

    def _key_text(self, key: dict[str, Any]) -> str:
        kind = "key" if key["sets"] else "decides"
        value = self._words["value"].format(value=key["value"]) if key["value"] is not None else ""
        if not key["stated"]:
            value += " " + self._words["unstated"].format(derived=key["derived"] or self._words["default"])
        return self._words[kind].format(where=f"{key['file']}:{key['line']}:{key['column']}", key=key["key"],
                                        value=value, doc=key["doc"])

    def _fact_text(self, fact: dict[str, Any]) -> str:
        value = self._words["value"].format(value=fact["value"]) if fact["value"] is not None else ""
        source = f" [{fact['source']}]" if fact["source"] else ""
        return self._words["fact" if fact["sets"] else "fact_decides"].format(
            where=f"{fact['file']}:{fact['line']}", fact=fact["fact"], value=value, source=source
        )

