"""docs/description.md from the model, docs/errors.md from the catalogue.

`python -m pvegen.reference` writes both anew; a test tells when they are stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from pvegen import catalogue
from pvegen.catalogue import Catalogue
from pvegen.kinds import Kind, ListOf
from pvegen.model import REQUIRED, Description, Key, Table
from pvegen.report import json as json_format

_INTRODUCTION = """\
# The description

One TOML file states a cluster, and `pvegen build FILE` makes one shell script for
each of its nodes. This page lists every key. It is made from the same model that
descriptions are read by (`python -m pvegen.reference`).

The shortest description is a single node, a local installation:

```toml
format = 1

[cluster]
name = "mypve"
target = "alt-p11"
domain = "example.org"
timezone = "Europe/Moscow"

[network]
gateway = "10.0.0.1"

[[node]]
name = "pve1"
address = "10.0.0.251/24"
nic = "eth0"
```

Each further `[[node]]` joins the cluster that the first one creates. What a key
leaves unsaid is derived. `pvegen show FILE` prints the description with all of it
filled in, which builds the same scripts; what has no key (the lines of `/etc/hosts`,
what stands on an interface, the order of running) it says in comments.

`[name]` is a table that stands once, `[[name]]` one of several; `[[node.bond]]`
belongs to the `[[node]]` above it. Names, addresses and keys are plain ASCII without
blanks at their ends, quotes, `$`, back-ticks or backslashes; comments may hold
anything. There is no key for a password, and none for facts of a system: those
belong to the target (`pvegen targets`).

An editor with a TOML language server completes and checks a description that begins
with `#:schema description.schema.json`, the file being what `pvegen schema` prints.
A mistake is told with its line by `pvegen check FILE`; [errors.md](errors.md) has all
of them.
"""


def description_page() -> str:
    """docs/description.md."""
    parts = [_INTRODUCTION]
    for header, kind, doc in _tables():
        parts.append(_section(header, kind, doc))
    return "\n".join(parts)


def _tables() -> Iterator[tuple[str, type[Table], str]]:
    """Every table in order, each followed by those inside it: header, class, what it is."""
    todo: list[tuple[str, str, type[Table], str]] = [("", "", Description, "Above the first header.")]
    while todo:
        header, name, kind, doc = todo.pop(0)
        yield header, kind, doc
        inner = []
        for key, meta in kind.KEYS.items():
            if isinstance(meta.kind, type):
                full = f"{name}.{key}" if name else key
                inner.append((f"[[{full}]]" if meta.many else f"[{full}]", full, meta.kind, meta.doc))
        todo = inner + todo


def _section(header: str, kind: type[Table], doc: str) -> str:
    title = f"`{header}`" if header else "Top of the file"
    lines = [f"## {title}", "", doc, ""]
    values = {name: key for name, key in kind.KEYS.items() if not isinstance(key.kind, type)}
    for name, key in values.items():
        lines += _key(name, key)
    return "\n".join(lines)


def _key(name: str, key: Key) -> list[str]:
    assert not isinstance(key.kind, type)
    return [
        f"### `{name}`",
        "",
        key.doc,
        "",
        f"- Type: {_type(key.kind)}",
        f"- Default: {_default(key)}",
        f"- Example: `{name} = {key.example}`",
        f"- Ends up in: {key.lands}",
        "",
    ]


def _type(kind: Kind | ListOf) -> str:
    if isinstance(kind, ListOf):
        least = f", at least {kind.at_least}" if kind.at_least else ""
        return f"list{least}, of: {kind.item.name}"
    return kind.name


def _default(key: Key) -> str:
    if key.default is REQUIRED:
        return "none, the key is required"
    if key.default not in (None, ()):
        return f"`{json.dumps(key.default)}`"
    empty = "none" if key.default is None else "`[]`"
    return f"{empty}; {key.derived}" if key.derived else empty


def errors_page(texts: Catalogue) -> str:
    """docs/errors.md."""
    lines = [
        "# Mistakes that `pvegen check` tells",
        "",
        "Each has a code that never changes its meaning. Codes from PVE900 on are warnings:",
        "they stop a build only with `--strict`. `pvegen explain CODE` prints the same text.",
        "In the messages, words in braces stand for what the description holds. This page is",
        "made from the catalogue, `pvegen/messages/en.toml` (`python -m pvegen.reference`).",
        "",
        "`--format` chooses how they are reported: `text` for people, `github` and `sarif` (2.1.0) for",
        "services that show them beside a change, and `json`:",
        "",
        "```text",
        (json_format.__doc__ or "").strip(),
        "```",
        "",
    ]
    for code in texts.codes:
        entry = texts.entry(code)
        lines += [f"## {code}: {entry.title}", "", f"> {entry.what}", ">"]
        lines += [f"> {line}".rstrip() for line in entry.do.strip().splitlines()]
        lines += ["", "```text", entry.explain.strip(), "```", ""]
    return "\n".join(lines)


def pages() -> dict[str, str]:
    """All generated pages: name in docs/ -> text."""
    return {"description.md": description_page(), "errors.md": errors_page(catalogue.load("en"))}


def main(folder: Path) -> None:
    """Write all pages into a folder."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
