"""What the scripts of a cluster can say, from the catalogue that they themselves are made of."""

from __future__ import annotations

import re
from functools import cached_property

from pvegen.render import Renderer

_DO = "_do"
# Stands for what a script fills in, while a message's own words are looked for.
_GAP = "\x1f"
# What a message's words are cut at: the shell has its own spelling of these.
_SPELT = re.compile(r"[\x1f'\"$`\\\n]")
# Most of what is shorter stands in a script for another reason.
_TELLING = 6


class Said:
    """Messages with what is known filled in, the rest in capitals: "member MEMBER answers"."""

    def __init__(self, renderer: Renderer, scripts: list[str], known: dict[str, str]) -> None:
        """scripts: the texts of all; known: what is the same in all of them, by the name of the gap."""
        self._renderer = renderer
        self._scripts = scripts
        self.known = known
        self._fields = renderer.said

    def __call__(self, name: str, **known: str) -> str:
        """One message; KeyError where there is none of this name."""
        known = self.known | known
        gaps = {field: known.get(field, field.upper()) for field in self._fields[name]}
        return self._renderer.words(name, **gaps).strip()

    @cached_property
    def helped(self) -> dict[str, list[tuple[str, str]]]:
        """All that the scripts can say together with what to do, by the first part of the messages' names."""
        found: dict[str, list[tuple[str, str]]] = {}
        for name in self._fields:
            if name + _DO in self._fields and self._is_in_scripts(name) and self._is_in_scripts(name + _DO):
                found.setdefault(name.partition(".")[0], []).append((self(name), self(name + _DO)))
        return found

    def _is_in_scripts(self, name: str) -> bool:
        """Whether a message's own words stand in one of the scripts."""
        text = self._renderer.words(name, **dict.fromkeys(self._fields[name], _GAP))
        words = max(_SPELT.split(text), key=len).strip()
        return len(words) >= _TELLING and any(words in script for script in self._scripts)
