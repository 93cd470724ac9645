"""The page of `pvegen receipts` in a real browser: nothing beyond the window but tables that scroll, nothing pale, no request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from browser import Browser
from test_runbook_browser import BEYOND, PALE, WIDTHS, browser  # noqa: F401

from pvegen.receipts.page import page
from pvegen.receipts.picture import Built, Remark, put_together
from pvegen.receipts.read import Receipt

pytestmark = pytest.mark.browser

STEPS = ["host", "time", "bridge", "names", "ssh", "trust", "services", "root-login", "join", "manager"]
NOW = 1_800_000_000


def picture(names: Sequence[str], *, well: bool) -> str:
    """The page of nodes of these names: all well, or with all that can be wrong."""
    members = dict.fromkeys(names, True)
    receipts = [
        Receipt(
            f"{name}.receipt", "mypve", name, "verify", 0, "a" * 64, "A5522-CA3X6-6K39C-RAKF6-X", pve="8.4.1",
            began=NOW - 20, ended=NOW - 10, planned=STEPS, steps=dict.fromkeys([*STEPS, "requirements"], "ok"),
            members=members, member_of="mypve", quorate=True,
        )
        for name in names
    ]  # fmt: skip
    left_out = []
    if not well:
        for receipt, state in zip(receipts, ("failed", "waits") * len(names), strict=False):
            receipt.steps["names"], receipt.status, receipt.quorate = state, 1, False
            receipt.bail, receipt.script = "expected " + "/etc/pve/local/x" * 20, "b" * 64
        left_out = [Remark("cut", {"path": "/" + "a-very-long-name-of-a-folder" * 9})]
    known = Built("mypve", list(names), dict.fromkeys(names, "a" * 64), {})
    return page(put_together(receipts, known, NOW, left_out), known)


CASES = {
    "well": picture(["pve1", "pve2", "pve3"], well=True),
    "bad": picture(["pve1", "pve2", "pve3"], well=False),
    "many": picture([f"node-number-{number}" for number in range(16)], well=False),
    "long": picture(["n" * 63, "m" * 63], well=False),
}
# Whether the page itself scrolls sideways; what stands beyond the window and cannot be scrolled to.
LOST = f"""(() => {{
  const seen = {BEYOND};
  const lost = [...document.querySelectorAll('body *')].filter(e => !e.closest('.wide'))
    .filter(e => e.getBoundingClientRect().right > seen.width + 0.5).map(e => e.textContent.slice(0, 40));
  const cells = [...document.querySelectorAll('.wide')].map(e => [e.scrollWidth > e.clientWidth, getComputedStyle(e).overflowX]);
  return {{scrolls: seen.scrolls, lost, stuck: cells.filter(([wide, how]) => wide && how !== 'auto').length, wide: cells.filter(c => c[0]).length}};
}})()"""


@pytest.fixture(params=CASES)
def shown(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> tuple[str, Browser]:  # noqa: F811
    path = tmp_path / f"{request.param}.html"
    path.write_text(CASES[request.param], "utf-8")
    browser.look(1280)
    browser.open(path)
    assert browser.complaints == [] and browser.requests == [path.as_uri()]
    return request.param, browser


def test_nothing_is_out_of_reach(shown: tuple[str, Browser]) -> None:
    name, browser = shown  # noqa: F811
    wide = {}
    for kind, (width, media) in WIDTHS.items():
        browser.look(width, media=media)
        seen = browser.tell(LOST)
        assert (seen["scrolls"], seen["lost"], seen["stuck"]) == (False, [], 0), (kind, json.dumps(seen))
        wide[kind] = seen["wide"]
    # On paper nothing can be scrolled.
    assert wide["paper"] == 0 and (name == "long" or wide["desk"] == 0) and wide["phone"] > 0


def test_the_names_of_rows_stay_in_sight(shown: tuple[str, Browser]) -> None:
    _, browser = shown  # noqa: F811
    browser.look(360)
    left = browser.tell("""(() => { const e = document.querySelector('.wide'); e.scrollLeft = 200;
      return [e.scrollLeft > 0, e.querySelector('td').parentElement.firstElementChild.getBoundingClientRect().left - e.getBoundingClientRect().left]; })()""")
    assert left[0] and abs(left[1]) < 1.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(shown: tuple[str, Browser], scheme: str) -> None:
    _, browser = shown  # noqa: F811
    for width, media in WIDTHS.values():
        browser.look(width, scheme=scheme, media=media)
        seen = browser.tell(PALE)
        assert seen["found"] == [] and seen["looked"] > 50, (width, media)
        assert (seen["paper"] > 0.5) == (scheme == "light" or media == "print")
