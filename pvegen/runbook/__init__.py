"""The runbook of a cluster: what people read, tick and compare by eye while they run its scripts.

`RUNBOOK.md` and `runbook.html` say the same: both are made of one template of texts
(`templates/runbook.j2`), of the plan that the scripts come from, and of the messages
that the scripts themselves say.
"""

from __future__ import annotations

from pvegen.derive import View
from pvegen.plan import Script
from pvegen.render import Rendered, Renderer
from pvegen.runbook.content import content
from pvegen.runbook.forms import Forms
from pvegen.target import Target

MARKDOWN, HTML = "RUNBOOK.md", "runbook.html"


def pages(
    view: View, target: Target, scripts: list[Script], rendered: list[Rendered], renderer: Renderer
) -> dict[str, str]:
    """The runbook's files, by name; scripts and rendered: of all nodes, in the description's order.

    Raises SnippetError where a message of a site's own cannot be filled in.
    """
    values = content(view, target, scripts, rendered, renderer)
    forms = Forms()
    return {MARKDOWN: forms.markdown(values), HTML: forms.html(values)}
