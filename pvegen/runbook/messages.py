"""What the scripts of a cluster can say, from the catalogue that they themselves are made of."""

from __future__ import annotations

import re
from functools import cache, cached_property

from pvegen.render import Rendered, Renderer

_DO = "_do"
# Stands for what a script fills in, while a message's own words are looked for.
_GAP = "\x1f"
# What a message's words are cut at: the shell has its own spelling of these.
_SPELT = re.compile(r"[\x1f'\"$`\\\n]")
# Most of what is shorter stands in a script for another reason.
_TELLING = 6


class Said:
    """Messages with what is known filled in, the rest in capitals: "member MEMBER answers"."""

    def __init__(self, renderer: Renderer, scripts: list[Rendered], known: dict[str, str]) -> None:
        """scripts: all of them; known: what is the same in all of them, by the name of the gap."""
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
        own = {name: words for name in self._fields if name.endswith(_DO) and (words := self._words(name))}
        wanted = frozenset(own.values())
        told = set().union(*(_told(runtime, wanted) for runtime in {script.runtime for script in self._scripts}))
        found: dict[str, list[tuple[str, str]]] = {}
        for name, words in own.items():
            if words in told or any(words in script.own for script in self._scripts):
                message = name.removesuffix(_DO)
                if message in self._fields:
                    found.setdefault(name.partition(".")[0], []).append((self(message), self(name)))
        return found

    def _words(self, name: str) -> str:
        """The longest run of a message's own words; "" where that tells nothing."""
        text = self._renderer.words(name, **dict.fromkeys(self._fields[name], _GAP))
        words = max(_SPELT.split(text), key=len).strip()
        return words if len(words) >= _TELLING else ""


@cache
def _told(runtime: str, wanted: frozenset[str]) -> frozenset[str]:
    """Which of these words stand in a runtime. Most scripts have the same one."""
    return frozenset(words for words in wanted if words in runtime)
