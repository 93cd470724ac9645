"""The picture as JSON, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pvegen.receipts import table
from pvegen.receipts.picture import Built, Picture, Remark


def text(picture: Picture, built: Built | None) -> str:
    """One object. Times are seconds since 1970; as_built, build and a node's receipt are null where not known."""
    nodes = [{"node": node, "receipt": _receipt(picture, node, built)} for node in picture.nodes]
    whole = {
        "cluster": picture.cluster,
        "complete": picture.complete,
        "nodes": nodes,
        "contradictions": _remarks(picture.wrong),
        "next": _remarks(picture.next),
        "left_out": _remarks(picture.left_out),
    }
    return json.dumps(whole, indent=2)


def _receipt(picture: Picture, node: str, built: Built | None) -> dict[str, Any] | None:
    receipt = picture.last.get(node)
    if receipt is None:
        return None
    asked = built.digests.get(node) if built else None
    dated = picture.dated.get(node)
    keys = (
        "digest", "call", "part", "status", "bail", "script", "pvegen", "target", "pve", "kernel", "began", "ended",
        "steps", "failures", "names", "reach", "clocks", "members", "quorate",
    )  # fmt: skip
    known = {"as_built": asked and asked == receipt.script, "build": dated and dated._asdict()}
    return {"file": receipt.source, **known, **{key: getattr(receipt, key) for key in keys}}


def _remarks(remarks: Sequence[Remark]) -> list[dict[str, Any]]:
    return [{"code": remark.text, "text": table.said(remark), **remark.facts} for remark in remarks]
