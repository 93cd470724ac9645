"""Following a line of a script back: every line of every example, and what is refused."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import desk
import pytest

from pvegen import target, vary
from pvegen.derive import View
from pvegen.render import Renderer
from pvegen.trace import Tracer

SCRIPTS = [(path.stem, i) for path in desk.EXAMPLES for i in range(len(desk.view(path).nodes))]


@cache
def view(example: str) -> View:
    return desk.view(desk.ROOT / "examples" / f"{example}.toml")


@cache
def tracer(example: str, index: int) -> Tracer:
    one = view(example)
    return Tracer(one, index, target.load(one.description.cluster.target), Renderer())


ADDRESS = re.compile(r"(?<![\w.:])(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]+:[0-9a-f:]+)(?![\w.:])")


def own_lines(one: Tracer) -> range:
    return range(1, len(one._own) + 1)


@pytest.mark.parametrize(("example", "index"), SCRIPTS)
def test_a_line_with_an_address_is_of_the_key_that_holds_it(example: str, index: int) -> None:
    """Each line of the steps that has the address of a node or a gateway comes from that key and no other address."""
    one = tracer(example, index)
    held: dict[str, set[str]] = {}
    for leaf in vary.leaves(view(example).description):
        for value in leaf.value if isinstance(leaf.value, tuple) else (leaf.value,):
            if leaf.path[-1] != "network" and ADDRESS.fullmatch(text := str(value).split("/")[0]):
                held.setdefault(text, set()).add(".".join(map(str, leaf.path)))
    every = set().union(*held.values())
    seen = 0
    for line in own_lines(one):
        text = one.lines[line - 1]
        found = [held[address] for address in ADDRESS.findall(text) if address in held]
        if not found or text.lstrip().startswith("#"):
            continue
        keys = {".".join(map(str, part.leaf.path)) for part in one.trace(line, line).keys if part.leaf and part.sets}
        assert all(keys & one_of for one_of in found), (line, text)
        assert keys & every <= set().union(*found), (line, text)
        seen += 1
    assert seen > 5


@pytest.mark.parametrize(("example", "index"), SCRIPTS)
def test_every_line_has_its_snippet_and_line_and_each_of_the_steps_its_step(example: str, index: int) -> None:
    """All but the empty lines that part the files of the runtime."""
    one = tracer(example, index)
    printing: dict[str, list[str]] = {}
    for line in range(1, len(one.lines)):
        of_steps = one.script.origin(line).startswith("steps/")
        traced = one.trace(line, line)
        text = one.lines[line - 1]
        if not traced.snippet_line:
            assert traced.snippet.startswith("runtime/") and not text and one.script.origin(line + 1) != traced.snippet
            continue
        source = (desk.ROOT / "snippets" / traced.snippet).read_text("utf-8").split("\n")[traced.snippet_line - 1]
        if "{" + "{" not in source:
            assert source == text, (line, traced)
        printing.setdefault(traced.snippet, []).append(source)
        assert bool(traced.step) == of_steps
        assert not traced.function or one.lines.index(f"{traced.function}() {{") >= 0
    assert len(printing) > 15


def told_of_time(place: Path, *source: str) -> list[tuple[str, int]]:
    """What each line of the time step of a site's own snippet is, and the line of the snippet that printed it."""
    (place / "steps").mkdir()
    (place / "steps" / "time.sh").write_text("\n".join(source) + "\n", "utf-8")
    one = view("mypve")
    site = Tracer(one, 1, target.load(one.description.cluster.target), Renderer(place))
    first, last = site.step_lines("time")
    return [(site.lines[line - 1].strip(), site.trace(line, line).snippet_line) for line in range(first, last + 1)]


