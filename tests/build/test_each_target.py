"""One description on every target: golden output, how neighbours differ, and that no key is passed over.

pytest tests/build/test_each_target.py --renew     writes tests/golden anew

Of each cluster's first node tests/golden has its own part of the script, without the frame and the runtime,
which are the same in all; of a further node the lines in which it differs from the one before.
"""

from __future__ import annotations

import difflib
import re
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import desk
import pytest

from pvegen import catalogue, lint, target
from pvegen.commands.targets import differences
from pvegen.derive import View
from pvegen.facts import facts
from pvegen.plan import plan
from pvegen.render import Rendered, Renderer
from pvegen.shape import SHAPE
from pvegen.snippets import snippets_folder
from pvegen.target import Target

GOLDEN = desk.ROOT / "tests" / "golden"
NAMES = target.names()
CLUSTERS = {path.stem: path.read_text("utf-8") for path in sorted(GOLDEN.glob("*.toml"))}
LINK = re.compile(r"^\[\[link\]\]\n(?:.+\n)+\n", re.MULTILINE)
WORD = re.compile(r"[a-z_]+")
FUNCTIONS = {
    name
    for path in Path(snippets_folder(), "runtime").rglob("*.sh")
    for name in re.findall(r"^([a-z_]+)\(\) \{$", path.read_text("utf-8"), re.MULTILINE)
}
AWARE = re.compile(r"^vlan_aware = .*\n", re.MULTILINE)
COEFFICIENT = re.compile(r"^token_coefficient = .*\n", re.MULTILINE)


def text_for(cluster: str, name: str) -> str:
    """A cluster's description for a target, without what this target has not."""
    text = CLUSTERS[cluster].replace('target = "alt-p11"', f'target = "{name}"')
    known = target.load(name)
    if known.corosync["links"] == 1:
        text = LINK.sub("", text)
    if not known.network["vlan_aware"]:
        text = AWARE.sub("", text)
    return text if known.corosync["token_coefficient_from"] else COEFFICIENT.sub("", text)


@pytest.fixture(scope="session")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], View]:
    folder = tmp_path_factory.mktemp("golden")
    return {(c, name): desk.view_of(text_for(c, name), folder) for c in CLUSTERS for name in NAMES}


@cache
def renderer() -> Renderer:
    return Renderer()


def scripts(view: View, system: Target | None = None) -> list[Rendered]:
    system = system or target.load(view.description.cluster.target)
    return [renderer().script(script) for script in plan(view, system)]


def own(script: Rendered) -> str:
    """What of a script is about its node: from its name to the frame's usage."""
    return script.text[script.text.index("\nnode=") + 1 : script.text.index("\nusage() {")]


def golden(view: View) -> dict[str, str]:
    """A cluster's golden files: the first node's own part, and how each further one differs from that before it."""
    made = scripts(view)
    found = {f"{made[0].node}.sh": own(made[0])}
    for before, script in pairwise(made):
        lines = difflib.unified_diff(
            own(before).splitlines(), own(script).splitlines(), before.node, script.node, n=1, lineterm=""
        )
        found[f"{script.node}.diff"] = "".join(f"{'@@' if line.startswith('@@') else line}\n" for line in lines)
    return found


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("name", NAMES)
def test_output_is_golden(name: str, cluster: str, views: dict[tuple[str, str], View], renew: bool) -> None:
    folder = GOLDEN / name / cluster
    files = golden(views[cluster, name])
    if renew:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in {path.name for path in folder.iterdir()} - files.keys():
            (folder / stale).unlink()
        for file, text in files.items():
            (folder / file).write_text(text, "utf-8")
    assert {path.name: path.read_text("utf-8") for path in folder.iterdir()} == files, (
        "read what changed, and renew it: pytest tests/build/test_each_target.py --renew"
    )


def test_every_golden_folder_is_a_targets() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()) == sorted(NAMES)


# ------------------------------------------------------------ all and each


@pytest.mark.parametrize("name", NAMES)
def test_scripts_of_every_target_are_clean(name: str, views: dict[tuple[str, str], View], tmp_path: Path) -> None:
    found = [script for cluster in CLUSTERS for script in scripts(views[cluster, name])]
    if target.load(name).pvecm["api"]:
        text = text_for("small", name).replace("[network]", 'join = "api"\n[network]')
        by_api = scripts(desk.view_of(text, tmp_path))
        assert "join_by_api" in own(by_api[1])
        found.append(by_api[1])
    assert [str(finding) for finding in lint.lint(found)] == []


