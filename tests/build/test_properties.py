"""What holds for every description that passes, and for every text that should never have passed.

A short look by default, a longer one with CI=true, both the same each time;
PVEGEN_PROPERTIES=thorough looks for new cases.
"""

from __future__ import annotations

import os
import random
import subprocess
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import desk
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import descriptions
from test_quote import HOSTILE

from pvegen import annotated, description, lint, target
from pvegen.build import description_digest
from pvegen.derive import View
from pvegen.plan import Script, Step, plan
from pvegen.render import Rendered, Renderer, signed
from pvegen.shown import shown
from pvegen.snippets import SnippetError

SEARCHING = os.environ.get("PVEGEN_PROPERTIES") == "thorough"
THOROUGH = SEARCHING or os.environ.get("CI") == "true"

settings.register_profile(
    "pvegen", deadline=None, database=None, derandomize=not SEARCHING, suppress_health_check=list(HealthCheck)
)
settings.load_profile("pvegen")


def _examples(quick: int, thorough: int) -> settings:
    return settings(settings.get_profile("pvegen"), max_examples=thorough if THOROUGH else quick)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module", autouse=True)
def _english_module() -> None:
    """A place for hypothesis's own data; it must not ask for a home."""
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", "/nonexistent")


def _build(data: Mapping[str, Any], scratch: Path) -> list[Rendered]:
    return _rendered(desk.view_of(tomli_w.dumps(data), scratch))


@cache
def _renderer() -> Renderer:
    return Renderer()


def _rendered(view: View) -> list[Rendered]:
    return [_renderer().script(one) for one in plan(view, target.load(view.description.cluster.target))]


# Every description that passes.


@_examples(25, 200)
@given(data=descriptions())
def test_what_is_shown_of_it_builds_the_same_scripts(data: dict[str, Any], scratch: Path) -> None:
    view = desk.view_of(tomli_w.dumps(data), scratch)
    made = shown(view)
    assert _rendered(desk.view_of(annotated.dumps(made.data, made.notes), scratch)) == _rendered(view)


@_examples(25, 80)
@given(data=descriptions())
def test_every_script_parses_in_every_shell(
    data: dict[str, Any], scratch: Path, shells: dict[str, tuple[str, ...]]
) -> None:
    scripts = {script.shape: script for script in _build(data, scratch)}
    for number, script in enumerate(scripts.values()):
        path = scratch / f"{number}.sh"
        path.write_text(script.text)
        for name, words in shells.items():
            if not THOROUGH and name not in ("dash", "mksh", "ksh93"):
                continue
            done = subprocess.run([*words, "-n", path], capture_output=True, text=True, check=False)
            said = [line for line in done.stderr.splitlines() if ": warning: " not in line]
            assert (done.returncode, said) == (0, []), name


@_examples(3, 8)
@given(data=descriptions())
def test_every_script_is_clean_for_shellcheck(data: dict[str, Any], scratch: Path) -> None:
    assert [str(finding) for finding in lint.lint(_build(data, scratch))] == []


@_examples(25, 80)
@given(data=descriptions(), seed=st.integers(0, 10**9))
def test_comments_and_the_order_of_keys_change_nothing(data: dict[str, Any], seed: int, scratch: Path) -> None:
    first = _build(data, scratch)
    digest = description_digest(desk.view_of(tomli_w.dumps(data), scratch))
    shuffled = tomli_w.dumps(_shuffled(data, random.Random(seed)))
    text = "# " + shuffled.replace("\n\n", "\n\n# a comment\n").replace("]\n", "] # another\n") + "\n# the end"
    view = desk.view_of("#\n" + text.removeprefix("# "), scratch)
    assert _rendered(view) == first
    assert description_digest(view) == digest


def _shuffled(value: Any, chance: random.Random) -> Any:
    """The same tables with their keys in another order; lists stay, since their order says something."""
    if isinstance(value, dict):
        names = chance.sample(list(value), len(value))
        return {name: _shuffled(value[name], chance) for name in names}
    return [_shuffled(item, chance) for item in value] if isinstance(value, list) else value


@_examples(25, 80)
@given(data=descriptions())
def test_what_is_shorter_of_a_name_is_nobody_elses(data: dict[str, Any], scratch: Path) -> None:
    """Every script names its own node, and the lines that a snippet made can be traced."""
    for script, node in zip(_build(data, scratch), data["node"], strict=True):
        assert script.node == node["name"]
        assert f"\nnode='{node['name']}'\n" in script.text
        assert {name for _, name in script.origins} >= {"script.sh", "steps/host.sh", "runtime/10-main.sh"}
        assert [line for line, _ in script.origins] == sorted(line for line, _ in script.origins)


