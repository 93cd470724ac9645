"""`pvegen receipts`: what runs on nodes have left, put together to the truth of the whole cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pvegen.bundle import file
from pvegen.errors import MISTAKES, Refused
from pvegen.receipts import built as builds
from pvegen.receipts import data, digest, table
from pvegen.receipts.history import Dated, dated
from pvegen.receipts.page import page
from pvegen.receipts.picture import Built, Remark, put_together
from pvegen.receipts.read import BrokenReceipt, Receipt, load


def receipts(paths: Sequence[Path], *, built: Path | None, html: Path | None, seen: Sequence[str], form: str) -> int:
    """Tell what the receipts say; 0 where they say that the cluster is complete and all that was given fits, else 1.

    paths: files; a digest in place of one is as one of seen; built: a built folder,
    dist/<cluster> if None and there is one; html: where to put the page too; seen: digests
    that were read off consoles, each of which has to be here; form: text or json.
    """
    typed = [str(path) for path in paths if digest.typed(str(path)) and not path.exists()]
    good, complaints = _load([path for path in paths if str(path) not in typed])
    known = builds.load(built) if built else None
    cluster = known.cluster if known else good[0].cluster if good else ""
    ours = [receipt for receipt in good if receipt.cluster == cluster]
    for receipt in good:
        if receipt.cluster != cluster:
            facts = {"path": receipt.source, "found": receipt.cluster, "cluster": cluster}
            complaints.append(Remark("of_other_cluster", facts))
    if ours:
        complaints += [remark for text in (*typed, *seen) for remark in _look_for(text, ours)]
    for remark in complaints:
        print(f"pvegen: {table.said(remark)}", file=sys.stderr)
    if not ours:
        raise Refused(table.texts()["none"])
    known = known or builds.beside(cluster)
    picture = put_together(ours, known, left_out=complaints, date=lambda receipt: _date(receipt, built, known))
    print(data.text(picture, known) if form == "json" else table.text(picture, known))
    if html:
        file.write(html, page(picture, known).encode())
    return 0 if picture.complete and not complaints else MISTAKES


def _date(receipt: Receipt, built: Path | None, known: Built | None) -> Dated | None:
    """The build that a node ran, if it is another one than is built."""
    folder = built or builds.place(receipt.cluster)
    return dated(folder, receipt.node, receipt.script, known.digests[receipt.node]) if known else None


def _load(paths: Sequence[Path]) -> tuple[list[Receipt], list[Remark]]:
    """The receipts that can be read, and why the others cannot."""
    good, complaints = [], []
    for path in paths:
        try:
            good.append(load(path))
        except BrokenReceipt as broken:
            complaints.append(Remark(broken.reason, {"path": str(path)}))
        except OSError as error:
            complaints.append(Remark("unreadable", {"path": str(path), "why": error.strerror or str(error)}))
    return good, complaints


def _look_for(text: str, ours: Sequence[Receipt]) -> list[Remark]:
    """What is wrong with a digest that somebody read off a screen, which is to be that of one of the receipts."""
    right = digest.typed(text)
    if right is None:
        return [Remark("mistyped", {"digest": text})]
    return [] if right in {receipt.digest for receipt in ours} else [Remark("not_seen", {"digest": right})]
