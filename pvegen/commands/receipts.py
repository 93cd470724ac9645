"""`pvegen receipts`: what runs on nodes have left, put together to the truth of the whole cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pvegen.bundle import file
from pvegen.catalogue import visible
from pvegen.errors import MISTAKES, Refused
from pvegen.receipts import built as builds
from pvegen.receipts import digest, table
from pvegen.receipts.picture import put_together
from pvegen.receipts.read import BrokenReceipt, Receipt, load


def receipts(paths: Sequence[Path], *, built: Path | None, html: Path | None, seen: Sequence[str]) -> int:
    """Tell what the receipts say; 0 where they say that the cluster is complete, else 1.

    built: a built folder, dist/<cluster> if None and there is one; html: where to put the
    page too; seen: digests that were read off consoles, each of which has to be here.
    """
    good, whole = _load(paths)
    known = builds.load(built) if built else None
    if not good:
        raise Refused(table.texts()["none"])
    cluster = known.cluster if known else good[0].cluster
    known = known or builds.beside(cluster)
    ours = [receipt for receipt in good if receipt.cluster == cluster]
    for receipt in good:
        if receipt.cluster != cluster:
            whole = _complain("of_other_cluster", path=receipt.source, found=receipt.cluster, cluster=cluster)
    if not ours:
        raise Refused(table.texts()["none"])
    for text in seen:
        whole = _look_for(text, ours) and whole
    picture = put_together(ours, known)
    if known is None:
        _complain("not_built", cluster=cluster)
    print(table.text(picture, known))
    if html:
        file.write(html, table.page(picture, known).encode())
    return 0 if picture.complete and whole else MISTAKES


def _load(paths: Sequence[Path]) -> tuple[list[Receipt], bool]:
    """The receipts that can be read, and whether all can."""
    good, whole = [], True
    for path in paths:
        try:
            good.append(load(path))
        except BrokenReceipt as broken:
            whole = _complain(broken.reason, path=path)
        except OSError as error:
            whole = _complain("unreadable", path=path, why=error.strerror or error)
    return good, whole


def _look_for(text: str, ours: Sequence[Receipt]) -> bool:
    """Whether a digest that somebody read off a screen is that of one of the receipts."""
    right = digest.typed(text)
    if right is None:
        return _complain("mistyped", digest=text)
    if right not in {receipt.digest for receipt in ours}:
        return _complain("not_seen", digest=right)
    return True


def _complain(reason: str, **facts: object) -> bool:
    """Tell something about the call; always False."""
    shown = {name: visible(str(fact))[:400] for name, fact in facts.items()}
    print("pvegen: " + table.texts()[reason].format(**shown), file=sys.stderr)
    return False
