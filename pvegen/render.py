"""Scripts from plans: the snippets spelled out, the runtime cut to what is called.

Snippets are Jinja templates. Whatever they print is quoted by its type
(`quote`): a snippet cannot forget to. Messages come from the catalogue of the
snippets, `messages/<language>.toml`.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import jinja2

from pvegen import __version__, quote
from pvegen.kept import Bytecode, Kept
from pvegen.plan import Script, Step
from pvegen.runtime import File, Piece, Runtime, parsed, variables

# The one file of the runtime that differs from script to script, by the calls that a script knows.
_MAIN = "runtime/10-main.sh"
_RUNTIME = "\n@runtime@\n"
_ASSIGNED = re.compile(r"^([a-z_]+)=.*\n", re.MULTILINE)


class SnippetError(Exception):
    """A snippet or a catalogue that cannot be used.

    name: the file below the snippets' folder; line: 0 where none is to blame; why: what is wrong with it.
    """

    def __init__(self, name: str, line: int, why: str) -> None:
        super().__init__(f"snippets/{name}{f':{line}' if line else ''}: {why}")
        self.name = name


class Rendered(NamedTuple):
    """A script.

    own: its own part, with data marked; runtime: the rest; origins: (first line,
    snippet) pairs in ascending order.
    """

    node: str
    text: str
    own: str
    runtime: str
    origins: list[tuple[int, str]]

    @property
    def shape(self) -> str:
        """A digest of what ShellCheck can see of the script; see `quote.shape`."""
        return hashlib.sha256(quote.shape(self.own).encode() + self.runtime.encode()).hexdigest()

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

    def __init__(self, site: str | os.PathLike[str] | None = None, language: str = "en") -> None:
        """site: a folder whose snippets stand in for ours of the same name. Raises SnippetError."""
        self._folders = ([os.fspath(site)] if site else []) + [snippets_folder()]
        self._kept = Kept()
        self._catalogues = self._read_catalogues(f"messages/{language}.toml")
        self._messages = self._parse_catalogues()
        self._runtimes: dict[str, Runtime] = {}
        self._environment = self._make_environment(_finalize)
        self._files = self._make_environment(_finalize_line)

    def _read_catalogues(self, name: str) -> list[tuple[str, bytes]]:
        """The messages' files and what they hold, a site's own after ours."""
        paths = [os.path.join(folder, name) for folder in reversed(self._folders)]
        return [(path, _content(path)) for path in paths if os.path.exists(path)]

    def _parse_catalogues(self) -> dict[str, str]:
        """The messages by name."""
        messages: dict[str, str] = {}
        for path, content in self._catalogues:
            try:
                messages |= self._kept.get(_key(path), content, lambda: tomllib.loads(content.decode()))  # noqa: B023
            except ValueError as error:
                raise SnippetError("messages/" + os.path.basename(path), 0, str(error)) from error
        return messages

    def _make_environment(self, finalize: Any) -> jinja2.Environment:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._folders),
            bytecode_cache=Bytecode(self._kept),
            auto_reload=False,
            autoescape=False,
            # Nothing of `quote` may be worked out ahead: what is compiled outlives this version of it.
            optimized=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            undefined=jinja2.StrictUndefined,
            # The shell has {# itself, in ${#name}.
            comment_start_string="{!#",
            comment_end_string="#!}",
            finalize=finalize,
        )
        environment.globals |= {"m": self.message, "t": self.words, "v": quote.expansion}
        environment.filters |= {
            "string": quote.string,
            "heredoc": quote.heredoc,
            "comment": quote.comment,
            "sh": quote.shell,
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
        """Spell out one node's script. Raises SnippetError."""
        values = quote.data(script.values)
        steps = [self._step(step, values) for step in script.steps]
        calls = (["keys"] if values["is_cluster"] else []) + (["admit", "close"] if values["admits"] else [])
        values |= {
            "version": quote.Data(__version__),
            "steps": steps,
            "step_names": " ".join(step.name for step in script.steps),
            "usage_text": self._usage(script, calls),
        }
        own = self._render("script.sh", values)
        # The last such line is the frame's own, whatever data may hold.
        head, mark, tail = own.rpartition(_RUNTIME)
        if not mark:
            raise SnippetError("script.sh", 0, "has no line @runtime@")
        head += "\n"
        runtime = self._runtime(calls).cut(quote.plain(head + tail))
        head = _without_unused(head, runtime.variables | variables(tail))
        text = quote.plain(head) + runtime.text + quote.plain(tail)
        return Rendered(script.node, text, head + tail, runtime.text, _origins(head, steps, runtime.pieces))

    def _runtime(self, calls: list[str]) -> Runtime:
        """The runtime for scripts that know these calls; it holds no data."""
        extra = quote.Sh("".join(f" | {call}" for call in calls))
        if extra not in self._runtimes:
            main = parsed(_MAIN, quote.plain(self._render(_MAIN, {"extra_calls": extra})))
            self._runtimes[extra] = Runtime([main if name == _MAIN else self._same[name] for name in self._names])
        return self._runtimes[extra]

    @cached_property
    def _same(self) -> dict[str, File]:
        """The files of the runtime that are the same in all scripts, by name.

        They depend on their snippets, the messages, and the modules that make them.
        """
        names = [name for name in self._names if name != _MAIN]
        package = os.path.dirname(os.path.abspath(__file__))
        paths = [self._find(name) for name in names]
        paths += [os.path.join(package, name) for name in ("quote.py", "runtime.py", "render.py")]
        source = b"\0".join([*(content for _, content in self._catalogues), *map(_content, paths)])
        made = self._kept.get(
            _key(*self._folders), source,
            lambda: [tuple(parsed(name, quote.plain(self._render(name, {})))) for name in names],
        )  # fmt: skip
        return {file[0]: File(*file) for file in made}

    def _find(self, name: str) -> str:
        """Where a snippet stands: a site's own, else ours."""
        paths = [os.path.join(folder, name) for folder in self._folders]
        return next(path for path in paths if os.path.exists(path))

    @cached_property
    def _names(self) -> list[str]:
        """The files of the runtime, in order."""
        found = {name for folder in self._folders for name in _listed(os.path.join(folder, "runtime"))}
        return [f"runtime/{name}" for name in sorted(found) if name.endswith(".sh")]

    def _step(self, step: Step, common: dict[str, Any]) -> dict[str, Any]:
        """One step's function, its title and what the reader is told about it."""
        values = common | quote.data(step.values)
        if step.name == "time":
            values["server_lines"] = {
                unit: quote.Data(self._render(f"files/{unit}.conf", values)) for unit, _ in values["config_of"]
            }
        title = f"step.{step.snippet}.title"
        plain = {k: v for k, v in values.items() if isinstance(v, (str, int))}
        return {
            "name": step.name,
            "function": step.name.replace("-", "_"),
            "snippet": f"steps/{step.snippet}.sh",
            "text": quote.Sh(self._render(f"steps/{step.snippet}.sh", values)),
            "title_word": self.message(title, **plain),
            "why": self.words(f"step.{step.snippet}.why", **plain),
        }

    def _usage(self, script: Script, calls: list[str]) -> str:
        """The usage: calls and options that this script knows."""
        shown = ["check", "apply", "verify", *calls, "steps", "help"]
        name = f"{script.node}.sh"
        lines = []
        for call in shown:
            text = self.words(f"usage.{call}", minutes=script.values["open_minutes"])
            lines.append(f"  sh {name} {call:<7} {text}")
        for option in ("only", "from", "quiet", "overwrite"):
            lines.append("  " + self.words(f"usage.option_{option}"))
        return "\n".join([self.words("usage.head"), *lines]) + "\n"

    def _render(self, name: str, values: dict[str, Any]) -> str:
        """A snippet with its values; data is marked, but in configuration files, which are data as a whole."""
        environment = self._files if name.startswith("files/") else self._environment
        try:
            return environment.get_template(name).render(values)
        except (jinja2.TemplateError, KeyError, TypeError, ValueError) as error:
            line = getattr(error, "lineno", None) or _line_of(error, name)
            why = f"no message {error}" if type(error) is KeyError else str(error) or type(error).__name__
            raise SnippetError(getattr(error, "name", None) or name, line, why) from error


