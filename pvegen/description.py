"""Load descriptions: read, convert, derive, check; every mistake of each, and what it comes to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pvegen.derive import View, derive
from pvegen.mistakes import Mistake, has_errors
from pvegen.read import Unreadable, read
from pvegen.source import Source
from pvegen.target import Targets

DEFAULT = "cluster.toml"


@dataclass(eq=False)
class Loaded:
    """One description's file: view is None where a mistake of it is an error."""

    view: View | None
    mistakes: list[Mistake]
    source: Source


def load(path: str | os.PathLike[str], targets: Targets | None = None) -> Loaded:
    """Load one description; "-" is standard input. Never raises for what a file holds.

    targets: those there are, by default pvegen's own.
    """
    name = os.fspath(path)
    try:
        source, data, mistakes = read(name)
    except Unreadable as unreadable:
        return Loaded(None, unreadable.mistakes, unreadable.mistakes[0].source)
    from pvegen import checks
    from pvegen.convert import convert

    converted = convert(source, data)
    view = derive(converted.description)
    mistakes += converted.mistakes + checks.run(view, source, converted.bad, targets)
    return Loaded(None if has_errors(mistakes) else view, mistakes, source)


def load_all(paths: Iterable[str | os.PathLike[str]], targets: Targets | None = None) -> list[Loaded]:
    """Load several descriptions, DEFAULT if none is named; two of the same cluster's name are a mistake."""
    names = [os.fspath(path) for path in paths]
    if not names and not os.path.exists(DEFAULT):
        source = Source(DEFAULT, None)
        return [Loaded(None, [Mistake("PVE011", source, part="file", facts={"file": DEFAULT})], source)]
    loaded = [load(name, targets) for name in names or [DEFAULT]]
    first: dict[str, Loaded] = {}
    for one in loaded:
        if one.view is None:
            continue
        cluster = one.view.description.cluster.name
        other = first.setdefault(cluster.lower(), one)
        if other is not one:
            facts = {"value": cluster, "file": other.source.name}
            one.mistakes.append(Mistake("PVE012", one.source, ("cluster", "name"), facts=facts))
            one.view = None
    return loaded
