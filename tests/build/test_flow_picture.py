"""docs/flow.svg in a real browser: no words run out of their box, and all can be read on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import desk
import pytest
from browser import Browser, found

pytestmark = pytest.mark.browser

_OUT = """
(() => {
  const rooms = [...document.querySelectorAll("rect")].map((one) => one.getBBox());
  const holds = (room, x, y) => x >= room.x && x <= room.x + room.width && y >= room.y && y <= room.y + room.height;
  return [...document.querySelectorAll("text")].filter((text) => {
    const box = text.getBBox();
    const own = rooms.filter((room) => holds(room, box.x, box.y + box.height / 2)).sort((a, b) => a.width - b.width)[0];
    return !own || box.x + box.width + 4 > own.x + own.width || box.y < own.y || box.y + box.height > own.y + own.height;
  }).map((text) => text.textContent);
})()
"""
_COLOURS = """
[...document.querySelectorAll("text")].map((text) => getComputedStyle(text).fill + " on " +
  getComputedStyle(document.querySelector(".side")).fill)
"""


@pytest.fixture
def picture(tmp_path: Path) -> Iterator[Browser]:
    program = found() or desk.absent("there is no chromium here")
    one = Browser(program, tmp_path)
    try:
        one.open(desk.ROOT / "docs" / "flow.svg")
        yield one
    finally:
        one.close()


def test_no_words_run_out_of_their_box(picture: Browser) -> None:
    assert picture.tell(_OUT) == []
    picture.tell("document.querySelector('.head').textContent = 'far too many words '.repeat(9)")
    assert len(picture.tell(_OUT)) == 1


def brightness(colour: str) -> float:
    """The relative luminance of "rgb(r, g, b)", by WCAG 2."""
    parts = [int(part) / 255 for part in colour.strip("rgb() ").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_can_be_read(picture: Browser, scheme: str) -> None:
    picture.look(900, scheme=scheme)
    pairs = {tuple(pair.split(" on ")) for pair in picture.tell(_COLOURS)}
    assert len(pairs) == 2
    for words, ground in pairs:
        dark, light = sorted((brightness(words), brightness(ground)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (words, ground)
        assert (light == brightness(ground)) == (scheme == "light")
