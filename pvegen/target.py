"""Targets: the systems that nodes can run, each one TOML file of facts."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

_FOLDER = os.path.join(os.path.dirname(__file__), "targets")
_END = ".toml"

@dataclass(eq=False, repr=False)
class Target:
    """One system.

    name: as the description states it; title: for people; data: the facts, by
    section, as the file has them.
    """

    name: str
    title: str
    data: dict[str, Any]

    @property
    def may_be_classic(self) -> bool:
        """Whether nodes may have classic ifupdown, which has no ifreload, in ifupdown2's place."""
        return bool(self.network["manager"] == "ifupdown2") and "ifreload" not in self.release["commands"]

    def __getattr__(self, section: str) -> Any:
        try:
            return self.data[section]
        except KeyError:
            raise AttributeError(f"target {self.name} has no section [{section}]") from None


class Targets:
    """The targets that there are: pvegen's own, and those of a site's folder, which stand before ours.

    A site's are looked at, all of them, before any is used.
    """

    def __init__(self, site: str | os.PathLike[str] | None = None) -> None:
        """site: a folder of further targets. Raises Refused where one of them cannot be used."""
        self._paths = _found(_FOLDER)
        self._loaded: dict[str, Target] = {}
        if site is not None:
            from pvegen.shape import look_at

            look_at(os.fspath(site))
            self._paths |= _found(os.fspath(site))
        self._names = sorted(self._paths, key=_release_order)

    def names(self) -> list[str]:
        """The names of all targets, sorted by system and release."""
        return self._names

    def load(self, name: str) -> Target:
        """A target by its name; raises KeyError for an unknown one."""
        if name not in self._loaded:
            data = tomllib.loads(self.text(name))
            self._loaded[name] = Target(name, data["title"], data)
        return self._loaded[name]

    def text(self, name: str) -> str:
        """A target's file as it stands; raises KeyError for an unknown one."""
        with open(self._paths[name], encoding="utf-8") as file:
            return file.read()


def _found(folder: str) -> dict[str, str]:
    """The files of targets in a folder, by the targets' names."""
    return {name.removesuffix(_END): os.path.join(folder, name) for name in files(folder)}


def files(folder: str) -> list[str]:
    """The names of a folder's files of targets; what else is kept there is its owner's affair."""
    return sorted(name for name in os.listdir(folder) if name.endswith(_END) and not name.startswith("."))


def _release_order(name: str) -> tuple[str, int, str]:
    digits = "".join(c for c in name.split("-")[1] if c.isdigit()) if "-" in name else ""
    return (name.split("-")[0], int(digits or 0), name)


@cache
def shipped() -> Targets:
    """The targets that come with pvegen."""
    return Targets()


def names() -> list[str]:
    """The names of all targets that come with pvegen."""
    return shipped().names()


def load(name: str) -> Target:
    """One of the targets that come with pvegen; raises KeyError for an unknown one."""
    return shipped().load(name)
