"""`pvegen diff`: what a change of a description means, node by node and step by step, with its risk."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from pvegen import catalogue, earlier, errors
from pvegen.commands.mistakes import tell
from pvegen.compare import Comparison, compare
from pvegen.derive import order_of_running
from pvegen.description import Loaded, load
from pvegen.earlier import Earlier
from pvegen.errors import InternalError, Refused
from pvegen.render import Renderer
from pvegen.report import wants_colour
from pvegen.report.changes import Told, json_text, markdown, text
from pvegen.snippets import SnippetError
from pvegen.target import Targets


def diff(
    file: str, *, dist: str | None, against: str | None, since: str | None, exit_code: bool, snippets: Path | None,
    targets: str | None, form: str,
) -> int:
    """Tell it on standard output; 1 where a description has mistakes, 4 for changes if so asked, else 0."""
    known = Targets(targets)
    now = load(file, known)
    if now.view is None:
        return tell([now], "text", strict=False, stream=sys.stderr)
    cluster = now.view.description.cluster.name
    if against is not None or since is not None:
        loaded = earlier.of_file(against, known) if against is not None else (
            earlier.of_revision(file, since or "", known))
        if loaded is not None and loaded.view is None:
            return tell([loaded], "text", strict=False, stream=sys.stderr)
        before = Earlier(loaded.source.name, loaded.view) if loaded else Earlier(f"{since}:{file}", None)
    else:
        before = _of_folder(Path(dist or "dist"), cluster, known, snippets)
    told = Told(before, catalogue.visible(now.source.name), _compared(before, now, known, snippets))
    if form == "json":
        said = json_text(told)
    else:
        said = markdown(told) if form == "markdown" else text(told, colour=wants_colour(sys.stdout))
    print(said, end="")
    return errors.STALE if exit_code and (told.compared.changes or told.new) else 0


def _compared(before: Earlier, now: Loaded, known: Targets, snippets: Path | None) -> Comparison:
    """What differs between the two."""
    if now.view is None:
        raise InternalError("there is nothing to compare")
    if before.view is None:
        nodes = [node.name for node in order_of_running(now.view.nodes)]
        return Comparison([], nodes, nodes, [])
    old, new = (known.load(view.description.cluster.target) for view in (before.view, now.view))
    with _blaming(snippets):
        return compare(before.view, old, now.view, new, Renderer(snippets))


def _of_folder(output: Path, cluster: str, known: Targets, snippets: Path | None) -> Earlier:
    """What a folder was built of; under another name of the cluster, where that alone was made there."""
    if not (output / cluster).is_dir():
        made = [path.parent.name for path in sorted(output.glob("*/manifest.toml"))]
        if len(made) != 1:
            raise Refused(catalogue.load().review["not_built"].format(dist=catalogue.visible(str(output))))
        cluster = made[0]
    with _blaming(snippets):
        return earlier.of_folder(output, cluster, known, snippets)


@contextlib.contextmanager
def _blaming(snippets: Path | None) -> Iterator[None]:
    """Raise Refused where a site's own snippet is wrong, InternalError where one of ours is."""
    try:
        yield
    except SnippetError as error:
        if error.of_site:
            shown = catalogue.visible(str(snippets))
            raise Refused(catalogue.load().build["site"].format(path=shown, why=error)) from error
        raise InternalError(str(error)) from error
