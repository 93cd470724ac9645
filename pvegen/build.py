"""Views to folders of node scripts: plan, render, lint, manifest, write."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pvegen import __version__, catalogue, output
from pvegen.derive import View, order_of_running
from pvegen.errors import STALE, InternalError, Refused
from pvegen.output import Folder
from pvegen.plan import plan
from pvegen.render import Rendered, Renderer
from pvegen.snippets import SnippetError
from pvegen.target import Targets, shipped

# Findings of ShellCheck that are followed back to the description; each takes some seconds.
_TRACED = 3


def build(
    views: list[View], place: Path, *, check: bool, lint: bool, snippets: Path | None, said: TextIO | None = None,
    targets: Targets | None = None,
) -> int:
    """Build all views into `place`, or with `check` compare it; the exit status.

    snippets: a folder of a site's own snippets, or None; said: where to say what was
    made or is stale, by default standard output; targets: those there are, by default
    pvegen's own. Raises Refused where something stands in the way or a site's snippet is
    wrong, InternalError where one of ours is.
    """
    if snippets is not None:
        _look_at(snippets)
    built = _render(views, snippets, targets or shipped())
    folders = [_folder(view, *one) for view, one in zip(views, built, strict=True)]
    _refuse_strays(place, folders)
    if lint:
        _lint(views, [scripts for scripts, _ in built], snippets, targets or shipped())
    if check:
        return _compare(place, folders, said)
    output.write(place, folders)
    for view, folder in zip(views, folders, strict=True):
        _tell(place / folder.name, view, said)
    return 0


@contextlib.contextmanager
def _reading(place: Path) -> Iterator[None]:
    """Raise Refused where what stands in the output folder cannot be read."""
    try:
        yield
    except OSError as error:
        path = _shown(error.filename or place)
        raise Refused(texts()["unreadable"].format(path=path, why=error.strerror or error)) from error


def _refuse_strays(place: Path, folders: list[Folder]) -> None:
    """Raise Refused where something stands in the output folder that no build made."""
    with _reading(place):
        found = output.strays(place, folders)
    if found:
        raise Refused(texts()["stray"].format(files="\n".join(f"  {_shown(one)}" for one in found)).strip())


def _shown(path: object) -> str:
    """A path for people: what a terminal would obey in it is spelt out."""
    return catalogue.visible(str(path))


def _look_at(snippets: Path) -> None:
    """Whether a site's folder is one of snippets, and pvegen makes use of each; Refused where not."""
    if not snippets.is_dir():
        raise Refused(texts()["no_snippets"].format(path=_shown(snippets)))
    from pvegen.site import faults

    if found := "\n".join(f"  {fault}" for fault in faults(snippets)):
        raise Refused(texts()["unused"].format(path=_shown(snippets), files=found).strip())


def _render(views: list[View], site: Path | None, targets: Targets) -> list[tuple[list[Rendered], dict[str, str]]]:
    """All scripts of each cluster, and the files of its runbook by name."""
    try:
        renderer = Renderer(site)
        return [_cluster(view, targets, renderer) for view in views]
    except SnippetError as error:
        if error.of_site:
            raise Refused(texts()["site"].format(path=_shown(site), why=error)) from error
        raise InternalError(str(error)) from error


def _cluster(view: View, targets: Targets, renderer: Renderer) -> tuple[list[Rendered], dict[str, str]]:
    """The scripts of one cluster, and its runbook."""
    from pvegen.runbook import pages

    target = targets.load(view.description.cluster.target)
    scripts = plan(view, target, targets)
    rendered = [renderer.script(script) for script in scripts]
    return rendered, pages(view, target, scripts, rendered, renderer)


def _is_of_site(snippet: str, site: Path | None) -> bool:
    return site is not None and (site / snippet).exists()


