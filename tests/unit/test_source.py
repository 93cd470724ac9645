"""Places of keys and values: every way in which TOML can write them."""

from __future__ import annotations

import tomllib

import pytest

from pvegen.source import Path, Source

TEXT = '''# Кластер
a.b."c d" = "привет"   # comment
[x.y]
k = {z = 1, q.w = [1, {r = 2}]}
"quoted" = 'text'
[[node]]
name = 'pve1'
[[node.bond]]
nics = ["eth0",   # one
  "eth1"]
[[node.bond]]
nics = []
[[node]]
\tname\t=\t"pve2"
[[node.bond]]
nics = ["eth2"]
long = """
x"""
'''


@pytest.mark.parametrize(
    ("path", "part", "text"),
    [
        (("a", "b", "c d"), "value", '"привет"'),
        (("a", "b", "c d"), "key", '"c d"'),
        (("x", "y"), "value", "[x.y]"),
        (("x", "y", "k", "z"), "value", "1"),
        (("x", "y", "k", "q", "w", 0), "value", "1"),
        (("x", "y", "k", "q", "w", 1, "r"), "value", "2"),
        (("x", "y", "quoted"), "key", '"quoted"'),
        (("node", 0), "value", "[[node]]"),
        (("node", 0, "name"), "value", "'pve1'"),
        (("node", 0, "bond", 0, "nics", 1), "value", '"eth1"'),
        (("node", 0, "bond", 1, "nics"), "value", "[]"),
        (("node", 1, "name"), "key", "name"),
        (("node", 1, "name"), "value", '"pve2"'),
        (("node", 1, "bond", 0, "nics", 0), "value", '"eth2"'),
        (("node", 1, "nic"), "value", "[[node]]"),
    ],
)
def test_place_is_that_of_the_text(path: Path, part: str, text: str) -> None:
    tomllib.loads(TEXT)
    source = Source("x.toml", TEXT)
    place = source.place_of(path, part)
    assert place.line == place.end_line
    assert source.lines[place.line - 1][place.column - 1 : place.end_column - 1] == text


def test_part_of_a_string() -> None:
    source = Source("x.toml", 'ключ = 1\nname = "аbc"\nescaped = "\\u0041b"\n')
    place = source.place_of(("name",), "value", (1, 2))
    assert source.lines[1][place.column - 1 : place.end_column - 1] == "b"
    assert source.place_of(("escaped",), "value", (1, 2)) == source.place_of(("escaped",))


def test_what_stands_nowhere_is_looked_for_around_it() -> None:
    assert Source("x.toml", TEXT).place_of(("nothing", 3, "name"))[:2] == (1, 1)


@pytest.mark.parametrize("text", ["", "[", "[[", "a = ", "]]]]", "a.b.", "= 1", "\ufeff", "[a]\n[a]\n[[a]]"])
def test_text_that_is_no_toml_has_places_too(text: str) -> None:
    assert Source("x.toml", text).place_of(("a", 0, "b")).line == 1 or text.startswith("[a]")
