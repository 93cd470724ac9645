"""The grammar of pages that a test runs: which commands stand in them, what each prints, what has to be there first.

A block of `console` has commands behind their prompts (`$ ` on the desk, `pve1# ` on a node), each followed by what it
prints; a line `[...]` stands for any lines that are left out. A command that fails is followed by `echo $?`. Between
blocks a comment, which no reader sees, tells the test what a person does by hand:

    <!-- test: file NAME -->            the next block is the text of this file
    <!-- test: carry FILE... to HOST... -->   files of the desk's folder go to /root of these nodes
    <!-- test: fetch FILE... from HOST... -->     files of these nodes come to the desk's folder

Sums, keys, times, digests and how much was changed are shown as somebody saw them, and compared as being there (`compared`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

CUT = "[...]"
_EVENT = re.compile(
    r"^<!-- test: (?P<words>.+?) -->\n|^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PROMPT = re.compile(r"^(?:\$|(?P<node>[a-z][a-z0-9-]*)#) (?P<command>.+)$")
_MASKS = {
    "KEY": r"AAAA[0-9A-Za-z+/]{20,}={0,2}",
    "FINGERPRINT": r"SHA256:[0-9A-Za-z+/]{43}",
    "SUM": r"\b[0-9a-f]{64}\b",
    "DIGEST": r"\b(?:[2-9ACFHJKPRX]{5}-){4}[2-9ACFHJKPRX]\b",
    "BEGINNING": r"\b[2-9ACFHJKPRX]{5}-[2-9ACFHJKPRX]{5}\.\.\.",
    "TIME": r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:Z| UTC)?",
    "BYTES": r"(?<=head -c )\d+",
    # A service that is still starting on a busy machine is started once more; no change at all is another matter.
    "CHANGES": r"(?<=# Done\. Changes: )[1-9]\d*",
}
_UNTOLD = ("TIME", "BYTES", "CHANGES")
_MASK = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _MASKS.items()))


def masked(text: str) -> str:
    """TEXT without what two runs cannot have in common."""
    return _MASK.sub(lambda found: str(found.lastgroup), text)


def compared(page: str) -> str:
    """A page with a number for each key, sum or digest, in the order in which they come: the same one stays the same.

    Of two pages that agree in this, one shows the signer's key where the other does. Times and counts have no number.
    """
    known: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        return kind if kind in _UNTOLD else known.setdefault(found[0], f"{kind} {len(known)}")

    return _MASK.sub(name, page)


@dataclass
class Command:
    """One command of a block: where it runs (a node's name, empty for the desk), its words, what the page shows."""

    node: str
    line: str
    prompt: str
    shown: list[str] = field(default_factory=list)


@dataclass
class Event:
    """One thing to do: a block of commands, a file to write, or files to carry; and its place in the page's text."""

    commands: list[Command]
    words: list[str]
    text: str
    start: int
    end: int


def events(page: str) -> list[Event]:
    """What a page has a test do, in order; AssertionError for what is not in the grammar."""
    found: list[Event] = []
    for match in _EVENT.finditer(page):
        waiting = found and found[-1].words[:1] == ["file"] and not found[-1].text
        if match["words"]:
            found.append(Event([], match["words"].split(), "", match.start(), match.end()))
        elif waiting:
            found[-1].text = match["text"]
        elif match["kind"] == "console":
            found.append(Event(commands(match["text"]), [], "", match.start("text"), match.end("text")))
    return found


def commands(text: str) -> list[Command]:
    """The commands of a block."""
    found: list[Command] = []
    for line in text.splitlines():
        prompt = _PROMPT.match(line)
        if prompt:
            found.append(Command(prompt["node"] or "", prompt["command"], line))
        else:
            assert found, f"a block begins with {line!r}, which is no command"
            found[-1].shown.append(line)
    return found


def cut(shown: list[str], now: list[str]) -> list[str]:
    """What a page is to show of the lines NOW, by what it SHOWS of earlier ones.

    Without a cut it shows all of them. With cuts each part stays as long as it was: the first part is the beginning of
    NOW, the last its end, one between is found by its first line. AssertionError where that line is not there any more.
    """
    if CUT not in shown:
        return now
    first, *between, last = _parts(shown)
    out, at = now[: len(first)], len(first)
    for part in between:
        starts = [i for i in range(at, len(now)) if masked(now[i]) == masked(part[0])]
        assert starts, f"not printed any more, cut it by hand: {part[0]}\n" + "\n".join(now)
        at = starts[0] + len(part)
        out += [CUT, *now[starts[0] : at]]
    end = len(now) - len(last)
    assert at <= end, "the cuts overlap now, cut it by hand:\n" + "\n".join(now)
    return [*out, CUT, *now[end:]]


def _parts(shown: list[str]) -> list[list[str]]:
    """The parts between the cuts."""
    parts: list[list[str]] = [[]]
    for line in shown:
        if line == CUT:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts
