"""What `pvegen diff` says of a comparison: text with colour, Markdown for a pull request, JSON.

The JSON object:

    {"format": 1, "pvegen": "0.1.0", "old": "dist/mypve", "new": "cluster.toml", "risk": "link",
     "changes": [{"kind": "changed", "key": "node[pve2].address", "old": "10.0.0.252/24",
                  "new": "10.0.0.62/24", "risk": "link",
                  "effects": [{"step": "bridge", "risk": "link", "nodes": ["pve2"]}]}],
     "run": ["pve1", "pve2"], "added": [], "removed": [], "built_otherwise": []}

Of a cluster that is new all nodes are in "added", and "changes" is empty.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pvegen import __version__, catalogue
from pvegen.compare import RISKS, Change, Comparison, Effect
from pvegen.earlier import Earlier
from pvegen.facts import shown

# Colours of a terminal: harmless things green, those to look at yellow, those that need a console or fail red.
_COLOURS = {
    "none": "2", "harmless": "32", "service": "33", "joining": "33", "compared": "33", "login": "1;33", "link": "1;31",
    "member": "1;31", "renamed": "1;31", "refused": "1;31",
}  # fmt: skip


class Told(NamedTuple):
    """What is told: the earlier cluster, the name of the later one, and what differs."""

    before: Earlier
    after: str
    compared: Comparison

    @property
    def old(self) -> str:
        """The earlier one's name, for people."""
        return catalogue.visible(self.before.name)

    @property
    def new(self) -> bool:
        """Whether there was no earlier one."""
        return self.before.view is None


def text(told: Told, *, colour: bool) -> str:
    """For a terminal."""
    words = catalogue.load().review
    lines = _start(told)
    for change in told.compared.changes:
        lines += ["", f"{_title(change)}"]
        for effect in change.effects:
            said = _effect(effect)
            lines.append("  " + (f"\x1b[{_COLOURS[effect.risk]}m{said}\x1b[0m" if colour else said))
        if not change.effects:
            lines.append("  " + words["no_effect"])
    rest = _end(told)
    return "\n".join([*lines, *([""] if told.compared.changes or told.new else []), *rest]) + "\n"


def markdown(told: Told) -> str:
    """For the comment of a pull request."""
    words = catalogue.load().review
    lines = [*map(_escaped, _start(told)), ""]
    for change in told.compared.changes:
        lines.append(f"- **{_escaped(_title(change))}**")
        lines += [f"  - {_escaped(_effect(effect))}" for effect in change.effects]
        if not change.effects:
            lines.append(f"  - {words['no_effect']}")
    for line in _end(told):
        lines += ["", _escaped(line)]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def json_text(told: Told) -> str:
    """For tools."""
    compared = told.compared
    whole = {
        "format": 1,
        "pvegen": __version__,
        "old": told.old,
        "new": told.after,
        "risk": max((change.risk for change in compared.changes), key=RISKS.index, default="none"),
        "changes": [_data(change) for change in compared.changes],
        "run": compared.run,
        "added": compared.added,
        "removed": compared.removed,
        "built_otherwise": list(told.before.scripts),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _data(change: Change) -> dict[str, Any]:
    effects = [effect._asdict() for effect in change.effects]
    return {
        "kind": change.kind, "key": change.key, "old": plain(change.old), "new": plain(change.new),
        "risk": change.risk, "effects": effects,
    }  # fmt: skip


def _start(told: Told) -> list[str]:
    words = catalogue.load().review
    name = "new_cluster" if told.new else "head" if told.compared.changes else "nothing"
    return [words[name].format(old=told.old, new=told.after)]


def _end(told: Told) -> list[str]:
    """Nodes that come and go, those that need a run, and what is not of the cluster."""
    words, compared = catalogue.load().review, told.compared
    lines = [words["new_node"].format(node=node) for node in compared.added]
    lines += [words["gone"].format(node=node) for node in compared.removed]
    if compared.run:
        lines.append(words["run"].format(scripts=", ".join(f"{node}.sh" for node in compared.run)))
    elif compared.changes:
        lines.append(words["no_run"])
    if told.before.scripts:
        scripts = ", ".join(told.before.scripts)
        lines.append(words["built_otherwise"].format(scripts=scripts, version=told.before.version, this=__version__))
    return lines


def _title(change: Change) -> str:
    words = catalogue.load().review
    old, new = (words["unset"] if value in (None, ()) else shown(plain(value)) for value in (change.old, change.new))
    return words[f"change_{change.kind}"].format(key=change.key, old=old, new=new)


def _effect(effect: Effect) -> str:
    words = catalogue.load().review
    step = effect.step or words["frame"]
    does, risk = words[f"does_{effect.step or 'frame'}"], words[f"risk_{effect.risk}"]
    return words["effect"].format(nodes=", ".join(effect.nodes), step=step, does=does, risk=risk)


def plain(value: Any) -> Any:
    """A value as TOML and JSON have it."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _escaped(line: str) -> str:
    """Text that Markdown takes as text, but for code in backquotes."""
    parts = line.split("`")
    marked = ["".join(f"\\{c}" if c in "\\*_[]<>#|" else c for c in part) for part in parts[::2]]
    codes = [f"`{code}`" for code in parts[1::2]]
    return "".join(part + (codes[i] if i < len(codes) else "") for i, part in enumerate(marked))
