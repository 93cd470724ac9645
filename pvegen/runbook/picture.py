"""The picture of a cluster: one tile a node, with the networks that the nodes share at its top.

All lengths are units of the drawing, at which a letter of the text is CHAR wide: its font
has letters of one width, so that what fits is known without measuring. Tiles stand side
by side without a gap: the lines of the networks then go from node to node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pvegen.catalogue import visible
from pvegen.runbook.tree import Network, Row

WIDTH = 340
CHAR, LINE = 6.7, 15
EDGE, PAD, GAP, INDENT = 8, 6, 8, 14
# Networks that are drawn as lines, and the room that each line needs beside the boxes.
MOST, LANE = 8, 9
COLOURS = 6


class Text(NamedTuple):
    """A line of text at its base line: first its name, in bold, then the rest."""

    x: float
    y: float
    name: str
    rest: str = ""
    kind: str = ""


class Box(NamedTuple):
    """A rectangle; kind: of which interface, or "node"."""

    x: float
    y: float
    width: float
    height: float
    kind: str


class Line(NamedTuple):
    """A line with its corners, as an SVG path; kind: "stands", or the colour of a network."""

    path: str
    kind: str


class Tile:
    """A node's part of the picture, and how high it is; filled in as it is drawn."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.width = WIDTH
        self.height: float = 0
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self.dots: list[tuple[float, float, str]] = []
        self.texts: list[Text] = []


def picture(nodes: list[dict[str, Any]], networks: list[Network]) -> list[Tile]:
    """The tiles of all nodes; nodes: name, role (in words), tree of each."""
    shared = [network for network in networks if len({end[0] for end in network.ends}) > 1 or len(nodes) == 1][:MOST]
    return [_tile(node["name"], node["role"], node["tree"], shared) for node in nodes]


def _tile(name: str, role: str, rows: list[Row], networks: list[Network]) -> Tile:
    tile = Tile(name)
    right = WIDTH - EDGE - LANE * len(networks)
    rails = _rails(tile, networks, right)
    top = tile.height + GAP
    y = top + PAD
    for number, line in enumerate(_wrapped(name, right - 2 * EDGE)):
        y += LINE
        tile.texts.append(Text(EDGE + PAD, y, line, kind="node" if number == 0 else "more"))
    for line in _wrapped(role, right - 2 * EDGE):
        y += LINE
        tile.texts.append(Text(EDGE + PAD, y, "", line, "role"))
    tile.height = y + GAP
    # Above each depth, the place that a line to an interface below it starts at.
    above: list[tuple[float, float]] = []
    for row in rows:
        box = _row(tile, row, right - PAD, rails)
        del above[row.depth :]
        if above:
            x, start = above[-1]
            middle = box.y + PAD + LINE / 2
            tile.lines.append(Line(f"M{_n(x)} {_n(start)}V{_n(middle)}H{_n(box.x)}", "stands"))
        above.append((box.x + INDENT / 2, box.y + box.height))
    tile.boxes.insert(0, Box(EDGE, top, right - EDGE, tile.height - top, "node"))
    tile.height += GAP
    return tile


def _rails(tile: Tile, networks: list[Network], right: float) -> dict[Any, tuple[float, float, str]]:
    """The networks' lines; of each where it is left and at which height, and its colour."""
    rails = {}
    y: float = 0
    for number, network in enumerate(networks):
        links = "".join(f" link {link}" for link in network.links)
        for line in _wrapped(f"{network.network}{links}", right - EDGE):
            y += LINE
            tile.texts.append(Text(EDGE, y, "", line, "network"))
        y += 6
        colour = f"c{number % COLOURS}"
        tile.lines.append(Line(f"M0 {_n(y)}H{WIDTH}", colour))
        rails[network.network] = (WIDTH - EDGE / 2 - LANE * number, y, colour)
        y += 2
    tile.height = y
    return rails


def _row(tile: Tile, row: Row, right: float, rails: dict[Any, tuple[float, float, str]]) -> Box:
    """One interface's box with what is said of it, and the lines to its networks."""
    x = EDGE + PAD + INDENT * row.depth
    room = right - x - 2 * PAD
    y = tile.height + PAD - 3
    lines = _wrapped(f"{row.name} {row.words}", room)
    name, _, rest = lines[0].partition(" ")
    for number, line in enumerate(lines):
        y += LINE
        tile.texts.append(Text(x + PAD, y, name, rest) if number == 0 else Text(x + PAD, y, "", line))
    for address, links, network in row.addresses:
        if network in rails:
            lane, rail, colour = rails[network]
            tile.lines.append(Line(f"M{_n(lane)} {_n(rail)}V{_n(y + LINE - 4)}H{_n(right)}", colour))
            tile.dots.append((lane, rail, colour))
        for line in _wrapped(f"{address} {links}".strip(), room):
            y += LINE
            tile.texts.append(Text(x + PAD, y, "", line, "address"))
    kind = "again" if row.again else row.kind
    box = Box(x, tile.height, right - x, y + PAD - tile.height, kind)
    tile.boxes.append(box)
    tile.height = box.y + box.height + GAP
    return box


def _wrapped(text: str, room: float) -> list[str]:
    """A text in lines that fit into a width; a word that is longer is cut."""
    most = max(4, int(room / CHAR))
    lines = [""]
    for word in visible(text).split():
        for piece in _pieces(word, most):
            if lines[-1] and len(lines[-1]) + 1 + len(piece) <= most:
                lines[-1] += f" {piece}"
            elif lines[-1]:
                lines.append(piece)
            else:
                lines[-1] = piece
    return lines


def _pieces(word: str, most: int) -> Iterator[str]:
    """A word in parts that fit, cut where a long address or name has a natural end if there is one."""
    while len(word) > most:
        cut = max(word.rfind(sign, 0, most) for sign in ":/-.") + 1 or most
        yield word[:cut]
        word = word[cut:]
    yield word


def _n(number: float) -> str:
    """A number as SVG has it: the same text on every machine."""
    return f"{number:.1f}".removesuffix(".0")
