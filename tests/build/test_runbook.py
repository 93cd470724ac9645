"""The runbook: it says what the plan and the scripts say, in both forms, whatever the description holds."""

from __future__ import annotations

import hashlib
import re
import shlex
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import desk
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import descriptions
from test_quote import HOSTILE

from pvegen import target
from pvegen.derive import View, order_of_running
from pvegen.plan import plan
from pvegen.render import Rendered, Renderer
from pvegen.runbook import HTML, MARKDOWN, pages
from pvegen.runbook.content import content
from pvegen.runbook.forms import Forms, code_span, fenced, plain
from pvegen.runbook.picture import CHAR, Tile, picture
from pvegen.runbook.tree import network_rows, tree

PROFILE = settings(max_examples=15, deadline=None, database=None, derandomize=True)
DESCRIPTIONS = [*desk.EXAMPLES, *desk.FIXTURES]
BY_API = desk.small(nodes=["pve1", "pve2", "pve3"]).replace("domain =", 'join = "api"\ndomain =', 1)


class Made(NamedTuple):
    view: View
    scripts: list[Rendered]
    pages: dict[str, str]


@cache
def renderer() -> Renderer:
    return Renderer()


def made(view: View) -> Made:
    system = target.load(view.description.cluster.target)
    scripts = plan(view, system)
    rendered = [renderer().script(script) for script in scripts]
    return Made(view, rendered, pages(view, system, scripts, rendered, renderer()))


@cache
def of(path: Path) -> Made:
    return made(desk.view(path))


def markdown(one: Made) -> str:
    return one.pages[MARKDOWN]


class Read(HTMLParser):
    """What a page is made of: every tag with the names of its attributes, and the text in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.commands: list[str] = []
        self.sums: list[str] = []
        self.texts: list[str] = []
        self.left: list[str] = []
        self._into: list[str] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *sorted(name for name, _ in attrs)))
        if tag == "code":
            self._into = {"type": self.commands, "sum": self.sums}.get(dict(attrs).get("class") or "")
            if self._into is not None:
                self._into.append("")
        self.left += [value for name, value in attrs if name in ("href", "src") and value and value[0] != "#"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._into is not None:
            self._into[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._into = None


@cache
def page(path: Path) -> Read:
    return Read(of(path).pages[HTML])


def commands(text: str) -> list[str]:
    """Every line of every block that is to be typed."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines()]


