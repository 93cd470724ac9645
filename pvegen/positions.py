"""Where each key and value of a TOML text stands. tomllib has the values but not their places."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]
Stretch = tuple[int, int, int, int]
Index = dict[Path, tuple[Stretch, Stretch]]

_KEYS = frozenset({"bare_key", "quoted_key", "dotted_key"})
_HEADERS = frozenset({"table", "table_array_element"})


def index(text: str) -> Index:
    """Path -> (where its key stands, where its value stands); rows from 0, columns in bytes.

    A table's value is its header. What stands twice keeps its first place.
    """
    return _Walk().run(text)


def repeated(text: str) -> tuple[Path, Stretch] | None:
    """The first key or table that stands a second time: its path, and where it does so."""
    walk = _Walk()
    walk.run(text)
    return walk.repeats[0] if walk.repeats else None


class _Walk:
    """One pass over a text; found, repeats: what it came upon."""

    def __init__(self) -> None:
        self.found: Index = {}
        self.repeats: list[tuple[Path, Stretch]] = []
        self._lengths: dict[Path, int] = {}
        self._headers: set[Path] = set()

    def run(self, text: str) -> Index:
        tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
        for child in tree.root_node.children:
            if child.type == "pair":
                self._pairs([((), child)])
            elif child.type in _HEADERS:
                here = self._header(child)
                self._pairs([(here, pair) for pair in child.children if pair.type == "pair"])
        return self.found

    def _header(self, table: Node) -> Path:
        """Note a [table] or [[table]]; its path."""
        key = next((c for c in table.children if c.type in _KEYS), None)
        closing = next((c for c in table.children if c.type in ("]", "]]")), None)
        if key is None:
            return ("",)
        header = (*table.start_point, *(closing or key).end_point)
        parts = list(_parts(key))
        here: Path = ()
        for position, (name, node) in enumerate(parts):
            here = (*here, name)
            last = position == len(parts) - 1
            self.found.setdefault(here, (_stretch(node), header))
            if last and table.type == "table_array_element":
                number = self._lengths.get(here, 0)
                self._lengths[here] = number + 1
                here = (*here, number)
                self.found[here] = (_stretch(node), header)
            elif here in self._lengths and not last:
                here = (*here, self._lengths[here] - 1)
        if table.type == "table":
            if here in self._headers:
                self.repeats.append((here, header))
            self._headers.add(here)
        return here

    def _pairs(self, pairs: list[tuple[Path, Node]]) -> None:
        """Note pairs and what their values hold. A list of work instead of recursion: nesting may be deep."""
        todo = list(reversed(pairs))
        while todo:
            here, pair = todo.pop()
            children = [c for c in pair.children if c.is_named and c.type != "comment"]
            if len(children) < 2 or children[0].type not in _KEYS:
                continue
            key, value = children[:2]
            names = list(_parts(key))
            for name, node in names[:-1]:
                here = (*here, name)
                self.found.setdefault(here, (_stretch(node), _stretch(node)))
            name, node = names[-1]
            here = (*here, name)
            if here in self.found:
                self.repeats.append((here, _stretch(node)))
            self.found.setdefault(here, (_stretch(node), _stretch(value)))
            todo.extend(reversed(self._value(here, value)))

    def _value(self, here: Path, value: Node) -> list[tuple[Path, Node]]:
        """Note the items of arrays; the pairs of inline tables, still to be noted."""
        pairs: list[tuple[Path, Node]] = []
        todo = [(here, value)]
        while todo:
            here, value = todo.pop()
            if value.type == "inline_table":
                pairs += [(here, child) for child in value.children if child.type == "pair"]
            elif value.type == "array":
                items = [c for c in value.children if c.is_named and c.type != "comment"]
                for number, item in enumerate(items):
                    self.found[(*here, number)] = (_stretch(item), _stretch(item))
                    todo.append(((*here, number), item))
        return pairs


def _stretch(node: Node) -> Stretch:
    return (*node.start_point, *node.end_point)


def _parts(key: Node) -> Iterator[tuple[str, Node]]:
    """The parts of a key that may be dotted: name, node."""
    stack = [key]
    while stack:
        node = stack.pop()
        if node.type == "dotted_key":
            stack.extend(reversed([c for c in node.children if c.type in _KEYS]))
        else:
            yield _name(node), node


def _name(key: Node) -> str:
    text = (key.text or b"").decode(errors="replace")
    if key.type != "quoted_key":
        return text
    try:
        return next(iter(tomllib.loads(text + " = 0")))
    except tomllib.TOMLDecodeError:
        return text
