"""Scripts from plans: the snippets spelled out, the runtime cut to what is called.

Snippets are Jinja templates. Whatever they print is quoted by its type
(`quote`): a snippet cannot forget to.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2

from pvegen import __version__, quote
from pvegen.kept import Bytecode, Kept
from pvegen.plan import Script, Step
from pvegen.runtime import File, Piece, Runtime, parsed, variables
from pvegen.snippets import Messages, SnippetError, content, key, snippets_folder

if TYPE_CHECKING:
    from pvegen.lines import Line

# How snippets are written. The shell has {# itself, in ${#name}.
SYNTAX: dict[str, Any] = {
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
    "comment_start_string": "{!#",
    "comment_end_string": "#!}",
}

# The one file of the runtime that differs from script to script, by the calls that a script knows.
_MAIN = "runtime/10-main.sh"
_RUNTIME = "\n@runtime@\n"
# The calls that not every script knows, and by which of its values it does.
_CALLS = {"keys": "has_trust", "fingerprint": "fingerprints", "admit": "admits", "close": "admits"}
_ASSIGNED = re.compile(r"^([a-z_]+)=.*\n", re.MULTILINE)

# What stands for a script's digest until the rest of it is known.
_NO_DIGEST = "0" * 64


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

    def __init__(
        self, site: str | os.PathLike[str] | None = None, language: str = "en", *, marked: bool = False
    ) -> None:
        """Raises SnippetError.

        site: a folder whose snippets stand in for ours of the same name; marked: the snippets print
        what `lines` reads, for `printed` alone.
        """
        self._site = os.fspath(site) if site else None
        self._language = language
        self._folders = ([self._site] if self._site else []) + [snippets_folder()]
        self._kept = Kept()
        self._messages = Messages(self._folders, language, self._kept)
        self._runtimes: dict[tuple[str, str, bool], Runtime] = {}
        self._environment = self._make_environment(_finalize, marked=marked)
        self._files = self._make_environment(_finalize_line)

    def _error(self, name: str, line: int, why: str) -> SnippetError:
        """What is wrong with a snippet, which is a site's own if there is one of its name."""
        of_site = self._site is not None and os.path.exists(os.path.join(self._site, name))
        return SnippetError(name, line, why, of_site=of_site)

    def _make_environment(self, finalize: Any, *, marked: bool = False) -> jinja2.Environment:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._folders),
            bytecode_cache=None if marked else Bytecode(self._kept),
            extensions=["pvegen.lines.Marks"] if marked else [],
            auto_reload=False,
            autoescape=False,
            # Nothing of `quote` may be worked out ahead: what is compiled outlives this version of it.
            optimized=False,
            undefined=jinja2.StrictUndefined,
            finalize=finalize,
            **SYNTAX,
        )
        environment.globals |= {"m": self._messages.word, "t": self._messages.words, "v": quote.expansion}
        environment.filters |= {
            "string": quote.string,
            "heredoc": quote.heredoc,
            "comment": quote.comment,
            "sh": quote.shell,
        }
        return environment

    def script(self, script: Script) -> Rendered:
        """Spell out one node's script. Raises SnippetError."""
        own, steps = self._own(script)
        # The last such line is the frame's own, whatever data may hold.
        head, mark, tail = own.rpartition(_RUNTIME)
        if not mark:
            raise self._error("script.sh", 0, "has no line @runtime@")
        head += "\n"
        runtime = self._runtime(script).cut(quote.plain(head + tail))
        head = _without_unused(head, runtime.variables | variables(tail))
        text = quote.plain(head) + runtime.text + quote.plain(tail)
        if text.split("\n", 2)[1:2] != [f"digest='{_NO_DIGEST}'"]:
            raise self._error("script.sh", 2, "the second line is not digest={{ digest | string }}")
        text = signed(text)
        return Rendered(script.node, text, head + tail, runtime.text, _origins(head, steps, runtime.pieces))

    def _own(self, script: Script) -> tuple[str, list[dict[str, Any]]]:
        """A script's own part with @runtime@ where the rest is to stand, and its steps."""
        values = quote.data(script.values)
        steps = [self._step(step, values) for step in script.steps]
        values |= {
            "version": quote.Data(__version__),
            "steps": steps,
            "step_names": " ".join(step.name for step in script.steps),
            "usage_text": self._usage(script),
            "digest": quote.Data(_NO_DIGEST),
        }
        return self._render("script.sh", values), steps

    def printed(self, script: Script, snippet: str = "script.sh") -> list[Line]:
        """What the snippets print for a script, or one file of the runtime for it, each line with where it is from.

        A script has most of that: not the variables that it has no use for, nor the functions. Raises SnippetError.
        """
        from pvegen.lines import read

        marked = Renderer(self._site, self._language, marked=True)
        if snippet == "script.sh":
            made, _ = marked._own(script)
        else:
            made = marked._render(snippet, _values_of(snippet, script))
        return read(quote.plain(made))

    def told(self, script: Script, name: str) -> tuple[str, str]:
        """The title of a step and its reason, as a script says them. Raises SnippetError."""
        step = next(step for step in script.steps if step.name == name)
        plain = {k: v for k, v in (script.values | step.values).items() if isinstance(v, (str, int))}
        title, why = (self._messages.words(f"step.{step.snippet}.{part}", **plain) for part in ("title", "why"))
        return title, why

    def _runtime(self, script: Script) -> Runtime:
        """The runtime for scripts that know the same calls, where the network is the same
        manager's, of nodes that join through the API or not; it holds no data."""
        main_values, manager = _values_of(_MAIN, script), script.values["manager"]
        extra, by_api = main_values["extra_calls"], main_values["by_api"]
        if (extra, manager, by_api) not in self._runtimes:
            main = parsed(_MAIN, quote.plain(self._render(_MAIN, main_values)))
            names = [name for name in self._names if name.count("/") == 1 or name.split("/")[1] == manager]
            files = [main if name == _MAIN else self._same[name] for name in names]
            self._runtimes[extra, manager, by_api] = Runtime(files)
        return self._runtimes[extra, manager, by_api]

    @cached_property
    def _same(self) -> dict[str, File]:
        """The files of the runtime that are the same in all scripts, by name.

        They depend on their snippets, the messages, and the modules that make them.
        """
        names = [name for name in self._names if name != _MAIN]
        package = os.path.dirname(os.path.abspath(__file__))
        paths = [self._find(name) for name in names]
        paths += [os.path.join(package, name) for name in ("quote.py", "runtime.py", "render.py", "snippets.py")]
        source = b"\0".join([*self._messages.sources, *map(content, paths)])
        made = self._kept.get(
            key(*self._folders), source,
            lambda: [tuple(parsed(name, quote.plain(self._render(name, {})))) for name in names],
        )  # fmt: skip
        return {file[0]: File(*file) for file in made}

    def _find(self, name: str) -> str:
        """Where a snippet stands: a site's own, else ours."""
        paths = [os.path.join(folder, name) for folder in self._folders]
        return next(path for path in paths if os.path.exists(path))

    @cached_property
    def _names(self) -> list[str]:
        """The files of the runtime, in order; those in a folder are for the network
        manager of its name."""
        found = {
            f"{folder}/{name}"
            for place in self._folders
            for folder in ("runtime", "runtime/etcnet", "runtime/ifupdown2")
            for name in _listed(os.path.join(place, folder))
            if name.endswith(".sh")
        }
        return sorted(found, key=os.path.basename)

    def _step(self, step: Step, common: dict[str, Any]) -> dict[str, Any]:
        """One step's function, its title and what the reader is told about it."""
        values = common | quote.data(step.values)
        if step.name == "time":
            values["server_lines"] = {unit: self._file(f"files/{unit}.conf", values) for unit, _ in values["config_of"]}
        name, function = f"steps/{step.snippet}.sh", step.name.replace("-", "_")
        text = self._render(name, values)
        if not re.search(rf"^step_{function}\s*\(\)", text, re.MULTILINE):
            raise self._error(name, 0, f"does not define step_{function}()")
        title = f"step.{step.snippet}.title"
        plain = _plain(values)
        return {
            "name": step.name,
            "function": function,
            "snippet": name,
            "text": quote.Sh(text),
            "title_word": self._messages.word(title, **plain),
            "why": self._messages.words(f"step.{step.snippet}.why", **plain),
        }

    def _usage(self, script: Script) -> str:
        """The usage: calls and options that this script knows."""
        calls = self.calls(script)
        width = max(len(call) for call, _ in calls)
        lines = [f"  sh {script.node}.sh {call:<{width}} {text}" for call, text in calls]
        lines += [f"  {text}" for text in self.options(script)]
        return "\n".join([self._messages.words("usage.head"), *lines]) + "\n"

    def calls(self, script: Script) -> list[tuple[str, str]]:
        """The calls that a script knows, and what the usage says of each."""
        shown = ["check", "apply", "verify", "confirm", "rollback", *_further_calls(script), "steps", "help"]
        return [(call, self.words(f"usage.{call}", minutes=script.values["open_minutes"])) for call in shown]

    def options(self, script: Script) -> list[str]:
        """The options that a script knows, as the usage says them: name, blanks, text."""
        options = ["only", "from", "quiet", "receipt", "overwrite", "within", "confirm", "activate"]
        options += ["fingerprint", "password_fd"] if script.values["by_api"] else []
        return [self.words(f"usage.option_{option}") for option in options]

    def title(self, script: Script, step: Step) -> str:
        """A step's title, as a run of the script says it."""
        return self.words(f"step.{step.snippet}.title", **_plain(script.values | step.values))

    def words(self, name: str, /, **values: object) -> str:
        """What the scripts say by this name. Raises KeyError where there is no such message."""
        return str(self._messages.words(name, **values))

    @property
    def said(self) -> dict[str, frozenset[str]]:
        """The names of all that scripts can say, and what each has to be filled in with."""
        return self._messages.fields

    def _render(self, name: str, values: dict[str, Any]) -> str:
        """A snippet with its values; data is marked, but in configuration files, which are data as a whole."""
        environment = self._files if name.startswith("files/") else self._environment
        try:
            return environment.get_template(name).render(values)
        except SnippetError:
            raise
        except Exception as error:  # a snippet is a program: it can fail in any way
            raise self._error(*self._blamed(error, name), _why(error)) from error

    def _file(self, name: str, values: dict[str, Any]) -> quote.Data:
        """A configuration file, which must be text that a script can carry."""
        text = quote.Data(self._render(name, values))
        try:
            quote.heredoc(text)
        except ValueError as error:
            raise self._error(name, 0, str(error)) from error
        return text

    def _blamed(self, error: Exception, name: str) -> tuple[str, int]:
        """The snippet and the line at which rendering a snippet failed: a site's own, if one has part in it."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            return error.name or name, error.lineno
        import traceback

        frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
        for folder in self._folders:
            start = os.path.join(folder, "")
            for path, line in reversed(frames):
                if path.startswith(start):
                    return path.removeprefix(start), line
        return name, 0


def _further_calls(script: Script) -> list[str]:
    """The calls of a script that not every script knows."""
    return [call for call, value in _CALLS.items() if script.values[value]]


def _values_of(runtime: str, script: Script) -> dict[str, Any]:
    """What a file of the runtime is rendered with: all but one are the same in all scripts."""
    extra = quote.Sh("".join(f" | {call}" for call in _further_calls(script)))
    return {"extra_calls": extra, "by_api": script.values["by_api"]} if runtime == _MAIN else {}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """What of a step's values a message can name."""
    return {name: value for name, value in values.items() if isinstance(value, (str, int))}


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


def _why(error: Exception) -> str:
    """What is wrong, in a few words."""
    if type(error) is KeyError:
        return f"no message {error}"
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no snippet {error.name}"
    if isinstance(error, RecursionError):
        return "includes itself without end"
    return str(error) or type(error).__name__


def signed(text: str) -> str:
    """The script with the digest of all its other lines in its second line."""
    first, _, rest = text.split("\n", 2)
    digest = hashlib.sha256(f"{first}\n{rest}".encode()).hexdigest()
    return f"{first}\ndigest='{digest}'\n{rest}"


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