def section(text: str, name: str) -> str:
    return re.split(r"^## ", text.partition(f"\n## {name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_every_node_interface_address_and_link_is_in_the_text(path: Path) -> None:
    one = of(path)
    picture = section(markdown(one), "Picture")
    blocks = dict(re.findall(r"^`([^`]+)`\n\n```text\n(.*?)^```$", picture, re.MULTILINE | re.DOTALL))
    assert set(blocks) == {node.name for node in one.view.nodes}
    for node in one.view.nodes:
        lines = {line.strip().partition(":")[0]: line for line in reversed(blocks[node.name].splitlines())}
        assert set(lines) == {interface.name for interface in node.interfaces}
        for interface in node.interfaces:
            line = lines[interface.name]
            for address in (interface.address, interface.address6):
                assert address is None or str(address) in line
            assert interface.vlan_id is None or f"VLAN {interface.vlan_id}" in line
            assert interface.mtu is None or f"MTU {interface.mtu}" in line
            assert not interface.bond_mode or interface.bond_mode in line
            assert not interface.vlan_aware or f"({interface.vlans})" in line
        for link in node.links:
            assert any(f"{link.address}" in line and f"cluster link {link.number}" in line for line in lines.values())


def test_what_an_interface_is_made_of_stands_below_it() -> None:
    lines = section(markdown(of(desk.ROOT / "examples" / "trio.toml")), "Picture").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("vmbr0:"))
    assert [line.partition(":")[0] for line in lines[at : at + 5]] == [
        "vmbr0",
        "  bond0",
        "    eno1",
        "    eno2",
        "eno3",
    ]


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_the_sums_are_those_of_the_scripts(path: Path) -> None:
    one = of(path)
    found = dict(
        re.findall(r"^\| \[ \] \| `([^`]+)` \| `([0-9a-f ]+)` \|$", section(markdown(one), "Sums to compare"), re.M)
    )
    wanted = {f"{s.node}.sh": hashlib.sha256(s.text.encode()).hexdigest() for s in one.scripts}
    assert {name: digest.replace(" ", "") for name, digest in found.items()} == wanted
    assert all(len(group) == 8 for digest in found.values() for group in digest.split())


def known_calls(script: str) -> tuple[set[str], set[str]]:
    """The calls and the options in a script's usage."""
    usage = script.partition("\nusage() {")[2].partition("\nEND\n")[0]
    return (
        set(re.findall(r"^  sh \S+ (\w+) ", usage, re.MULTILINE)),
        set(re.findall(r"^  (--[\w-]+)", usage, re.MULTILINE)),
    )


def assert_known(command: str, scripts: dict[str, str]) -> None:
    """What is to be typed is a call of a script that is there, as its own usage has it."""
    words = shlex.split(command)
    if words[0] == "sha256sum":
        assert words[1:] and all(word in scripts for word in words[1:]), command
        return
    assert words[0] == "sh" and words[1] in scripts, command
    calls, options = known_calls(scripts[words[1]])
    assert words[2:3] == [] or words[2] in calls, command
    assert all(word in options for word in words if word.startswith("--")), command


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_every_command_is_in_the_usage_of_its_script(path: Path) -> None:
    one = of(path)
    scripts = {f"{script.node}.sh": script.text for script in one.scripts}
    typed = commands(markdown(one))
    for command in typed:
        assert_known(command, scripts)
    for name in scripts:
        assert {f"sh {name}", f"sh {name} verify", f"sha256sum {name}"} <= set(typed)
    table = section(markdown(one), "Calls and options")
    found = set(re.findall(r"^\| `(\S+)[^`]*` \|", table, re.MULTILINE))
    assert found == set().union(*(calls | options for calls, options in map(known_calls, scripts.values())))


def test_the_member_is_opened_for_each_join_by_password_and_closed_after_it() -> None:
    typed = commands(section(markdown(of(desk.ROOT / "examples" / "trio.toml")), "Order of running"))
    assert [command for command in typed if "sha256sum" not in command] == [
        "sh pve1.sh", "sh pve1.sh apply", "sh pve1.sh verify",
        "sh pve2.sh", "sh pve1.sh admit", "sh pve2.sh apply", "sh pve1.sh close", "sh pve2.sh verify",
        "sh pve3.sh", "sh pve2.sh admit", "sh pve3.sh apply", "sh pve2.sh close", "sh pve3.sh verify",
    ]  # fmt: skip


def test_a_join_through_the_api_asks_for_the_password_and_needs_the_fingerprint(tmp_path: Path) -> None:
    one = made(desk.view_of(BY_API, tmp_path))
    order = section(markdown(one), "Order of running")
    typed = commands(order)
    assert "sh pve1.sh fingerprint" in typed and "sh pve2.sh apply --fingerprint AA:BB:..." in typed
    assert not [command for command in typed if "admit" in command]
    assert "`Root's password on pve1:`" in order
    stated = ":".join(["AB"] * 32)
    text = BY_API.replace('name = "pve1"', f'name = "pve1"\nfingerprint = "{stated}"')
    order = section(markdown(made(desk.view_of(text, tmp_path))), "Order of running")
    assert "sh pve2.sh apply" in commands(order) and stated in order


def test_nodes_that_join_by_keys_make_and_print_them_first(tmp_path: Path) -> None:
    text = desk.small(nodes=["a", "b"]) + ""
    text = text.replace("[network]", '[ssh]\ntrust = "keys"\n[network]', 1)
    typed = commands(section(markdown(made(desk.view_of(text, tmp_path))), "Order of running"))
    assert typed[:4] == ["sh a.sh apply --only trust", "sh a.sh keys", "sh b.sh apply --only trust", "sh b.sh keys"]
    whole = desk.ROOT / "tests" / "fixtures" / "descriptions" / "trust_by_keys.toml"
    assert not [command for command in commands(markdown(of(whole))) if command.endswith(" keys")]


def test_the_ports_are_those_of_the_targets_corosync(tmp_path: Path) -> None:
    for name, ports in (("alt-p8", "udp ports 5404-5405 (multicast)"), ("pve-8", "udp ports 5405-5412")):
        text = markdown(made(desk.view_of(desk.small(target=name), tmp_path)))
        assert f"| `{ports}` |" in section(text, "Ports to open"), name
        assert ("multicast" in section(text, "Before")) == (name == "alt-p8")
    alone = section(markdown(made(desk.view_of(desk.small(nodes=["pve1"]), tmp_path))), "Ports to open")
    assert "corosync" not in alone and "`tcp 8006`" in alone


def test_the_exit_statuses_are_those_of_the_scripts() -> None:
    one = of(desk.ROOT / "examples" / "trio.toml")
    stated = re.findall(r"^\| `([0-9, ]+)` \|", section(markdown(one), "When it stops"), re.MULTILINE)
    numbers = {number for cell in stated for number in cell.split(", ")}
    runtime = one.scripts[0].runtime
    found = re.findall(r"\bexit ([1-9]\d*)\b|'interrupted (\d+)'", runtime)
    assert numbers == {"1", "2", "64", "78", "129", "130", "143"}
    assert numbers <= {status or signal for status, signal in found}


def test_how_long_it_waits_is_what_the_script_waits(tmp_path: Path) -> None:
    text = desk.small() + "[limits]\njoin = 777\nquorum = 333\napi = 222\nunit = 111\n"
    one = made(desk.view_of(text, tmp_path))
    order = section(markdown(one), "Order of running")
    within = re.search(r"confirm_within:-(\d+)", one.scripts[0].text)
    assert within and f"{within[1]} s for the new network" in order
    assert all(f"{seconds} s for" in order for seconds in (777, 333, 222, 111))


def test_what_the_scripts_may_say_is_what_stands_in_them() -> None:
    rows = re.findall(
        r"^\| (.+?) \| (.+) \|$",
        section(markdown(of(desk.ROOT / "examples" / "local.toml")), "What the scripts may say"),
        re.M,
    )
    said = [message for message, _ in rows if message not in ("Said", "---")]
    assert len(said) > 40
    assert not [
        message
        for message in said
        if "corosync has its key" in message or ("does not answer" in message and "MEMBER" in message)
    ]
    cluster = section(markdown(of(desk.ROOT / "examples" / "trio.toml")), "What the scripts may say")
    assert "| MEMBER has no quorum, and so can add nobody |" in cluster


def test_a_site_says_it_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "en.toml").write_text('"end.verify" = "Alles <b>gut</b> | hier."\n')
    view = desk.view(desk.ROOT / "examples" / "mypve.toml")
    system = target.load(view.description.cluster.target)
    own = Renderer(tmp_path)
    scripts = plan(view, system)
    made = pages(view, system, scripts, [own.script(script) for script in scripts], own)
    assert "Alles \\<b\\>gut\\</b\\> \\| hier." in made[MARKDOWN]


