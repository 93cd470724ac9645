"""What a change of a description means: every key of the format, nodes, tables, and what is no change."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import desk
import pytest

from pvegen import catalogue, target, vary
from pvegen.compare import RISKS, Comparison, compare
from pvegen.derive import View, derive
from pvegen.earlier import Earlier
from pvegen.model import Description, Table
from pvegen.report.changes import Told, markdown, text

RICH = (desk.ROOT / "tests" / "golden" / "rich.toml").read_text("utf-8")
LOCAL = (desk.ROOT / "examples" / "mypve.toml").read_text("utf-8")


def compared(old: View, new: View) -> Comparison:
    return compare(old, target.load(old.description.cluster.target), new, target.load(new.description.cluster.target))


def told(comparison: Comparison, view: View) -> str:
    return text(Told(Earlier("old", view), "new", comparison), colour=False)


def model_keys(table: type[Table] = Description) -> set[tuple[str, str]]:
    """Every key of the format that holds a value: its table and its name."""
    found = set()
    for name, key in table.KEYS.items():
        found |= model_keys(key.kind) if isinstance(key.kind, type) else {(table.__name__, name)}
    return found


def table_of(description: Description, path: vary.Path) -> str:
    """The table that a key is in."""
    now: Any = description
    for part in path[:-1]:
        now = now[part] if isinstance(part, int) else getattr(now, part)
    return type(now).__name__


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> View:
    return desk.view_of(RICH, tmp_path_factory.mktemp("rich"))


def test_every_key_of_the_format_is_told_with_its_risk(rich: View) -> None:
    """Each key of each table, changed: the change is named, and where the scripts differ, so are nodes and risk."""
    right = {script.node: script.text for script in desk.rendered(rich)}
    seen = set()
    for leaf in vary.leaves(rich.description):
        table = table_of(rich.description, leaf.path)
        for changed in vary.described(rich.description, leaf):
            seen.add((table, leaf.path[-1]))
            if leaf.path == ("cluster", "target"):
                continue
            view = derive(changed)
            comparison = compared(rich, view)
            said = told(comparison, rich)
            key = [one for one in comparison.changes if one.key.split(".")[-1] == leaf.path[-1]]
            if leaf.path[-1] in ("name", "parent", "id", "network") and table not in ("Cluster",):
                # What names a table makes another of it.
                kinds = {one.kind for one in comparison.changes}
                # A node keeps its address, and so is the same one.
                wanted = {"renamed"} if (table, leaf.path[-1]) == ("Node", "name") else {"added", "removed"}
                assert wanted <= kinds or key, (leaf.path, said)
            else:
                assert len(key) == 1 and key[0].kind == "changed", (leaf.path, said)
                assert f"{key[0].key}: " in said
            made = {script.node: script.text for script in desk.rendered(view)}
            differing = {node for node in made if made[node] != right.get(node)}
            assert differing == set(comparison.run), leaf.path
            effects = {node for one in comparison.changes for effect in one.effects for node in effect.nodes}
            assert differing - set(comparison.added) <= effects, (leaf.path, said)
            assert all(effect.risk != "none" for one in comparison.changes for effect in one.effects)
    alone = {("Description", "format")}
    assert model_keys() - seen == alone


def test_every_step_and_risk_has_its_words() -> None:
    words = catalogue.load().review
    assert {f"risk_{risk}" for risk in RISKS} - words.keys() == {"risk_none"}
    steps = {
        step.name
        for path in desk.EXAMPLES
        for view in [desk.view(path)]
        for script in desk.plan(view, target.load(view.description.cluster.target))
        for step in script.steps
    }
    assert {f"does_{step}" for step in steps} - words.keys() == set()


# ------------------------------------------------------------ words and risks


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a description and what was built of it."""
    (tmp_path / "cluster.toml").write_text(LOCAL, "utf-8")
    assert desk.pvegen("build", "--no-lint", cwd=tmp_path).returncode == 0
    return tmp_path


