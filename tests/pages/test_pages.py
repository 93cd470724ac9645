"""Pages of docs/ whose commands are run, each on a desk and nodes of its own; docs/tutorial.md has its own test.

pytest tests/pages/test_pages.py --renew     writes what the commands print anew
"""

from __future__ import annotations

import pytest
from scripts.support import ROOT

from .walk import Desk, Host, Walk, compare

PAGES = ("targets", "review", "bundle", "commands", "node-script", "safety", "ru/README")


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_print_what_the_page_says(desk: Desk, nodes: dict[str, Host], name: str, renew: bool) -> None:
    path = ROOT / "docs" / f"{name}.md"
    page = path.read_text("utf-8")
    assert "\n```console\n" in page
    now = Walk(desk, nodes.__getitem__).page(page)
    compare(path, now, renew, f"pytest tests/pages/test_pages.py -k {name}")
