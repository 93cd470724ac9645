"""The two forms of a runbook: Markdown and HTML, of one template of texts.

A form is a template of macros (`markdown.j2`, `html.j2`). What comes from the
description or the scripts is data: whatever `{{ }}` prints is escaped by the form's own
rules, here, and never by the care of whoever writes a text.
"""

from __future__ import annotations

import os
import re
from typing import Any

import jinja2
from markupsafe import Markup, escape

from pvegen import catalogue
from pvegen.kept import Bytecode, Kept

_FOLDER = os.path.join(os.path.dirname(__file__), "templates")
_TEXTS = "runbook.j2"

# What Markdown, or the HTML that may stand in it, could take for its own.
_SPECIAL = re.compile(r"[\\`*_\[\]<>#|~]|&(?=[#\w])|^[-+=]")
# What would begin a numbered list.
_NUMBER = re.compile(r"^(\d+)([.)])")


class Forms:
    """Spells out runbooks."""

    def __init__(self) -> None:
        self._kept = Kept()

    def markdown(self, values: dict[str, Any]) -> str:
        """RUNBOOK.md."""
        environment = self._environment(_as_markdown)
        environment.filters |= {"code": code_span, "fenced": fenced, "flat": flat}
        text = environment.get_template(_TEXTS).render(values, form="markdown.j2")
        lines = [line.rstrip() for line in text.strip().splitlines()]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"

    def html(self, values: dict[str, Any]) -> str:
        """runbook.html."""
        environment = self._environment(_as_html)
        environment.filters |= {"flat": flat}
        texts = Markup(environment.get_template(_TEXTS).render(values, form="html.j2"))
        text = environment.get_template("page.j2").render(cluster=values["cluster"], texts=texts)
        return "\n".join(line for line in map(str.strip, text.splitlines()) if line) + "\n"

    def _environment(self, finalize: Any) -> jinja2.Environment:
        return jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            bytecode_cache=Bytecode(self._kept),
            auto_reload=False,
            autoescape=True,
            # What is compiled outlives this version of the escapes.
            optimized=False,
            undefined=jinja2.StrictUndefined,
            finalize=finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )


@jinja2.pass_context
def _as_markdown(_: jinja2.runtime.Context, value: Any) -> Any:
    """What `{{ }}` prints in Markdown: markup as it is, data as plain text in one line."""
    return value if hasattr(value, "__html__") else Markup(plain(value))


@jinja2.pass_context
def _as_html(_: jinja2.runtime.Context, value: Any) -> Any:
    """What `{{ }}` prints in HTML: markup as it is, data as plain text in one line."""
    return value if hasattr(value, "__html__") else escape(catalogue.visible(str(value)))


def plain(value: object) -> str:
    """Data as it may stand in a line of Markdown, wherever in it."""
    text = _SPECIAL.sub(lambda found: "\\" + found[0], catalogue.visible(str(value)))
    return _NUMBER.sub(r"\1\\\2", text)


def code_span(value: object) -> Markup:
    """Data as code in a line; what cannot be that in every place, as text."""
    text = catalogue.visible(str(value))
    return Markup(plain(text)) if re.search(r"[`|]|^\s|\s$|^$", text) else Markup(f"`{text}`")


def fenced(lines: list[str], kind: str, indent: str = "") -> Markup:
    """Lines as a block of code; the fence is longer than any in them."""
    shown = [catalogue.visible(str(line)) for line in lines]
    longest = max((len(found) for line in shown for found in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup("\n".join(f"{indent}{line}" for line in (fence + kind, *shown, fence)))


def flat(markup: Markup | str) -> Markup:
    """Markup in one line."""
    return Markup(" ".join(str(markup).split()))