def change(place: Path, *pairs: tuple[str, str]) -> None:
    path = place / "cluster.toml"
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def said(place: Path, *arguments: str, status: int = 0) -> str:
    done = desk.pvegen("diff", *arguments, cwd=place)
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def test_a_nodes_address(place: Path) -> None:
    change(place, ("10.0.0.252/24", "10.0.0.62/24"))
    lines = said(place).splitlines()
    assert 'node[pve2].address: "10.0.0.252/24" → "10.0.0.62/24"' in lines
    assert (
        "  pve2: bridge (network): the link drops for some seconds, and is put back by itself if the new one is not proved"
        in lines
    )
    assert "  pve1: bridge (network): harmless" in lines
    assert "  pve1, pve2: names (entries in /etc/hosts): harmless" in lines
    assert any(line.startswith("  pve2: join (pvecm add): refused on a node that is a member") for line in lines)
    assert lines[-1] == "Nodes that need a new run, in this order: pve1.sh, pve2.sh"


def test_the_clusters_name(place: Path) -> None:
    change(place, ('name = "mypve"', 'name = "yours"'))
    shown = said(place)
    assert 'cluster.name: "mypve" → "yours"' in shown
    assert "pve1: create (pvecm create): cannot be changed on a running cluster, refused" in shown


def test_the_token_coefficient(place: Path) -> None:
    """pvecm takes it when it creates a cluster; of a running one verify says where it is another."""
    change(place, ('target = "alt-p8"', 'target = "pve-9"\ntoken_coefficient = 200'))
    assert desk.pvegen("build", "--no-lint", cwd=place).returncode == 0
    change(place, ("token_coefficient = 200", "token_coefficient = 650"))
    told = "made only with the cluster: no script changes it in a running one, but apply and verify say so"
    assert f"  pve1: create (pvecm create): {told}" in said(place)
    change(place, ("token_coefficient = 650", ""))
    assert "  pve1: create (pvecm create): matters to a node that is not in the cluster yet" in said(place)


def test_a_limit_is_harmless(place: Path) -> None:
    change(place, ("[network]", "[limits]\njoin = 700\n\n[network]"))
    whole = json.loads(said(place, "--format", "json"))
    assert whole["risk"] == "harmless" and whole["run"] == ["pve1", "pve2"]
    assert [(one["key"], one["old"], one["new"]) for one in whole["changes"]] == [("limits.join", 600, 700)]


def test_a_node_more_and_a_node_less(place: Path) -> None:
    third = '\n[[node]]\nname = "pve3"\naddress = "10.0.0.253/24"\nnic = "eth0"\n'
    (place / "three.toml").write_text(LOCAL + third, "utf-8")
    shown = said(place, "three.toml")
    assert "node[pve3]: added" in shown and "pve3: new; its script is run as a whole." in shown
    assert "pve1, pve2: names (entries in /etc/hosts): harmless" in shown
    assert "in this order: pve1.sh, pve2.sh, pve3.sh" in shown
    shown = said(place, "--against", "three.toml")
    assert "node[pve3]: removed" in shown and "`pvecm delnode pve3`" in shown


def test_a_node_of_another_name_is_the_same_node(place: Path) -> None:
    """It is told by its address, and what else differs of it is told beside."""
    change(place, ('name = "pve2"', 'name = "store2"'))
    shown = said(place)
    assert 'node[pve2]: called "store2" now' in shown
    assert "  store2: host (what is demanded of the machine): runs only on a machine of that name." in shown
    assert "a member cannot be renamed" in shown and "pve1: names (entries in /etc/hosts): harmless" in shown
    assert not any(word in shown for word in ("removed", "added", "no longer described", "run as a whole"))
    assert "in this order: pve1.sh, store2.sh" in shown


