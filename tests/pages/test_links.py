"""Links of README.md and docs/: every file and every heading that they lead to is there, and every page is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts.support import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """A page without its blocks and what stands between back-ticks: no link is one there."""
    return re.sub(r"`[^`\n]*`", lambda code: code[0].replace("](", "] ("), _FENCE.sub("", path.read_text("utf-8")))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub and GitLab make of a page's headings."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", path.read_text("utf-8")), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
    return {name if not number else f"{name}-{number}" for name, last in found.items() for number in range(last + 1)}


def links(path: Path) -> list[str]:
    return [link for link in _LINK.findall(prose(path)) if not link.startswith(("http://", "https://", "mailto:"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in PAGES[1:] if page.parent == index.parent} - {index}
    assert pages - named == set()
    assert index in {(ROOT / link).resolve() for link in links(ROOT / "README.md")}
    assert ROOT / "docs" / "tutorial.md" in {(ROOT / link).resolve() for link in links(ROOT / "README.md")}


def test_every_decision_is_in_their_index() -> None:
    index = ROOT / "docs" / "decisions" / "README.md"
    assert {(index.parent / link).resolve() for link in links(index)} == set(index.parent.glob("*.md")) - {index}


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("## Two words", "two-words"), ("## `apply --only`, *so*", "apply---only-so"), ("## Ещё раз", "ещё-раз")],
)
def test_anchors_are_as_a_forge_makes_them(tmp_path: Path, heading: str, anchor: str) -> None:
    (tmp_path / "page.md").write_text(f"{heading}\n\n```sh\n# no heading\n```\n", "utf-8")
    assert anchors(tmp_path / "page.md") == {anchor}