def test_a_build_is_the_same_everywhere(tmp_path: Path) -> None:
    """Other hash seed, folder, locale, umask, time zone, terminal, home, and name of the file."""
    trees = []
    for number in range(2):
        place = tmp_path / f"place {number}"
        place.mkdir()
        for path in desk.EXAMPLES:
            (place / f"{'x' * number}{path.name}").write_text(path.read_text("utf-8"), "utf-8")
        env = {
            "PYTHONHASHSEED": str(17 * number), "LC_ALL": ("C", "C.UTF-8")[number],
            "TZ": ("UTC", "Asia/Kathmandu")[number],
            "XDG_CACHE_HOME": str(place / "cache"), "COLUMNS": str(40 + 100 * number), "SOURCE_DATE_EPOCH": str(number),
        }  # fmt: skip
        files = sorted(str(path) if number else path.name for path in place.glob("*.toml"))
        mask = (0o022, 0o077)[number]
        done = desk.pvegen("build", "--no-lint", *files, "-o", "out", cwd=place, env=env, umask=mask)
        assert done.returncode == 0, done.stderr
        trees.append(desk.tree(place / "out"))
    assert trees[0] == trees[1]
    assert len(trees[0]) > 10


# Texts that no check would let pass.

# What decides which lines there are, rather than what stands in them.
_STRUCTURE = {"message", "trust", "policy", "config_of", "configs", "services", "kind"}
_STUB = "{name}() {{ printf '%s\\037' {name} \"$@\"; cat; }}\n"


def _hostile(value: Any, text: str, key: str = "") -> Any:
    """A step's values with a text in the place of every other text."""
    if key in _STRUCTURE:
        return value
    if isinstance(value, dict):
        return {name: _hostile(item, text, name) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        kept = value[:1] if key == "command" else value[:0]
        return [*kept, *(_hostile(item, text) for item in value[len(kept) :])]
    if isinstance(value, bool) or not isinstance(value, str) or not value:
        return value
    return f"{text}\n" if value.endswith("\n") else text


@cache
def _plans() -> list[Script]:
    """Scripts with as many kinds of values as there are."""
    paths = [desk.ROOT / "examples" / "trio.toml"]
    paths += [
        path for path in desk.FIXTURES if path.stem in ("bonds_and_vlans_etcnet", "keep_ifupdown2", "trust_by_keys")
    ]
    views = [desk.view(path) for path in paths]
    return [plan(view, target.load(view.description.cluster.target))[-1] for view in views]


def _own_part(renderer: Renderer, script: Script, text: str) -> str | None:
    """The node's own part of a script in which every text is the one given; None where it is refused.

    The runtime's functions only print their arguments and their input, and every step runs.
    """
    steps = [Step(step.name, step.snippet, _hostile(step.values, text)) for step in script.steps]
    try:
        made = renderer.script(script._replace(steps=steps, values=_hostile(script.values, text)))
    except SnippetError:
        return None
    names = [name for file in renderer._names[1:] for name in renderer._same[file].functions]
    first = next(line for line, name in made.origins if name.startswith("runtime/"))
    own = "\n".join(made.text.split("\n")[: first - 1])
    steps_run = "".join(f"step_{step.name.replace('-', '_')}\n" for step in script.steps)
    stubs = "".join(_STUB.format(name=name) for name in names)
    begin = "phase=want call=apply script=x again=x time_service=chronyd kept_method=static\n"
    return signed(f"{own}\n{stubs}{begin}{{\n{steps_run}network_state\nusage\nafter_apply\n}} </dev/null\n")


def _assert_inert(script: str, text: str, words: tuple[str, ...], scratch: Path) -> None:
    # In a UTF-8 locale ksh93u+m never ends reading a here-document in which a letter of two bytes
    # lies across a multiple of 64 KiB of the script. Yash takes such letters in a UTF-8 locale only.
    locale = "C" if "ksh93" in words[0] else "C.UTF-8"
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": locale}
    path = scratch / "own.sh"
    path.write_text(script, "utf-8")
    folder = scratch / "empty"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [*words, path], capture_output=True, encoding="utf-8", cwd=folder, env=env, check=False, timeout=60
    )
    assert done.stderr == "", (words, text)
    assert list(folder.iterdir()) == [], (words, text)
    pieces = [piece for piece in done.stdout.replace("\n", "\037").split("\037") if piece]
    assert pieces.count(text) > 20, (words, text)