def test_a_node_renamed_and_another_address_of_the_first(place: Path) -> None:
    """Each is told by itself; a node with another name and another address is another node."""
    change(place, ('name = "pve2"', 'name = "store2"'), ("10.0.0.251/24", "10.0.0.61/24"))
    whole = json.loads(said(place, "--format", "json"))
    assert [(one["kind"], one["key"], one["risk"]) for one in whole["changes"]] == [
        ("renamed", "node[pve2]", "renamed"), ("changed", "node[pve1].address", "member"),
    ]  # fmt: skip
    assert (whole["added"], whole["removed"]) == ([], [])
    change(place, ("10.0.0.252/24", "10.0.0.62/24"))
    whole = json.loads(said(place, "--format", "json"))
    assert (whole["added"], whole["removed"]) == (["store2"], ["pve2"])


def test_a_member_of_another_name_is_joined_by_that(place: Path) -> None:
    """What refers to the renamed node is no change of its own."""
    third = '\n[[node]]\nname = "pve3"\naddress = "10.0.0.253/24"\nnic = "eth0"\njoins = "pve2"\n'
    (place / "old.toml").write_text(LOCAL + third, "utf-8")
    (place / "new.toml").write_text((LOCAL + third).replace('"pve2"', '"store2"'), "utf-8")
    whole = json.loads(said(place, "new.toml", "--against", "old.toml", "--format", "json"))
    assert [one["key"] for one in whole["changes"]] == ["node[pve2]"]
    assert {"step": "join", "risk": "joining", "nodes": ["pve3"]} in whole["changes"][0]["effects"]


def test_nodes_in_another_order(place: Path) -> None:
    """The first one creates the cluster; no key of any table says so."""
    first, second = LOCAL.index("[[node]]"), LOCAL.rindex("[[node]]")
    text = LOCAL[:first] + LOCAL[second:].rstrip("\n") + "\n\n" + LOCAL[first:second]
    (place / "cluster.toml").write_text(text, "utf-8")
    shown = said(place)
    assert "order of the nodes or of tables" in shown and "create (pvecm create)" in shown
    assert "in this order: pve2.sh, pve1.sh" in shown


def test_a_description_written_otherwise_is_no_change(place: Path) -> None:
    text = re.sub(r"#.*", "", LOCAL).replace('domain = "localdomain"', "").replace("\n\n", "\n")
    text = text.replace("[network]\n", "[network]\nbridge_name = 'vmbr0'   # as ever\n")
    (place / "cluster.toml").write_text(text, "utf-8")
    assert said(place) == "cluster.toml and dist/mypve are the same cluster: no node does anything else.\n"
    assert said(place, "--exit-code") != ""


def test_another_runtime_is_told_apart(place: Path) -> None:
    """Scripts of the same cluster that this pvegen makes otherwise: no change of the cluster, and no run for it."""
    script, manifest = place / "dist/mypve/pve2.sh", place / "dist/mypve/manifest.toml"
    old = script.read_bytes()
    new = old.replace(b"Made by pvegen 0.1.0", b"Made by pvegen 0.0.9")
    script.write_bytes(new)
    text = manifest.read_text("utf-8").replace('pvegen = "0.1.0"', 'pvegen = "0.0.9"')
    manifest.write_text(text.replace(hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest()), "utf-8")
    shown = said(place)
    assert (
        "are the same cluster" in shown
        and "Not of the cluster: pve2.sh differ by pvegen itself (built by 0.0.9" in shown
    )
    assert json.loads(said(place, "--format", "json"))["built_otherwise"] == ["pve2.sh"]
    change(place, ("Europe/Moscow", "Europe/Oslo"))
    shown = said(place)
    assert 'cluster.timezone: "Europe/Moscow" → "Europe/Oslo"' in shown and "Not of the cluster: pve2.sh" in shown


