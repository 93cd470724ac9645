"""Whatever a file holds: a report or none, never a traceback."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvegen import errors
from pvegen.main import run
from pvegen.model import Description, Table

ROOT = Path(__file__).parent.parent.parent
GOOD = [
    path.read_text("utf-8")
    for path in [*(ROOT / "examples").glob("*.toml"), *(ROOT / "tests" / "mistakes").glob("*.toml")]
]
COMMANDS = [["check"], ["check", "--format", "json"], ["check", "--format", "sarif"], ["show"]]
# The same cases each time in CI, new ones on the desk.
QUIET = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=os.environ.get("CI") == "true",
    database=None,
)


def statuses(data: bytes, command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.toml")
        Path(path).write_bytes(data)
        return errors.guarded(run, [*command, path])


def names(kind: type[Table] = Description) -> set[str]:
    found = set(kind.KEYS)
    for key in kind.KEYS.values():
        if isinstance(key.kind, type):
            found |= names(key.kind)
    return found


TEXTS = st.one_of(
    st.sampled_from(
        [
            "pve1",
            "eth0",
            "vmbr0",
            "vmbr0.10",
            "bond0",
            "keep",
            "10.0.0.1",
            "10.0.0.1/24",
            "fd00::1/64",
            "0.0.0.0/0",
            "alt-p8",
            "alt-p11",
            "2-4094",
            "9-1",
            "::/0",
            "10.0.0.0/8",
            "",
        ]
    ),
    st.text(max_size=20),
)
SCALARS = st.one_of(
    TEXTS, st.integers(), st.booleans(), st.floats(), st.dates(), st.times(), st.sampled_from([0, 1, 10, 1500, 9000])
)
KEYS = st.one_of(st.sampled_from(sorted(names())), st.text(max_size=10))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


def table(kind: type[Table]) -> st.SearchStrategy[dict[str, object]]:
    """Tables with the right keys and values that are mostly of the right type."""
    keys: dict[str, st.SearchStrategy[object]] = {}
    for name, key in kind.KEYS.items():
        if isinstance(key.kind, type):
            inner = table(key.kind)
            keys[name] = st.lists(inner, max_size=3) if key.many else inner
        elif getattr(key.kind, "base", "") == "integer":
            keys[name] = st.sampled_from([0, 1, 2, 10, 1280, 1500, 9000, 4094])
        elif getattr(key.kind, "base", "") == "boolean":
            keys[name] = st.booleans()
        elif getattr(key.kind, "base", "") == "string":
            keys[name] = TEXTS
        else:
            keys[name] = st.lists(TEXTS, max_size=3)
    return st.fixed_dictionaries({}, optional=keys)


@QUIET
@given(st.binary(max_size=300), st.sampled_from(COMMANDS))
def test_bytes(data: bytes, command: list[str]) -> None:
    assert statuses(data, command) in (0, 1)


@QUIET
@given(st.dictionaries(KEYS, VALUES, max_size=6), st.sampled_from(COMMANDS))
def test_any_toml(data: dict[str, object], command: list[str]) -> None:
    assert statuses(tomli_w.dumps(data).encode("utf-8", "replace"), command) in (0, 1)


@settings(QUIET, max_examples=400)
@given(table(Description), st.sampled_from(COMMANDS))
def test_descriptions_of_the_right_shape(data: dict[str, object], command: list[str]) -> None:
    data["format"] = 1
    assert statuses(tomli_w.dumps(data).encode("utf-8", "replace"), command) in (0, 1)


@settings(QUIET, max_examples=400)
@given(st.data())
def test_mutations(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(GOOD))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        middle = data.draw(st.one_of(st.text(max_size=8), st.sampled_from(text.split("\n")), st.just("\n[[node]]\n")))
        text = text[:start] + middle + text[end:]
    assert statuses(text.encode("utf-8", "replace"), data.draw(st.sampled_from(COMMANDS))) in (0, 1)