@pytest.mark.parametrize(
    "text", [*HOSTILE, "a|b", "``` \n```", "<script>x</script>", "&lt;", "1. x", "# x", "](javascript:x)"]
)
def test_no_text_breaks_out_of_markdown(text: str) -> None:
    """Of any text there is one line, no markup, and the same text again where the escapes are taken off."""
    shown = plain(text)
    assert "\n" not in shown
    unescaped = re.sub(r"\\([\\`*_\[\]<>#|~&=+.)-])", r"\1", shown)
    assert not re.search(r"(?<!\\)(?:\\\\)*[<`|*_\[]", shown)
    span = code_span(text)
    assert "\n" not in span and (span == f"`{unescaped}`" or span == shown)
    block = fenced([text], "text").split("\n")
    assert len(block) == 3 and block[0].rstrip("tex") == block[2] and block[2] not in block[1]


def picture_of(view: View) -> list[Tile]:
    nodes = [
        {"name": node.name, "role": "", "tree": tree(node, alone=not view.is_cluster)}
        for node in order_of_running(view.nodes)
    ]
    return picture(nodes, network_rows(view))


def assert_fits(tile: Tile) -> None:
    """No line of text is wider than the box that it is in or the drawing, and none lies on another."""
    for text in tile.texts:
        right = text.x + CHAR * len(f"{text.name} {text.rest}".strip())
        inside = [
            box for box in tile.boxes if box.x <= text.x <= box.x + box.width and box.y < text.y < box.y + box.height
        ]
        assert all(right <= box.x + box.width for box in inside) and right <= tile.width, text
        assert text.y < tile.height
    heights = [text.y for text in tile.texts]
    assert all(high - low >= 11 for low, high in pairwise(heights))


