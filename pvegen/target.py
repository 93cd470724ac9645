"""Targets: the systems that nodes can run, each one TOML file of facts."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

_FOLDER = os.path.join(os.path.dirname(__file__), "targets")

@dataclass(eq=False, repr=False)
class Target:
    """One system.

    name: as the description states it; title: for people; data: the facts, by
    section, as the file has them.
    """

    name: str
    title: str
    data: dict[str, Any]

    def __getattr__(self, section: str) -> Any:
        try:
            return self.data[section]
        except KeyError:
            raise AttributeError(f"target {self.name} has no section [{section}]") from None


@cache
def names() -> list[str]:
    """The names of all targets, sorted by system and release."""
    found = [name.removesuffix(".toml") for name in os.listdir(_FOLDER) if name.endswith(".toml")]
    return sorted(found, key=_release_order)


def _release_order(name: str) -> tuple[str, int, str]:
    digits = "".join(c for c in name.split("-")[1] if c.isdigit()) if "-" in name else ""
    return (name.split("-")[0], int(digits or 0), name)


@cache
def load(name: str) -> Target:
    """Load a target by its name; raises KeyError for an unknown one."""
    if name not in names():
        raise KeyError(name)
    with open(os.path.join(_FOLDER, f"{name}.toml"), "rb") as file:
        data = tomllib.load(file)
    return Target(name, data["title"], data)
