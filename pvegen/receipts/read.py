"""One receipt's text to what it says; it comes from a node, and may be cut, changed, or no receipt at all."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pvegen.receipts.digest import short

# Bytes; a node's own come to some 70,000 at most.
LARGEST = 1 << 20
_HEAD = "pvegen-receipt 1"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_OFFSET = re.compile(r"-?[0-9]{1,8}")
_STATES = ("ok", "waits", "failed")
_LONGEST = 400
# Of each kind of thing in a receipt; a cluster has some 32 nodes.
_MOST = 100


class BrokenReceipt(Exception):
    """It cannot be read; reason: a name of the catalogue's [receipts]."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class Receipt:
    """What a run has found.

    source: the file; times in seconds since 1970; steps: name -> ok, waits or failed;
    failures: texts of points that failed; names: node -> address; reach: node -> whether
    it answered; clocks: node -> seconds by which its clock is ahead of this one's;
    members: name -> whether it was online, None where there was no cluster.
    """

    source: str
    cluster: str
    node: str
    call: str
    status: int
    script: str
    digest: str
    pvegen: str = ""
    target: str = ""
    pve: str = ""
    kernel: str = ""
    part: str = ""
    bail: str = ""
    began: int = 0
    ended: int = 0
    planned: list[str] = field(default_factory=list)
    steps: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    reach: dict[str, bool] = field(default_factory=dict)
    clocks: dict[str, float] = field(default_factory=dict)
    members: dict[str, bool] | None = None
    member_of: str = ""
    quorate: bool = False

    @property
    def complete(self) -> bool:
        """Whether the whole script has run and found all as described."""
        done = all(self.steps.get(step) == "ok" for step in self.planned if step != "host")
        return self.status == 0 and not self.part and bool(self.planned) and done


def load(path: Path) -> Receipt:
    """A file's receipt; raises BrokenReceipt, or OSError where it cannot be read."""
    with path.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise BrokenReceipt("too_large")
    return parse(str(path), data)


def parse(source: str, data: bytes) -> Receipt:
    """A receipt of its bytes; raises BrokenReceipt, and nothing else, whatever they are."""
    # Somebody's mail program or editor may have changed the ends of its lines.
    data = b"\n".join(line.rstrip(b" \t\r") for line in data.rstrip().split(b"\n")) + b"\n"
    if not data.startswith(b"pvegen-receipt "):
        raise BrokenReceipt("foreign")
    if not data.startswith(_HEAD.encode() + b"\n"):
        raise BrokenReceipt("newer")
    body, _, last = data[:-1].rpartition(b"\n")
    digest = short(body + b"\n")
    if not last.startswith(b"digest "):
        raise BrokenReceipt("cut")
    if last != f"digest {digest}".encode():
        raise BrokenReceipt("changed")
    lines = [line.partition(" ")[::2] for line in body.decode("utf-8", "replace").split("\n")[1:]]
    return _of_lines(source, digest, lines)


def _of_lines(source: str, digest: str, lines: list[tuple[str, str]]) -> Receipt:
    first: dict[str, str] = {}
    for key, value in lines:
        first.setdefault(key, value[:_LONGEST])
    for key in ("cluster", "node", "call", "script"):
        if not _WORD.fullmatch(first.get(key, "")):
            raise BrokenReceipt("incomplete")
    if first["call"] not in ("check", "apply", "verify") or not re.fullmatch(r"[0-9]{1,3}", first.get("status", "")):
        raise BrokenReceipt("incomplete")
    receipt = Receipt(
        source, first["cluster"], first["node"], first["call"], int(first["status"]), first["script"], digest,
        began=_seconds(first.get("began", "")), ended=_seconds(first.get("ended", "")),
        planned=[step for step in first.get("steps", "").split() if _WORD.fullmatch(step)],
    )  # fmt: skip
    for key in ("pvegen", "target", "pve", "kernel", "part", "bail"):
        setattr(receipt, key, first.get(key, "").strip())
    for key, value in lines:
        _add(receipt, key, value)
    return receipt


def _seconds(text: str) -> int:
    found = re.match(r"([0-9]{1,11})( |$)", text)
    return int(found[1]) if found else 0


def _add(receipt: Receipt, key: str, value: str) -> None:
    """One line of those that there may be several of; what is not understood is passed over."""
    words = value.split(maxsplit=20)
    counts = {"step": receipt.steps, "point": receipt.failures, "name": receipt.names, "reach": receipt.reach,
              "clock": receipt.clocks}  # fmt: skip
    if len(counts.get(key, ())) >= _MOST:
        return
    if key == "step" and len(words) == 2 and _WORD.fullmatch(words[0]) and words[1] in _STATES:
        receipt.steps[words[0]] = words[1]
    elif key == "point" and value.startswith("not ok") and "# TODO" not in value:
        receipt.failures.append(value.removeprefix("not ok - ")[:_LONGEST])
    elif key == "name" and len(words) > 1 and _is_address(words[0]):
        receipt.names.update((word, words[0]) for word in words[1:] if _WORD.fullmatch(word) and "." not in word)
    elif key == "reach" and len(words) == 3 and _WORD.fullmatch(words[0]):
        receipt.reach[words[0]] = words[2] == "answers"
    elif key == "clock" and len(words) == 2 and _WORD.fullmatch(words[0]) and _OFFSET.fullmatch(words[1]):
        receipt.clocks[words[0]] = int(words[1]) / 1000
    elif key == "members":
        _add_members(receipt, value)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _add_members(receipt: Receipt, text: str) -> None:
    """/etc/pve/.members, as pmxcfs writes it."""
    try:
        found: Any = json.loads(text)
        cluster = found.get("cluster")
        nodes = found.get("nodelist") or {}
        if not isinstance(cluster, dict):
            return
        online = {str(name)[:128]: node.get("online") == 1 for name, node in nodes.items()}
        receipt.member_of, receipt.quorate = str(cluster.get("name", ""))[:128], cluster.get("quorate") == 1
        receipt.members = dict([(name, up) for name, up in online.items() if _WORD.fullmatch(name)][:_MOST])
    except (ValueError, AttributeError, TypeError, RecursionError):
        return