def _lint(views: list[View], rendered: list[list[Rendered]], site: Path | None, targets: Targets) -> None:
    """Raise Refused or InternalError where ShellCheck finds something, with the keys that each finding comes from."""
    from pvegen.lint import LintError, lint

    try:
        findings = lint(script for scripts in rendered for script in scripts)
    except LintError as error:
        raise Refused(str(error)) from error
    if not findings:
        return
    from pvegen.trace import sources

    listed = "\n".join(f"{one}{sources(views, one.node, one.line, site, targets)}" for one in findings[:_TRACED])
    listed += "".join(f"\n{one}" for one in findings[_TRACED:])
    if any(_is_of_site(finding.snippet, site) for finding in findings):
        raise Refused(texts()["findings"].format(findings=listed).strip())
    raise InternalError(f"ShellCheck finds faults in what was built:\n{listed}")


def _folder(view: View, scripts: list[Rendered], runbook: dict[str, str]) -> Folder:
    """A cluster's folder: scripts, the runbook, their sums, the manifest."""
    files = {f"{script.node}.sh": script.text.encode() for script in scripts}
    files |= {name: text.encode() for name, text in runbook.items()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    manifest = _manifest(view, list(runbook), digests)
    return Folder(
        view.description.cluster.name, files | {output.SUMS: sums.encode(), output.MANIFEST: manifest.encode()}
    )


def _manifest(view: View, runbook: list[str], digests: dict[str, str]) -> str:
    """manifest.toml: what was built, of what, and in which order the scripts are run."""
    import tomli_w

    cluster = view.description.cluster
    return tomli_w.dumps(
        {
            "format": 1,
            "pvegen": __version__,
            "cluster": cluster.name,
            "target": cluster.target,
            "join": cluster.join,
            "trust": view.description.ssh.trust,
            "description": {"sha256": description_digest(view)},
            "order": [f"{node.name}.sh" for node in order_of_running(view.nodes)],
            "script": [_script_entry(node.name, node.member, digests) for node in view.nodes],
            "runbook": [{"file": name, "sha256": digests[name]} for name in runbook],
            "stated": _canonical(view.description),
        }
    )


def _script_entry(node: str, member: str | None, digests: dict[str, str]) -> dict[str, str]:
    """What the manifest has of a node's script."""
    name = f"{node}.sh"
    return {"file": name, "node": node, "sha256": digests[name], **({"joins": member} if member else {})}


def description_digest(view: View) -> str:
    """SHA-256 (hex) of what a description says: comments, order of keys and ways of
    writing the same value do not count."""
    import json

    text = json.dumps(_canonical(view.description), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """A description's tables as plain dicts, unset keys left out."""
    if hasattr(value, "KEYS"):
        return {name: _canonical(item) for name, item in vars(value).items() if item is not None and item != ()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return value if isinstance(value, (int, bool)) else str(value)


def _compare(place: Path, folders: list[Folder], said: TextIO | None) -> int:
    """Show what is stale; the exit status.

    Several descriptions are taken for all that the folder is made of: the folder of
    another cluster is stale then. Of one description's it is only said that it is there.
    """
    stale = False
    with _reading(place):
        different = list(output.differences(place, folders))
        others = output.others(place, folders)
    for line in different:
        stale = True
        print(line, file=said, flush=True)
    if others:
        whole = len(folders) > 1
        stale = stale or whole
        print(texts()["left" if whole else "others"].format(folders=_shown(", ".join(others))), file=sys.stderr)
    if stale:
        print(texts()["stale"].format(path=_shown(place)), file=sys.stderr)
        return STALE
    print(texts()["current"].format(path=_shown(place)), file=said)
    return 0


def texts() -> dict[str, str]:
    """The build's own messages."""
    return catalogue.load().build


def _tell(place: Path, view: View, said: TextIO | None) -> None:
    """What was made, and what to do next."""
    words = texts()
    made = words["made" if len(view.nodes) > 1 else "made_local"]
    print(made.format(path=_shown(place), count=len(view.nodes)), file=said)
    order = order_of_running(view.nodes)
    width = max(len(node.name) for node in order) + len(".sh")
    for node in order:
        role = words["local"] if not view.is_cluster else words["creates"]
        if node.member:
            role = words["joins"].format(member=node.member)
        print(f"  {node.name + '.sh':<{width}}  {role}", file=said)
    print(words["next" if view.is_cluster else "next_local"].format(first=f"{order[0].name}.sh"), file=said)
