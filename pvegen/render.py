"""Scripts from plans: the snippets spelled out, the runtime cut to what is called.

Snippets are Jinja templates. Whatever they print is quoted by its type
(`quote`): a snippet cannot forget to. Messages come from the catalogue of the
snippets, `messages/<language>.toml`.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from pvegen import __version__, quote
from pvegen.plan import Script, Step

_FUNCTION = re.compile(r"^([a-z_][a-z0-9_]*)\(\) \{$")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Rendered:
    """A script: its node, its text, the text with data marked, and where lines are from.

    origins: (first line, snippet) pairs in ascending order.
    """

    node: str
    text: str
    shape: str
    origins: list[tuple[int, str]]

    def origin(self, line: int) -> str:
        """The snippet that a line of the script comes from."""
        found = "script.sh"
        for first, snippet in self.origins:
            if first > line:
                break
            found = snippet
        return found


class Renderer:
    """Spells out scripts from one set of snippets, in one language."""

    def __init__(self, site: Path | None = None, language: str = "en") -> None:
        """site: a folder whose snippets stand in for ours of the same name."""
        self._folders = ([site] if site else []) + [snippets_folder()]
        self._messages = self._read_messages(language)
        self._environment = self._make_environment()

    def _read_messages(self, language: str) -> dict[str, str]:
        """The catalogue, a site's own messages over ours."""
        messages: dict[str, str] = {}
        for folder in reversed(self._folders):
            path = folder / "messages" / f"{language}.toml"
            if path.exists():
                messages.update(tomllib.loads(path.read_text("utf-8")))
        return messages

    def _make_environment(self) -> jinja2.Environment:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._folders),
            bytecode_cache=_bytecode_cache(),
            auto_reload=False,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            undefined=jinja2.StrictUndefined,
            # The shell has {# itself, in ${#name}.
            comment_start_string="{!#",
            comment_end_string="#!}",
            finalize=_finalize,
        )
        environment.globals |= {"m": self.message, "t": self.words, "v": quote.Expansion}
        environment.filters |= {
            "string": quote.string,
            "heredoc": quote.heredoc,
            "comment": quote.comment,
            "sh": quote.Sh,
        }
        return environment

    def message(self, name: str, /, **values: object) -> quote.Sh:
        """A message of the catalogue as one shell word."""
        return quote.message(self._messages[name], values)

    def words(self, name: str, /, **values: object) -> quote.Data:
        """A message of the catalogue as plain text."""
        shown = {k: ", ".join(v) if isinstance(v, list) else v for k, v in values.items()}
        return quote.Data(self._messages[name].format_map(shown))

    def script(self, script: Script) -> Rendered:
        """Spell out one node's script."""
        values = quote.data(script.values)
        steps = [self._step(step, values) for step in script.steps]
        calls = (["keys"] if values["is_cluster"] else []) + (["admit", "close"] if values["admits"] else [])
        usage = self._usage(script, calls)
        values |= {
            "version": quote.Data(__version__),
            "steps": steps,
            "step_names": " ".join(step.name for step in script.steps),
            "usage": usage,
        }
        own = self._render("script.sh", **values)
        runtime = [
            (name, self._render(name, usage_text=usage, extra_calls=quote.Sh("".join(f" | {c}" for c in calls))))
            for name in self._runtime_names
        ]
        pieces = _needed(own, runtime)
        head, tail = own.split("@runtime@\n")
        head = _without_unused(head, "".join(text for _, text in pieces) + tail)
        marked = head + "".join(text for _, text in pieces) + tail
        origins = _origins(head, steps, pieces)
        return Rendered(script.node, quote.plain(marked), quote.shape(marked), origins)

    def _step(self, step: Step, common: dict[str, Any]) -> dict[str, Any]:
        """One step's function, its title and what the reader is told about it."""
        values = common | quote.data(step.values)
        if step.name == "time":
            values["server_lines"] = {
                unit: quote.Data(self._file(f"files/{unit}.conf", **values)) for unit, _ in values["config_of"]
            }
        title = f"step.{step.snippet}.title"
        plain = {k: v for k, v in values.items() if isinstance(v, (str, int))}
        return {
            "name": step.name,
            "function": step.name.replace("-", "_"),
            "snippet": f"steps/{step.snippet}.sh",
            "text": quote.Sh(self._render(f"steps/{step.snippet}.sh", **values)),
            "title_word": self.message(title, **plain),
            "why": self.words(f"step.{step.snippet}.why", **plain),
        }

    def _usage(self, script: Script, calls: list[str]) -> str:
        """The usage: calls and options that this script knows."""
        shown = ["check", "apply", "verify", *calls, "steps", "help"]
        shown = [call for call in shown if call != "close"]
        name = f"{script.node}.sh"
        lines = []
        for call in shown:
            text = self.words(f"usage.{call}", minutes=script.values["open_minutes"])
            lines.append(f"  sh {name} {call:<7} {text}")
        for option in ("only", "quiet", "overwrite"):
            lines.append("  " + self.words(f"usage.option_{option}"))
        return "\n".join([self.words("usage.head"), *lines]) + "\n"

    def _file(self, name: str, **values: Any) -> str:
        """A configuration file's text: data goes in as it is, one line each."""
        environment = self._environment.overlay(finalize=_finalize_line)
        return environment.get_template(name).render(**values)

    def _render(self, name: str, **values: Any) -> str:
        return self._environment.get_template(name).render(**values)

    @cached_property
    def _runtime_names(self) -> list[str]:
        found = {path.name for folder in self._folders for path in (folder / "runtime").glob("*.sh")}
        return [f"runtime/{name}" for name in sorted(found)]


