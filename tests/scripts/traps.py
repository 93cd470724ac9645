"""The table of what a node script refuses: traps.toml, and the tests that are marked with its items."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "safety.md"
BEGIN, END = "<!-- refusals: begin -->\n", "<!-- refusals: end -->\n"


def items() -> dict[str, dict[str, str]]:
    """{item: {"wrong": ..., "ours": ...}} in the order of the file."""
    return {name: item for name, item in _data().items() if name != "groups"}


def _data() -> dict[str, dict[str, str]]:
    return tomllib.loads((HERE / "traps.toml").read_text("utf-8"))


@functools.cache
def guards() -> dict[str, list[str]]:
    """{item: tests that are marked with it}, a test as FILE::NAME."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for item in _marks(node):
                    found[item].append(f"{path.name}::{node.name}")
    return found


def _marks(function: ast.FunctionDef) -> list[str]:
    """The items of a test's mark."""
    calls = [mark for mark in function.decorator_list if isinstance(mark, ast.Call)]
    marks = [call for call in calls if ast.unparse(call.func) == "pytest.mark.trap"]
    return [str(ast.literal_eval(word)) for mark in marks for word in mark.args]


def table() -> str:
    """The tables of the page, one for each group."""
    tests, lines = guards(), []
    for letter, headline in _data()["groups"].items():
        lines += [f"### {headline}", "", "| | What goes wrong | What our script does | Tests |", "|---|---|---|---|"]
        for name, item in items().items():
            if re.sub(r"\d+$", "", name) == letter:
                named = "<br>".join(f"`{test}`" for test in tests[name])
                lines.append(f"| {name} | {item['wrong']} | {item['ours']} | {named} |")
        lines.append("")
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with its table as it is to be; ValueError where its two lines of begin and end are missing."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has no lines {BEGIN}{END}")
    return f"{head}{begin}\n{table()}\n{end}{tail}"