def test_lines_that_several_of_a_snippet_could_have_printed_are_told_apart(tmp_path: Path) -> None:
    """Equal lines in two branches, a value of several lines, a loop that eats the lines before."""
    told = told_of_time(
        tmp_path,
        "step_time() {",
        "{% if not timezone %}", "    echo same", "{% else %}", "    echo same", "{% endif %}",
        "    cat {{ 'one\\ntwo\\n' | heredoc }}",
        "{% for word in ['a', 'b'] -%}", "", "    echo {{ word }}", "{% endfor %}",
        "    echo {{ timezone }}{% if timezone %} too{% endif %}", "",
        "}",
    )  # fmt: skip
    assert told == [
        ("step_time() {", 1), ("echo same", 5), ("cat <<'END'", 7), ("one", 7), ("two", 7), ("END", 7),
        ("echo a", 10), ("echo b", 10), ("echo Europe/Moscow too", 12), ("}", 14),
    ]  # fmt: skip


def test_of_a_text_that_is_made_before_it_is_printed_no_line_is_told(tmp_path: Path) -> None:
    """What a site's own snippet puts together and quotes is printed with no line of it."""
    source = ["{% set two %}one two{% endset %}", "step_time() {", "    printf %s {{ two | string }}", "}"]
    told = told_of_time(tmp_path, *source)
    assert told == [("step_time() {", 0), ("printf %s 'one two'", 0), ("}", 0)]


@pytest.mark.parametrize(
    ("line", "keys", "facts"),
    [
        ("10.0.0.252/24 broadcast +", {"node[pve2].address"}, set()),
        ("HOST='eth0'", {"node[pve2].nic"}, set()),
        ("limit_join=600", {"limits.join"}, set()),
        ("ssh_dir='/etc/openssh'", set(), {"ssh.config"}),
        ("10.0.0.251 pve1.localdomain pve1", {"node[pve1].address", "node[pve1].name", "cluster.domain"}, set()),
        ("target='alt-p8'", {"cluster.target"}, set()),
        ("stp AUTO off", set(), set()),
    ],
)
def test_what_sets_a_line_is_told_exactly(line: str, keys: set[str], facts: set[str]) -> None:
    one = tracer("mypve", 1)
    number = one.lines.index(line) + 1
    traced = one.trace(number, number)
    assert {part.name for part in traced.keys if part.sets} == keys
    assert {part.name for part in traced.facts if part.sets} == facts