@pytest.mark.parametrize("name", ["alt-p9", "pve-9"])
def test_scripts_of_nodes_that_join_through_the_api_are_clean_too(name: str, tmp_path: Path) -> None:
    text = text_for("small", name).replace("[cluster]\n", '[cluster]\njoin = "api"\n', 1)
    found = scripts(desk.view_of(text, tmp_path))
    assert any("\njoin_by_api() {" in script.text for script in found)
    assert [str(finding) for finding in lint.lint(found)] == []


@pytest.mark.parametrize(("old", "new"), list(pairwise(NAMES)))
def test_neighbours_differ_by_the_facts_that_targets_diff_names(
    old: str, new: str, views: dict[tuple[str, str], View]
) -> None:
    """Nothing but facts makes a script: with the neighbour's, where they differ, it is the neighbour's script."""
    both = [facts(target.shipped().text(name), target.load(name).data) for name in (old, new)]
    told = differences(*both)
    assert told
    for cluster in CLUSTERS:
        view = views[cluster, min(old, new, key=lambda name: target.load(name).corosync["links"])]
        data = target.load(old).data
        mixed = {section: dict(table) if isinstance(table, dict) else table for section, table in data.items()}
        for _, fact in told:
            mixed[fact.section][fact.key] = fact.value
        made = scripts(view, Target(new, target.load(new).title, mixed))
        assert [script.text for script in made] == [script.text for script in scripts(view, target.load(new))]


@pytest.mark.parametrize("name", NAMES)
def test_every_inferred_fact_names_what_looks_at_it(name: str, views: dict[tuple[str, str], View]) -> None:
    """The source of a guess begins with the function that looks on the node, or with the mistake on the desk."""
    called = {word for cluster in CLUSTERS for one in scripts(views[cluster, name]) for word in WORD.findall(own(one))}
    looks = called & FUNCTIONS | {code for code in catalogue.load("en").codes if code.startswith("PVE5")}
    guesses = [
        (fact.name, mark.source.split())
        for fact in facts(target.shipped().text(name), target.load(name).data)
        for mark in fact.marks
        if mark.confidence == "inferred"
    ]
    assert guesses
    assert [(fact, source) for fact, source in guesses if source[:1] == [] or source[0] not in looks] == []


# Facts that only say whether a description can be built: pvegen/checks/platform.py.
CHECKED = {"corosync.links", "network.vlan_aware", "network.bond", "pvecm.priority", "pvecm.api"}


CHOICES = {
    "rpm": "dpkg",
    "dpkg": "rpm",
    "etcnet": "ifupdown2",
    "ifupdown2": "etcnet",
    "brctl": "options",
    "options": "brctl",
}


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [*value, "another"]
    if isinstance(value, dict):
        return {key: f"{path}x" for key, path in value.items()}
    if isinstance(value, date):
        return value + timedelta(days=1)
    if isinstance(value, int):
        return value + 1
    return CHOICES.get(value, f"{value}x" if value else "1.2.3")


def test_no_fact_is_without_effect(views: dict[tuple[str, str], View]) -> None:
    """Each fact, changed, changes some script of some target; what none depends on has no place in the files."""
    left = {f"{section}.{key}" for section, keys in SHAPE.items() for key in keys} - CHECKED
    for name in NAMES:
        view = views["rich", name]
        right = [script.text for script in scripts(view)]
        for fact in sorted(left):
            section, key = fact.split(".")
            data = target.load(name).data
            value = data[section][key]
            # corosync is 2 or 3.
            changed = {**data, section: {**data[section], key: 5 - value if key == "corosync" else other(value)}}
            if [script.text for script in scripts(view, Target(name, target.load(name).title, changed))] != right:
                left.discard(fact)
    assert left == set()


# ------------------------------------------------------------ further ones