@pytest.mark.parametrize("number", range(4))
def test_no_shell_runs_a_text_that_came_past_the_checks(
    number: int, scratch: Path, shells: dict[str, tuple[str, ...]]
) -> None:
    renderer, script = _renderer(), _plans()[number]
    names = list(shells)
    for index, text in enumerate(HOSTILE):
        own = _own_part(renderer, script, text)
        assert own is not None, text
        for turn in (0, 2, 4) if THOROUGH else (0,):
            name = names[(index + turn) % len(names)]
            _assert_inert(own, text, shells[name], scratch)


@_examples(30, 120)
@given(text=st.text(min_size=1, max_size=40), number=st.integers(0, 3), name=st.integers(0, 6))
def test_any_text_at_all_is_refused_or_stays_a_text(
    text: str, number: int, name: int, scratch: Path, shells: dict[str, tuple[str, ...]]
) -> None:
    own = _own_part(_renderer(), _plans()[number], text)
    assert (own is None) == (not text.isprintable())
    if own is not None:
        _assert_inert(own, text, list(shells.values())[name], scratch)


@_examples(100, 400)
@given(text=st.text(max_size=60))
def test_any_text_in_a_description_is_a_mistake_or_a_build(text: str, scratch: Path) -> None:
    """Never a traceback, and no control character in a script."""
    for key in ("name = ", "domain = ", "timezone = ", "target = "):
        head, tail = desk.small().split(f"\n{key}" if key in desk.small() else "\nnic = ", 1)
        path = scratch / "text.toml"
        path.write_text(f"{head}\n{key}{tomli_w.dumps({'x': text})[4:]}{tail.split(chr(10), 1)[1]}", "utf-8")
        loaded = description.load(path)
        if loaded.view is not None:
            for script in _rendered(loaded.view):
                assert script.text.replace("\n", "").replace("\t", "").isprintable()


# Every string of the format, one after the other.

CANARY = "touch /tmp/canary"
HARD = [
    f"$({CANARY})", f"`{CANARY}`", f"'; {CANARY}; '", f'"; {CANARY}; "', f"x\n{CANARY}", f"x\r{CANARY}", f"END\n{CANARY}",
    f"x\nEND\n{CANARY}\n", "-n", "--", "-e x", "*", "?[a-z]", "~root", "x" * 100_000, "x\u202ey", "x\0y", "x\u200by",
    "\u0440v\u04351", "pve\uff11", "\u2028", "\udc80", "x\x1b[31m", "", " ", "%s%n", "\\", "$x", "#", "!!", "a b",
]  # fmt: skip


def _strings(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all strings in a document."""
    if isinstance(value, str):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in _strings(item, (*path, key))]


def _kinds() -> list[tuple[Path, tuple[Any, ...]]]:
    """One place of each string that the format has, by the keys that lead there."""
    found: dict[tuple[Any, ...], tuple[Path, tuple[Any, ...]]] = {}
    for path in [*desk.EXAMPLES, *desk.FIXTURES]:
        for place in _strings(tomllib.loads(path.read_text("utf-8"))):
            found.setdefault(tuple(key for key in place if isinstance(key, str)), (path, place))
    return list(found.values())


@pytest.mark.parametrize(("path", "place"), _kinds(), ids=lambda value: "" if isinstance(value, Path) else str(value))
def test_no_string_of_the_format_gets_into_a_shell(path: Path, place: tuple[Any, ...], scratch: Path) -> None:
    """A hard text is a mistake, or it stands in a script as a text. It is never run, and there is no traceback."""
    for text in HARD:
        data = tomllib.loads(path.read_text("utf-8"))
        inner = data
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = text
        file = scratch / "hard.toml"
        file.write_bytes(tomli_w.dumps(data).encode("utf-8", "surrogatepass"))
        loaded = description.load(file)
        assert loaded.view is not None or loaded.mistakes, text
        if loaded.view is None:
            continue
        assert CANARY not in text and text.isprintable(), (place, text)
        for script in _rendered(loaded.view):
            assert script.text.replace("\n", "").replace("\t", "").isprintable(), (place, text)