def snippets_folder() -> Path:
    """Our snippets: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "snippets", package.parent / "snippets"):
        if (folder / "script.sh").exists():
            return folder
    raise FileNotFoundError("pvegen was installed without its snippets")


def _bytecode_cache() -> jinja2.BytecodeCache | None:
    """Compiled templates are kept in the user's cache folder, if there can be one."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(base) / "pvegen" / "templates"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or not os.access(folder, os.W_OK):
            return None
    except OSError:
        return None
    return jinja2.FileSystemBytecodeCache(str(folder))


def _finalize(value: Any) -> str:
    """What `{{ }}` prints in a script: shell text as it is, all else quoted."""
    if isinstance(value, jinja2.Undefined):
        return str(value)
    return quote.word(value)


def _finalize_line(value: Any) -> str:
    """What `{{ }}` prints in a configuration file: the text, which must be one line."""
    if isinstance(value, jinja2.Undefined):
        return str(value)
    text = str(value)
    if not text.isprintable():
        raise ValueError(f"control character in {text!r}")
    return text


def _functions(text: str) -> list[tuple[str, str]]:
    """A runtime file as (function name, text) pairs; text that is in no function has
    the name "". A comment right above a function belongs to it."""
    parts: list[tuple[str, str]] = []
    lines: list[str] = []
    name = ""
    for line in text.splitlines(keepends=True):
        started = _FUNCTION.match(line.rstrip("\n"))
        if started and not name:
            name = started.group(1)
        lines.append(line)
        if (name and line == "}\n") or (not name and line == "\n"):
            parts.append((name, "".join(lines)))
            lines, name = [], ""
    parts.append((name, "".join(lines)))
    return [(name, text) for name, text in parts if text.strip()]


def _calls(text: str) -> set[str]:
    """All words of a text that could be names of functions, comments left out."""
    return {word for line in text.splitlines() if not line.lstrip().startswith("#") for word in _NAME.findall(line)}


def _needed(own: str, runtime: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The runtime's (file, text) pairs cut to the functions that the script can reach."""
    parsed = [(name, _functions(text)) for name, text in runtime]
    body = {function: text for _, functions in parsed for function, text in functions if function}
    reached: set[str] = set()
    waiting = _calls(quote.plain(own)) & body.keys()
    while waiting:
        function = waiting.pop()
        reached.add(function)
        waiting |= (_calls(body[function]) & body.keys()) - reached
    pieces = []
    for name, functions in parsed:
        kept = [text for function, text in functions if function in reached]
        if kept:
            heads = [text for function, text in functions if not function]
            pieces.append((name, "\n".join(part.strip("\n") + "\n" for part in heads + kept) + "\n"))
    return pieces


_ASSIGNED = re.compile(r"^([a-z_]+)=.*\n", re.MULTILINE)


def _without_unused(head: str, rest: str) -> str:
    """The head without the variables that this script has no use for."""
    while True:
        for found in _ASSIGNED.finditer(head):
            if found.group(1) != "eol" and not re.search(rf"\$\{{?{found.group(1)}\b", head + rest):
                head = head[: found.start()] + head[found.end() :]
                break
        else:
            return head


def _origins(head: str, steps: list[dict[str, Any]], pieces: list[tuple[str, str]]) -> list[tuple[int, str]]:
    """Where each part of a script begins, and the snippet that it is from."""
    origins = [(1, "script.sh")]
    for step in steps:
        at = head.find(step["text"])
        first = head.count("\n", 0, at) + 1
        origins.append((first, step["snippet"]))
        origins.append((first + step["text"].count("\n"), "script.sh"))
    line = head.count("\n") + 1
    for name, text in pieces:
        origins.append((line, name))
        line += text.count("\n")
    return [*sorted(origins), (line, "script.sh")]