@PROFILE
@given(data=descriptions(), chance=st.integers(0, 3))
def test_the_runbook_of_any_description(
    data: dict[str, Any], chance: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one = made(desk.view_of(tomli_w.dumps(data), tmp_path_factory.mktemp("any")))
    text = markdown(one)
    scripts = {f"{script.node}.sh": script.text for script in one.scripts}
    for command in commands(text):
        assert_known(command, scripts)
    for node in one.view.nodes:
        assert f"\n`{node.name}`\n" in text
        for interface in node.interfaces:
            assert f"{interface.name}: " in text
    read = Read(one.pages[HTML])
    assert read.commands == commands(text)
    for tile, node in zip(picture_of(one.view), order_of_running(one.view.nodes), strict=True):
        assert tile.node == node.name
        drawn = "".join(f"{text.name} {text.rest}".replace(" ", "") for text in tile.texts)
        for interface in node.interfaces:
            assert interface.name in drawn
            assert all(str(address) in drawn for address in (interface.address, interface.address6) if address)
        assert_fits(tile)
    assert text.endswith("\n") and not text.endswith("\n\n") and "\n\n\n" not in text
    assert not [line for line in text.splitlines() if line.rstrip() != line or not line.isprintable()]


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_both_forms_say_the_same(path: Path) -> None:
    one, read = of(path), page(path)
    assert read.commands == commands(markdown(one))
    sums = [hashlib.sha256(script.text.encode()).hexdigest() for script in one.scripts]
    assert [text.replace(" ", "") for text in read.sums] == sums
    words = re.sub(r"\W+", "", "".join(read.texts))
    for text in ("What the scripts may say", "Ports to open", "When it stops"):
        for cell in re.findall(r"(?<=\| )[^|`]{20,}(?= \|)", section(markdown(one), text)):
            assert re.sub(r"\W+", "", cell) in words, cell


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_the_page_needs_nothing_from_elsewhere(path: Path) -> None:
    read = page(path)
    assert read.left == ["data:,"]
    assert not {tag[0] for tag in read.tags} & {"script", "img", "iframe", "object", "embed", "base", "form"}
    assert not [tag for tag in read.tags if any(name.startswith("on") for name in tag[1:])]
    assert "url(" not in of(path).pages[HTML] and "@import" not in of(path).pages[HTML]


def with_text(value: Any, text: str) -> Any:
    """What a runbook is made of with a text in the place of every other text."""
    if isinstance(value, dict):
        kept = ("bond", "vlan", "bridge", "nic")
        return {name: item if item in kept else with_text(item, text) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_replace"):
        names = [name for name in value._fields if name not in ("kind", "way", "purpose", "network")]
        return value._replace(**{name: with_text(getattr(value, name), text) for name in names})
    if isinstance(value, (list, tuple)):
        return type(value)(with_text(item, text) for item in value)
    return text if isinstance(value, str) and value else value


@cache
def of_trio() -> dict[str, Any]:
    view = desk.view(desk.ROOT / "examples" / "trio.toml")
    system = target.load(view.description.cluster.target)
    scripts = plan(view, system)
    return content(view, system, scripts, [renderer().script(script) for script in scripts], renderer())


def unfenced(text: str) -> list[str]:
    """The beginnings of Markdown's lines, without blocks of code."""
    without = re.sub(r"^ *(`{3,})\w+\n(.*\n)*? *\1$", "", text, flags=re.MULTILINE)
    return [line[:2] if line.startswith(("# ", "##", "- ", "| ", "|-")) else "" for line in without.splitlines()]


HARD = [
    *HOSTILE,
    "</code></svg><script>alert(1)</script>",
    "\" onload=x '",
    "a|b`c",
    "*_x_* [y](z) <b>",
    "&amp;&lt;",
    "x\n# y\n",
]


@pytest.mark.parametrize("text", HARD)
def test_no_text_that_came_past_the_checks_breaks_a_page(text: str) -> None:
    """With any text for every text, the page has no other kinds of parts, and Markdown no other lines."""
    values, made = of_trio(), []
    for inner in ("harmless", text):
        said = {name: with_text(value, inner) for name, value in values.items() if name not in ("said", "tiles")}
        said["tiles"] = picture(said["nodes"], said["networks"])
        said["said"] = values["said"]
        made.append(said)
    plain_page, hard_page = (Read(Forms().html(one)) for one in made)
    assert set(hard_page.tags) == set(plain_page.tags)
    assert hard_page.left == plain_page.left
    assert unfenced(Forms().markdown(made[1])) == unfenced(Forms().markdown(made[0]))
