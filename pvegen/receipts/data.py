"""The picture as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pvegen.receipts import table
from pvegen.receipts.picture import Built, Picture, Remark
from pvegen.receipts.read import Receipt


def text(picture: Picture, built: Built | None) -> str:
    """One object. Times are seconds since 1970; as_built and a node's receipt are null where they are not known."""
    nodes = [{"node": node, "receipt": _receipt(picture.last.get(node), built)} for node in picture.nodes]
    whole = {
        "cluster": picture.cluster,
        "complete": picture.complete,
        "nodes": nodes,
        "contradictions": _remarks(picture.wrong),
        "next": _remarks(picture.next),
        "left_out": _remarks(picture.left_out),
    }
    return json.dumps(whole, indent=2)


def _receipt(receipt: Receipt | None, built: Built | None) -> dict[str, Any] | None:
    if receipt is None:
        return None
    asked = built.digests.get(receipt.node) if built else None
    keys = (
        "digest", "call", "part", "status", "bail", "script", "pvegen", "target", "pve", "kernel", "began", "ended",
        "steps", "failures", "names", "reach", "clocks", "members", "quorate",
    )  # fmt: skip
    found = {"file": receipt.source, "as_built": asked and asked == receipt.script}
    return {**found, **{key: getattr(receipt, key) for key in keys}}


def _remarks(remarks: Sequence[Remark]) -> list[dict[str, Any]]:
    return [{"code": remark.text, "text": table.said(remark), **remark.facts} for remark in remarks]