def commit(place: Path, *first: list[str]) -> None:
    """A new repository with one commit, made after these calls of git."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], *first, ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], cwd=place, check=True)


def test_against_a_revision_of_git(place: Path) -> None:
    commit(place, ["add", "cluster.toml"])
    change(place, ("Europe/Moscow", "Europe/Oslo"))
    assert "What changes from HEAD:cluster.toml to cluster.toml:" in said(
        place, "--since", "HEAD", "--exit-code", status=4
    )
    done = desk.pvegen("diff", "--since", "nowhere", cwd=place)
    assert done.returncode == 1 and "git has no nowhere:cluster.toml" in done.stderr
    done = desk.pvegen("diff", "--since", "--output=stray", cwd=place)
    assert done.returncode == 1 and not (place / "stray").exists()


def test_in_a_hook_it_is_the_same(place: Path) -> None:
    """git tells a hook where the repository is, by a path from its top, and ours is called below that."""
    (place / "site").mkdir()
    (place / "cluster.toml").rename(place / "site" / "cluster.toml")
    commit(place, ["add", "site"])
    change(place / "site", ("Europe/Moscow", "Europe/Oslo"))
    hook = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index"}
    done = desk.pvegen("diff", "--since", "HEAD", "site/cluster.toml", cwd=place, env=hook)
    assert (done.returncode, done.stderr) == (0, "") and "Europe/Oslo" in done.stdout


def test_a_cluster_that_a_revision_does_not_have_is_new(place: Path) -> None:
    """As in the pull request that brings its description."""
    commit(place)
    assert said(place, "--since", "HEAD", "--exit-code", status=4) == (
        "cluster.toml is new: there is no HEAD:cluster.toml.\n\n"
        "pve1: new; its script is run as a whole.\npve2: new; its script is run as a whole.\n"
        "Nodes that need a new run, in this order: pve1.sh, pve2.sh\n"
    )
    assert said(place, "--since", "HEAD", "--format", "markdown").startswith("cluster.toml is new: ")
    assert json.loads(said(place, "--since", "HEAD", "--format", "json"))["added"] == ["pve1", "pve2"]


def test_without_a_build_it_says_what_else_there_is_to_compare_with(place: Path) -> None:
    done = desk.pvegen("diff", "--dist", "nowhere", cwd=place)
    assert done.returncode == 1 and "nothing is built in nowhere/ to compare with. Build first" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n[stated]\n", "\n[stated_not]\n", "does not say what of"),
        ('timezone = "Europe/Moscow"', 'timezone = "Europe/Oslo"', "was changed by hand"),
        ("[stated.ssh]", "[stated.ssh]\nnew_key = 1", "cannot be read by this one"),
        ("format = 1\npvegen", "format = 2\npvegen", "no build made"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told(place: Path, old: str, new: str, message: str) -> None:
    manifest = place / "dist/mypve/manifest.toml"
    text = manifest.read_text("utf-8")
    assert old in text
    text = text.replace("[stated", "[stated_not") if "stated_not" in new else text.replace(old, new)
    manifest.write_text(text, "utf-8")
    done = desk.pvegen("diff", cwd=place)
    assert (done.returncode, done.stdout) == (1, "") and message in done.stderr, done.stderr


def test_one_thing_to_compare_with(place: Path) -> None:
    done = desk.pvegen("diff", "--since", "HEAD", "--against", "x.toml", cwd=place)
    assert done.returncode == 2 and "give one of them" in done.stderr


def test_markdown_and_colours(rich: View) -> None:
    leaf = next(leaf for leaf in vary.leaves(rich.description) if leaf.path == ("network", "gateway"))
    changed = derive(next(iter(vary.described(rich.description, leaf))))
    one = Told(Earlier("a_b", rich), "c*d", compared(rich, changed))
    shown = markdown(one)
    assert shown.startswith("What changes from a\\_b to c\\*d:\n\n- **network.gateway: ")
    assert "\n  - " in shown and shown.endswith("\n")
    assert "\x1b[1;31m" in text(one, colour=True) and "\x1b" not in text(one, colour=False)