# ------------------------------------------------------------ the command


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a description and what was built of it."""
    text = (desk.ROOT / "examples" / "mypve.toml").read_text("utf-8")
    (tmp_path / "cluster.toml").write_text(text, "utf-8")
    assert desk.pvegen("build", "--no-lint", cwd=tmp_path).returncode == 0
    return tmp_path


def line_of(place: Path, text: str) -> int:
    return (place / "dist/mypve/pve2.sh").read_text("utf-8").split("\n").index(text) + 1


def test_a_line_is_told_with_file_and_line(place: Path) -> None:
    line = line_of(place, "10.0.0.252/24 broadcast +")
    done = desk.pvegen("trace", f"dist/mypve/pve2.sh:{line}", cwd=place)
    stated = (place / "cluster.toml").read_text("utf-8").split("\n").index('address = "10.0.0.252/24"') + 1
    assert (done.returncode, done.stderr) == (0, "")
    assert f'cluster.toml:{stated}:11: node[pve2].address = "10.0.0.252/24"' in done.stdout
    assert "step      bridge: " in done.stdout and "snippets/steps/bridge_etcnet.sh:" in done.stdout
    assert "targets/alt-p8.toml:" in done.stdout
    data = json.loads(desk.pvegen("trace", f"dist/mypve/pve2.sh:{line}", "--format", "json", cwd=place).stdout)
    assert data["lines"] == [line, line] and data["keys"][0]["line"] == stated and data["step"] == "bridge"


@pytest.mark.parametrize("where", ["names", "not ok 5 - names: names of all nodes", "ok 5 - names"])
def test_a_step_and_its_line_of_tap_are_told(place: Path, where: str) -> None:
    done = desk.pvegen("trace", f"dist/mypve/pve2.sh:{where}", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "step      names: names of all nodes" in done.stdout and "node[pve1].address" in done.stdout
    assert "network.gateway" not in done.stdout


def test_an_edited_script_is_told_so(place: Path) -> None:
    script = place / "dist/mypve/pve2.sh"
    script.write_text(script.read_text("utf-8").replace("10.0.0.252", "10.0.0.253"), "utf-8")
    done = desk.pvegen("trace", "dist/mypve/pve2.sh:100", cwd=place)
    assert (done.returncode, done.stdout) == (1, "")
    assert "dist/mypve/pve2.sh was changed after it was built" in done.stderr


def test_another_versions_script_is_told_so(place: Path) -> None:
    manifest = place / "dist/mypve/manifest.toml"
    script = place / "dist/mypve/pve2.sh"
    other = script.read_bytes().replace(b"Made by pvegen 0.1.0", b"Made by pvegen 0.0.9")
    import hashlib

    text = manifest.read_text("utf-8").replace('pvegen = "0.1.0"', 'pvegen = "0.0.9"')
    manifest.write_text(
        text.replace(hashlib.sha256(script.read_bytes()).hexdigest(), hashlib.sha256(other).hexdigest())
    )
    script.write_bytes(other)
    done = desk.pvegen("trace", "dist/mypve/pve2.sh:100", cwd=place)
    assert done.returncode == 1 and "was built by pvegen 0.0.9" in done.stderr


def test_a_description_that_says_something_else_by_now_is_told_so(place: Path) -> None:
    path = place / "cluster.toml"
    path.write_text(path.read_text("utf-8").replace("10.0.0.252", "10.0.0.62"), "utf-8")
    done = desk.pvegen("trace", "dist/mypve/pve2.sh:100", cwd=place)
    assert done.returncode == 1 and "is not what cluster.toml makes now" in done.stderr


def test_a_description_elsewhere_is_named(place: Path) -> None:
    (place / "far" / "away").mkdir(parents=True)
    (place / "cluster.toml").rename(place / "far" / "away" / "mine.toml")
    done = desk.pvegen("trace", "dist/mypve/pve2.sh:100", cwd=place)
    assert done.returncode == 1 and "Name it: --description FILE" in done.stderr
    assert desk.pvegen("trace", "dist/mypve/pve2.sh:100", "-d", "far/away/mine.toml", cwd=place).returncode == 0


@pytest.mark.parametrize(
    ("where", "status", "said"),
    [
        ("dist/mypve/pve2.sh", 2, "names no line or step"),
        ("dist/mypve/pve2.sh:0", 2, "has no 0. Its lines are 1 to "),
        ("dist/mypve/pve2.sh:99999", 2, "Its lines are 1 to "),
        ("dist/mypve/pve2.sh:nothing", 2, "its steps: host, time, bridge"),
        ("dist/mypve/pve3.sh:1", 1, "the description makes no pve3.sh"),
        ("elsewhere/pve1.sh:1", 1, "no build made what is to be traced: elsewhere/manifest.toml"),
    ],
)
def test_what_there_is_not_is_told(place: Path, where: str, status: int, said: str) -> None:
    done = desk.pvegen("trace", where, cwd=place)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


def test_a_finding_of_shellcheck_names_the_key(place: Path) -> None:
    """In a snippet of a site's own, a line with the time zone that ShellCheck has something against."""
    mine = place / "mine" / "steps"
    mine.mkdir(parents=True)
    text = (desk.ROOT / "snippets/steps/time.sh").read_text("utf-8")
    (mine / "time.sh").write_text(
        text.replace("step_time() {\n", "step_time() {\n    echo $zone {{ timezone }}\n"), "utf-8"
    )
    done = desk.pvegen("build", "--snippets", "mine", cwd=place)
    assert done.returncode == 1
    assert re.search(r"\[SC2086\] \(from snippets/steps/time\.sh\) \(of cluster\.timezone\)", done.stderr), done.stderr
