"""runbook.html in a real browser: nothing overflows, overlaps, is pale, leads nowhere or asks the network.

Debian's chromium (`apt-get install chromium`), without a window; see browser.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import desk
import pytest
from browser import Browser, found
from test_runbook import made

from pvegen.derive import View
from pvegen.runbook import HTML

pytestmark = pytest.mark.browser

FIXTURES = desk.ROOT / "tests" / "fixtures" / "descriptions"
# 182 mm of an A4 page, in units of CSS.
PRINTED = 688
WIDTHS = {"phone": (360, "screen"), "desk": (1280, "screen"), "paper": (PRINTED, "print")}
LONG = """\
format = 1
[cluster]
name = "long"
target = "alt-p11"
domain = "a-rather-long-domain.example.org"
[network]
gateway = "10.0.0.254"
vlan_aware = true
vlans = "10 20-29 40 50-59 100-199 300 301 302 303 304 305 400-499 1000-2000"
[[link]]
network = "10.1.0.0/24"
[[link]]
network = "fd00:1234:5678:9abc:def0:1234:5678::/112"
"""
LONG_NODE = """\
[[node]]
name = "n{name}{i}"
address = "10.0.0.{i}/24"
address6 = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:fff{i}/64"
nic = "bond0"
[[node.bond]]
name = "bond0"
nics = ["enp129s0f0np0", "enp129s0f1np1"]
mode = "802.3ad"
[[node.vlan]]
parent = "vmbr0"
id = 10
address = "10.1.0.{i}/24"
[[node.interface]]
name = "eth9"
mtu = 9000
address6 = "fd00:1234:5678:9abc:def0:1234:5678:{i}/112"
[[node.bridge]]
name = "vmbr7"
port = "eth8"
address = "10.77.{i}.1/24"
"""
CASES = {
    "1": desk.ROOT / "examples" / "local.toml",
    "2": desk.ROOT / "examples" / "mypve.toml",
    "3": desk.ROOT / "examples" / "trio.toml",
    "16": FIXTURES / "sixteen_nodes.toml",
    "32": FIXTURES / "thirty_two_nodes.toml",
    "bonds": FIXTURES / "bonds_and_vlans_etcnet.toml",
    "links": FIXTURES / "links.toml",
    "long": None,
}

# What stands beyond the window; each with how far.
BEYOND = """(() => {
  const width = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 0.5)
    .map(e => `${e.tagName} ${e.textContent.slice(0, 40)} ${e.getBoundingClientRect().right}`);
  return {scrolls: document.documentElement.scrollWidth > width, out, width};
})()"""

# Links within the page whose end is not there, and ids that two elements have.
ANCHORS = """(() => {
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  const ends = [...document.querySelectorAll('a')].map(e => e.getAttribute('href'));
  return {ends: ends.length, lost: ends.filter(h => !h.startsWith('#') || !document.getElementById(h.slice(1))),
          twice: ids.filter((id, at) => ids.indexOf(id) !== at)};
})()"""

# Texts of the picture that lie on one another, beyond their drawing, or beyond the box that they begin in; the
# smallest height of a line of text as it is shown.
OVERLAPS = """(() => {
  const found = [];
  let small = 1e9, texts = 0;
  for (const svg of document.querySelectorAll('svg')) {
    const view = svg.viewBox.baseVal;
    const boxes = [...svg.querySelectorAll('rect')].map(e => e.getBBox());
    const all = [...svg.querySelectorAll('text')].map(e => ({t: e.textContent, b: e.getBBox(), s: e}));
    texts += all.length;
    all.forEach((one, at) => {
      const b = one.b;
      small = Math.min(small, one.s.getBoundingClientRect().height);
      if (b.x < 0 || b.y < 0 || b.x + b.width > view.width || b.y + b.height > view.height) found.push('beyond: ' + one.t);
      for (const box of boxes) {
        const inside = b.x >= box.x && b.x <= box.x + box.width && b.y + b.height / 2 >= box.y && b.y + b.height / 2 <= box.y + box.height;
        if (inside && (b.x + b.width > box.x + box.width || b.y < box.y - 0.5 || b.y + b.height > box.y + box.height + 0.5)) found.push('out of its box: ' + one.t);
      }
      for (const other of all.slice(at + 1)) {
        const o = other.b;
        const wide = Math.min(b.x + b.width, o.x + o.width) - Math.max(b.x, o.x);
        const high = Math.min(b.y + b.height, o.y + o.height) - Math.max(b.y, o.y);
        if (wide > 0.5 && high > 0.5) found.push(`${one.t} on ${other.t}`);
      }
    });
    boxes.forEach((one, at) => boxes.slice(at + 1).forEach(other => {
      const wide = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
      const high = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
      const whole = Math.min(one.width * one.height, other.width * other.height);
      if (wide > 0.5 && high > 0.5 && Math.abs(wide * high - whole) > 1) found.push('boxes cross');
    }));
  }
  const tiles = [...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect());
  tiles.forEach((one, at) => tiles.slice(at + 1).forEach(other => {
    if (Math.min(one.right, other.right) - Math.max(one.left, other.left) > 0.5 &&
        Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 0.5) found.push('tiles overlap');
  }));
  return {found, small, texts};
})()"""

# Texts whose contrast to what is behind them is less than WCAG 2 asks for at AA, 4.5 to 1.
PALE = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const light = c => { const [r, g, b] = [...c].slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; }
    return [255, 255, 255, 255]; };
  const drawn = text => { const b = text.getBBox(); let best = null, size = 1e12;
    for (const r of text.closest('svg').querySelectorAll('rect')) { const o = r.getBBox(); const fill = getComputedStyle(r).fill;
      if (fill !== 'none' && b.x >= o.x && b.y >= o.y - 1 && b.y <= o.y + o.height && o.width * o.height < size) { best = fill; size = o.width * o.height; } }
    return best ? rgba(best) : behind(text.closest('svg')); };
  const found = new Set(); let looked = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const e = n.parentElement;
    if (!n.data.trim() || getComputedStyle(e).display === 'none' || !e.getClientRects().length) continue;
    const text = e.closest('text');
    const fore = rgba(text ? getComputedStyle(e).fill : getComputedStyle(e).color), back = text ? drawn(text) : behind(e);
    const [a, b] = [light(fore), light(back)].sort((x, y) => y - x);
    looked += 1;
    if ((a + 0.05) / (b + 0.05) < 4.5) found.add(`${e.tagName}.${e.className.baseVal ?? e.className} ${n.data.trim().slice(0, 30)} ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return {found: [...found].slice(0, 20), looked, paper: light(behind(document.body))};
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = found()
    if program is None:
        desk.absent("there is no chromium here: apt-get install chromium")
    one = Browser(program, tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, View]:
    long = LONG + "".join(LONG_NODE.format(name="x" * 61, i=i) for i in (1, 2))
    folder = tmp_path_factory.mktemp("views")
    return {name: desk.view(path) if path else desk.view_of(long, folder) for name, path in CASES.items()}


@pytest.fixture(scope="module")
def files(views: dict[str, View], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in views}
    for name, path in found.items():
        path.write_text(made(views[name]).pages[HTML], "utf-8")
    return found


@pytest.fixture(scope="module", params=CASES)
def page(request: pytest.FixtureRequest, browser: Browser, files: dict[str, Path]) -> tuple[str, Browser]:
    browser.look(1280)
    browser.open(files[request.param])
    return request.param, browser


def test_it_complains_of_nothing_and_asks_for_nothing(page: tuple[str, Browser], files: dict[str, Path]) -> None:
    name, browser = page
    for width, media in WIDTHS.values():
        browser.look(width, media=media)
        browser.tell("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert (browser.complaints, asked) == ([], [files[name].as_uri()])


def test_nothing_is_wider_than_the_window(page: tuple[str, Browser]) -> None:
    _, browser = page
    for width, media in WIDTHS.values():
        browser.look(width, media=media)
        seen: dict[str, Any] = browser.tell(BEYOND)
        assert (seen["scrolls"], seen["out"], seen["width"]) == (False, [], width), (width, media)


def test_every_anchor_resolves(page: tuple[str, Browser], views: dict[str, View]) -> None:
    name, browser = page
    seen = browser.tell(ANCHORS)
    assert (seen["lost"], seen["twice"]) == ([], [])
    assert seen["ends"] > 8 + len(views[name].nodes)


def test_every_node_interface_and_address_is_in_the_picture(page: tuple[str, Browser], views: dict[str, View]) -> None:
    name, browser = page
    tiles = browser.tell("[...document.querySelectorAll('.picture svg')].map(e => [e.getAttribute('aria-label'),"
                         "[...e.querySelectorAll('text')].map(t => t.textContent)])")  # fmt: skip
    drawn = {label: texts for label, texts in tiles}
    assert len(tiles) == len(views[name].nodes) and set(drawn) == {node.name for node in views[name].nodes}
    for node in views[name].nodes:
        texts = drawn[node.name]
        whole = "".join(texts).replace(" ", "")
        assert node.name in whole
        names = {text.split(" ")[0] for text in texts}
        for interface in node.interfaces:
            assert interface.name in names
            for address in (interface.address, interface.address6):
                assert address is None or str(address) in whole
        for link in node.links:
            assert f"clusterlink{link.number}" in whole


def test_no_text_of_the_picture_lies_on_another_and_all_can_be_read(page: tuple[str, Browser]) -> None:
    _, browser = page
    for width, media in WIDTHS.values():
        browser.look(width, media=media)
        seen = browser.tell(OVERLAPS)
        assert seen["found"] == [], (width, media)
        assert seen["texts"] > 4 and seen["small"] >= 11, (width, media, seen["small"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(page: tuple[str, Browser], scheme: str) -> None:
    _, browser = page
    for width, media in WIDTHS.values():
        browser.look(width, scheme=scheme, media=media)
        seen = browser.tell(PALE)
        assert seen["found"] == [], (width, media)
        assert seen["looked"] > 100
        # On paper it is dark on white, whatever the screen is.
        assert (seen["paper"] > 0.5) == (scheme == "light" or media == "print")


def test_what_is_to_be_ticked_can_be_ticked_without_a_script(page: tuple[str, Browser]) -> None:
    _, browser = page
    assert browser.tell("document.scripts.length") == 0
    seen = browser.tell("(() => { const all = [...document.querySelectorAll('input[type=checkbox]')];"
                        "all[0].click(); return [all.length, all[0].checked, getComputedStyle(all[0], '::before').content,"
                        "all.every(e => e.getBoundingClientRect().width >= 10 && parseFloat(getComputedStyle(e).borderWidth) >= 1)] })()")  # fmt: skip
    assert seen[0] > 10 and seen[1] is True and "\u2713" in seen[2] and seen[3] is True


def test_it_prints(page: tuple[str, Browser]) -> None:
    _, browser = page
    pdf = browser.printed()
    assert pdf.startswith(b"%PDF-") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 3


def test_the_looks_find_what_they_look_for(browser: Browser, tmp_path: Path) -> None:
    """A page with each of the faults: what finds nothing above is able to find something."""
    faults = tmp_path / "faults.html"
    faults.write_text(
        "<body><p style='width:2000px'>wide</p><p style='color:#999;background:#fff'>pale</p><a href='#nowhere'>x</a>"
        "<i id=a></i><i id=a></i><svg viewBox='0 0 100 40' width=300><text y=20>one</text><text y=22>two</text>"
        "<text x=90 y=38>beyond the edge</text></svg><script>console.error('bad')</script><img src='http://192.0.2.1/x'>"
    )
    browser.look(360)
    browser.open(faults)
    assert browser.complaints and "http://192.0.2.1/x" in browser.requests
    assert browser.tell(BEYOND)["out"] and browser.tell(PALE)["found"]
    assert browser.tell(ANCHORS)["lost"] == ["#nowhere"] and browser.tell(ANCHORS)["twice"] == ["a"]
    assert len(browser.tell(OVERLAPS)["found"]) >= 2
    assert json.dumps(browser.tell(BEYOND))
