"""What must hold between the parts of a description; one module a field of it."""

from __future__ import annotations

from pvegen import target
from pvegen.checks import addresses, interfaces, links, members, mtu, names, platform, routes, trust, vlans
from pvegen.checks.context import Context
from pvegen.derive import View
from pvegen.mistakes import Mistake
from pvegen.source import Path, Source

_CHECKS = (names, addresses, routes, interfaces, vlans, mtu, members, links, trust, platform)


def run(view: View, source: Source, bad: set[Path]) -> list[Mistake]:
    """All that is wrong with a description whose shape was read; bad: paths not to rely on."""
    name = view.description.cluster.target
    known = target.load(name) if name in target.names() else None
    context = Context(view, source, bad, known)
    for module in _CHECKS:
        module.check(context)
    return context.mistakes