INVENTED = {
    "alt-p12": (
        "alt-p11",
        {
            'title = "ALT p11, Proxmox VE 8.4 and 9,': 'title = "ALT p12, Proxmox VE 10,',
            'series = ["8", "9"]': 'series = ["10"]',
            "released = 2024-11-01": "released = 2027-02-03",
            'config = "/etc/openssh"': 'config = "/etc/newssh"',
            '"pve-lxc-syscalld"]': '"pve-lxc-syscalld", "pve-novelty"]',
        },
        ["need_series '10'", "need_clock 1801612800 # 2027-02-03", "/etc/newssh/sshd_config", " pve-novelty", "ALT p12, Proxmox VE 10"],
        ["/etc/openssh"],
    ),
    "pve-10": (
        "pve-9",
        {
            'title = "Proxmox VE 9 on Debian 13 trixie': 'title = "Proxmox VE 10 on Debian 14 forky',
            'series = ["9"]': 'series = ["10"]',
            'pattern = "13.*"': 'pattern = "14.*"',
            'unit = "ssh" ': 'unit = "sshd.socket" ',
            'link = "--link{}"': 'link = "--knet{}"',
        },
        ["need_series '10'", "need_release /etc/debian_version '14.*'", "sshd_unit='sshd.socket'", "--knet0 10.20.0.1", "--knet2 "],
        ["--link0"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INVENTED)
def test_a_new_target_is_one_new_file(name: str, tmp_path: Path) -> None:
    """As docs/targets.md has it: a neighbour's file with other facts, a description, and the command."""
    neighbour, changes, shown, gone = INVENTED[name]
    text = target.shipped().text(neighbour)
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / f"{name}.toml").write_text(text, "utf-8")
    (tmp_path / "cluster.toml").write_text(CLUSTERS["rich"].replace("alt-p11", name), "utf-8")

    without = desk.pvegen("build", cwd=tmp_path)
    assert without.returncode == 1 and f'error PVE502: There is no target "{name}"' in without.stderr
    assert desk.pvegen("check", "--targets", "mine", cwd=tmp_path).returncode == 0
    told = desk.pvegen("targets", "diff", neighbour, name, "--targets", "mine", cwd=tmp_path)
    assert f"\n{len(changes) - 1} of " in told.stdout, told.stdout
    built = desk.pvegen("build", "--targets", "mine", cwd=tmp_path)
    # The rich cluster has an address in a VLAN of a bridge's port, on purpose.
    assert built.returncode == 0 and set(re.findall(r"PVE\d+", built.stderr)) <= {"PVE927"}, built.stderr
    made = [(tmp_path / "dist" / "rich" / f"pve{number}.sh").read_text("utf-8") for number in (1, 2, 3)]
    for script in made:
        assert [part for part in shown if part not in script] == [] and [part for part in gone if part in script] == []
        assert f"target='{name}'" in script
    assert f'target = "{name}"' in (tmp_path / "dist" / "rich" / "manifest.toml").read_text("utf-8")
    again = desk.pvegen("show", "--targets", "mine", cwd=tmp_path)
    assert again.returncode == 0 and name in again.stdout


def test_a_script_names_a_sites_own_target_where_that_fits(tmp_path: Path) -> None:
    """On a node of another series: pvegen's own targets and the site's, of which one stands in for one of ours."""
    p11, p9 = target.shipped().text("alt-p11"), target.shipped().text("alt-p9")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "alt-p12.toml").write_text(p11.replace('["8", "9"]', '["10", "11"]'), "utf-8")
    (tmp_path / "mine" / "alt-p9.toml").write_text(p9.replace('series = ["6"]', 'series = ["66"]'), "utf-8")
    (tmp_path / "cluster.toml").write_text(desk.small(), "utf-8")
    said = {}
    for words in ([], ["--targets", "mine"]):
        assert desk.pvegen("build", "--no-lint", *words, cwd=tmp_path).returncode == 0
        script = (tmp_path / "dist" / "small" / "pve1.sh").read_text("utf-8")
        said[bool(words)] = set(re.findall(r"/etc/\w[^ :]*:\d+:[a-z0-9-]+", script))
    file = "/etc/altlinux-release"
    assert said[True] - said[False] == {f"{file}:10:alt-p12", f"{file}:11:alt-p12", f"{file}:66:alt-p9"}
    assert said[False] - said[True] == {f"{file}:6:alt-p9"}


def test_a_target_that_changes_is_built_anew(tmp_path: Path) -> None:
    """Nothing of what is kept from the last build stands in for it."""
    (tmp_path / "cluster.toml").write_text(desk.small(target="pve-10"), "utf-8")
    (tmp_path / "mine").mkdir()
    text = target.shipped().text("pve-9")
    for pattern in ("14.*", "14.1*"):
        (tmp_path / "mine" / "pve-10.toml").write_text(text.replace('"13.*"', f'"{pattern}"'), "utf-8")
        built = desk.pvegen("build", "--no-lint", "--targets", "mine", cwd=tmp_path)
        assert built.returncode == 0, built.stderr
        assert f"'{pattern}'" in (tmp_path / "dist" / "small" / "pve1.sh").read_text("utf-8")
    (tmp_path / "mine" / "pve-10.toml").write_text(text.replace('"14.1*"', '"14.2*"'), "utf-8")
    assert desk.pvegen("build", "--check", "--no-lint", "--targets", "mine", cwd=tmp_path).returncode == 4
