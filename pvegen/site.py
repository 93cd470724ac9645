"""A site's own snippets: that each takes the place of one of ours or is included by another of its own.

What is misspelt would otherwise be passed over without a word, and the scripts be
built as if it were not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pvegen import catalogue
from pvegen.nearest import nearest
from pvegen.snippets import snippets_folder

# The folders that hold nothing but snippets; what else a site keeps beside them is its own affair.
_FOLDERS = ("steps", "files", "messages", "runtime")


def faults(site: Path) -> list[str]:
    """What stands in the folder to no use, one line each."""
    texts = catalogue.load().build
    place = Path(snippets_folder())
    ours = {name for name in _listed(place) if (place / name).is_file()}
    found = sorted(_listed(site))
    included = _included(site, found)
    said = []
    for name in found:
        path = site / name
        if path.is_dir() and name not in ours:
            continue
        if not path.is_file():
            said.append(texts["unused_kind"].format(name=catalogue.visible(name)))
        elif not (name in ours or name in included or _is_runtime(name)):
            near = nearest(name, sorted(ours))
            shown = catalogue.visible(name)
            said.append(texts["unused_near"].format(name=shown, near=near) if near else shown)
    return said


def _is_runtime(name: str) -> bool:
    """Whether it becomes part of the runtime, which every file there does."""
    return os.path.dirname(name) == "runtime" and name.endswith(".sh")


def _listed(folder: Path) -> Iterator[str]:
    """All that is in the folders of snippets, but for hidden files, and the shell beside them: paths from here."""
    todo = [name for name in os.listdir(folder) if name in _FOLDERS or name.endswith(".sh")]
    while todo:
        name = todo.pop()
        yield name
        if (folder / name).is_dir():
            todo += [f"{name}/{entry}" for entry in os.listdir(folder / name) if not entry.startswith(".")]


def _included(site: Path, names: list[str]) -> set[str]:
    """The snippets that a site's own ones include; what cannot be parsed is told when it is rendered."""
    import jinja2
    from jinja2 import meta

    from pvegen.render import SYNTAX

    environment = jinja2.Environment(**SYNTAX)
    found: set[str] = set()
    for name in names:
        if not (site / name).is_file() or name.startswith("messages/"):
            continue
        try:
            parsed = environment.parse((site / name).read_text("utf-8"))
        except (jinja2.TemplateError, ValueError):
            continue
        for used in meta.find_referenced_templates(parsed):
            if used is None:  # worked out while rendering: it may be any
                return set(names)
            found.add(used)
    return found
