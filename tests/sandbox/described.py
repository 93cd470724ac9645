"""What the folder of a system says, with what it takes over from a neighbour.

``like = "NAME"`` in system.toml: all is as in that system, but for what is said here. A key of system.toml takes the
place of the neighbour's, a table's keys are put among the neighbour's, and `opaque` and `absent` are added to
theirs. Files below root/, packages and owned files are put over the neighbour's; units among theirs, in place where
the neighbour has one of the name, and else before them all. ``units_like = "NAME"`` takes the units from there
instead. ``[without]`` lists under `units`, `packages` and `files` what the neighbour has and this system has not.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SYSTEMS = Path(__file__).parent / "systems"
Units = dict[str, dict[str, object]]


@dataclass
class Described:
    """What is said of a system. data: its system.toml; files: {path: the file that has its content}."""

    data: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    units: Units = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)


def described(name: str) -> Described:
    """Reads the folder of the system NAME; FileNotFoundError where there is none."""
    folder = SYSTEMS / name
    data = tomllib.loads((folder / "system.toml").read_text())
    like = data.pop("like", None)
    base = described(like) if like else Described()
    units = described(data.pop("units_like")).units if "units_like" in data else base.units
    without = data.pop("without", {})
    return Described(
        data=_merged(base.data, data),
        files=_but(base.files, without.get("files", ())) | _files(folder / "root"),
        units=_units(_but(units, without.get("units", ())), folder),
        packages=_but(base.packages, without.get("packages", ())) | _pairs(folder / "packages"),
        owned={path: n for path, n in base.owned.items() if path not in without.get("files", ())}
        | _pairs(folder / "owned"),
    )


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in own.items():
        if isinstance(value, dict):
            value = {**base.get(key, {}), **value}
        elif key in ("opaque", "absent"):
            value = [*base.get(key, ()), *value]
        found[key] = value
    return found


def _but(base: dict[str, Any], names: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """BASE without NAMES, all of which it has to have."""
    missing = [name for name in names if name not in base]
    assert not missing, f"the neighbour has none of these: {missing}"
    return {name: value for name, value in base.items() if name not in names}


def _files(top: Path) -> dict[str, Path]:
    return {"/" + str(path.relative_to(top)): path for path in sorted(top.rglob("*")) if path.is_file()}


def _units(base: Units, folder: Path) -> Units:
    path = folder / "units.toml"
    own: Units = tomllib.loads(path.read_text()) if path.exists() else {}
    first = {name: keys for name, keys in own.items() if name not in base}
    return first | {name: own.get(name, keys) for name, keys in base.items()}


def _pairs(path: Path) -> dict[str, str]:
    """The lines "word word" of a file; none where there is no file."""
    return dict(line.split() for line in path.read_text().splitlines()) if path.exists() else {}
