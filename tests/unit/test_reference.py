"""The generated pages of docs/ are those that the model and the catalogue make."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvegen import reference

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PAGES[name], "stale: renew it by `python -m pvegen.reference`"


def test_the_introduction_shows_a_description_without_mistakes(tmp_path: Path) -> None:
    from pvegen.description import load

    path = tmp_path / "x.toml"
    path.write_text(PAGES["description.md"].split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert load(path).mistakes == []
