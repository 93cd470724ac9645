"""START-HERE.txt: what to do on which node in which order, for a person at a console: plain text, 72 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from pvegen.bundle.contents import texts

_WIDTH = 72


def start_here(manifest: dict[str, Any], runbooks: Sequence[str]) -> str:
    """The text of a manifest; runbooks: the files that tell more, if there are any.

    A command is never broken: a line with a long name of a node may be wider.
    """
    words = texts()
    title = words["start_title"].format(cluster=manifest["cluster"])
    alone = len(manifest["order"]) == 1
    lines = [title, "=" * len(title), "", *_wrapped(words["start_what"]), "", words["start_whole"], ""]
    lines += [*_wrapped(words["start_whole_do"], 3), "", "       sha256sum -c SHA256SUMS", ""]
    lines += [words["start_local" if alone else "start_order"], ""]
    if not alone:
        lines += [*_wrapped(words["start_order_do"], 3), ""]
    if manifest.get("trust") == "keys":
        lines += [*_wrapped(words["start_keys"], 3), ""]
    for number, file in enumerate(manifest["order"], 1):
        lines += _node(manifest, file, number)
    lines += [words["start_stops"], ""]
    for name in ("start_refused", "start_part", "start_cut", "start_network"):
        lines += [*_wrapped(words[name], 3), ""]
    lines += [*_wrapped(words["start_back"], 3), "", "       sh NODE.sh rollback", ""]
    lines += [words["start_receipts"], "", *_wrapped(words["start_receipts_do"], 3), ""]
    lines += [f"       /var/log/pvegen/{manifest['cluster']}.verify.receipt", ""]
    if runbooks:
        lines += [*_wrapped(words["start_runbook"].format(files=", ".join(runbooks))), ""]
    return "\n".join(lines)


def _node(manifest: dict[str, Any], file: str, number: int) -> list[str]:
    """One node: what it is, and what to type there."""
    words = texts()
    scripts = {script["file"]: script for script in manifest["script"]}
    member = scripts[file].get("joins")
    role = words["start_creates" if len(scripts) > 1 else "start_alone"]
    apply = words["start_apply"]
    if member:
        role = words["start_joins"].format(member=member)
        if manifest.get("join") == "api" or manifest.get("trust") == "password":
            apply = words["start_password"].format(member=member)
    node = scripts[file]["node"]
    said = [(f"sh {file}", words["start_show"]), (f"sh {file} apply", apply)]
    said += [(f"sh {file} verify", words["start_verify"])]
    width = max(len(command) for command, _ in said)
    lines = [*_wrapped(f"[ ] {number}. {node}: {role}", 3), ""]
    lines += [f"       {command:<{width}}  {what}" for command, what in said]
    others = [script["node"] for script in manifest["script"] if script.get("joins") == node]
    return [*lines, *_for_others(manifest, file, others), ""]


def _for_others(manifest: dict[str, Any], file: str, others: Sequence[str]) -> list[str]:
    """What has to be done on a node so that others can join through it."""
    if not others:
        return []
    if manifest.get("join") == "api":
        call = "fingerprint"
    elif manifest.get("trust") == "password":
        call = "admit"
    else:
        return []
    text = texts()[f"start_{call}"].format(others=", ".join(others))
    return ["", *_wrapped(text, 7), f"       sh {file} {call}"]


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * indent, break_long_words=False,
        break_on_hyphens=False,
    )