def snippets_folder() -> str:
    """Our snippets: inside the installed package, or beside it in a checkout."""
    package = os.path.dirname(os.path.abspath(__file__))
    for folder in (os.path.join(package, "snippets"), os.path.join(os.path.dirname(package), "snippets")):
        if os.path.exists(os.path.join(folder, "script.sh")):
            return folder
    raise FileNotFoundError("pvegen was installed without its snippets")


def _key(*paths: str) -> str:
    """A name for what is made of these places."""
    return hashlib.sha256("\0".join(map(os.path.abspath, paths)).encode(errors="surrogateescape")).hexdigest()[:40]


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


@jinja2.pass_context
def _finalize(_: jinja2.runtime.Context, value: Any) -> str:
    """What `{{ }}` prints in a script: shell text as it is, all else quoted."""
    if isinstance(value, jinja2.Undefined):
        return str(value)
    return quote.word(value)


@jinja2.pass_context
def _finalize_line(_: jinja2.runtime.Context, value: Any) -> str:
    """What `{{ }}` prints in a configuration file: the text, which must be one line."""
    text = str(value)
    if not text.isprintable():
        raise ValueError(f"control character in {text!r}")
    return text


def _line_of(error: Exception, name: str) -> int:
    """The line of a snippet at which an exception was raised; 0 if it was not there."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 0 for f in reversed(frames) if f.filename.endswith(os.sep + name)), 0)


def _without_unused(head: str, used: set[str]) -> str:
    """The head without those of its first variables that this script has no use for."""
    end = head.find("() {\n")
    while True:
        all_used = used | variables(head)
        for found in _ASSIGNED.finditer(head, 0, end):
            if found.group(1) not in all_used:
                head = head[: found.start()] + head[found.end() :]
                end -= len(found.group())
                break
        else:
            return head


def _origins(head: str, steps: list[dict[str, Any]], pieces: list[Piece]) -> list[tuple[int, str]]:
    """Where each part of a script begins, and the snippet that it is from."""
    return [(1, "script.sh"), *_starts(head, steps), *_runtime_starts(head.count("\n") + 1, pieces)]


def _starts(head: str, steps: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Where the steps begin, and where the frame goes on after each."""
    at, line = 0, 1
    for step in steps:
        start = head.find(step["text"], at)
        line += head.count("\n", at, start)
        yield line, step["snippet"]
        at = start + len(step["text"])
        line += step["text"].count("\n")
        yield line, "script.sh"


def _runtime_starts(line: int, pieces: list[Piece]) -> Iterator[tuple[int, str]]:
    """Where the runtime's files begin, the first at a line, and what comes after them."""
    for piece in pieces:
        yield line, piece.name
        line += piece.text.count("\n")
    yield line, "script.sh"
