"""What must hold between the parts of a description; one module a field of it."""

from __future__ import annotations

from pvegen.checks import addresses, interfaces, links, members, mtu, names, platform, routes, trust, vlans
from pvegen.checks.context import Context
from pvegen.derive import View
from pvegen.mistakes import Mistake
from pvegen.source import Path, Source
from pvegen.target import Targets, shipped

_CHECKS = (names, addresses, routes, interfaces, vlans, mtu, members, links, trust, platform)


def run(view: View, source: Source, bad: set[Path], targets: Targets | None = None) -> list[Mistake]:
    """All that is wrong with a description whose shape was read; bad: paths not to rely on."""
    context = Context(view, source, bad, targets or shipped())
    for module in _CHECKS:
        module.check(context)
    return context.mistakes
