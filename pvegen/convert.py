"""TOML data -> Description, by the model, with all mistakes of its shape in one go.

What is wrong is replaced by something harmless and its path noted, so that the
checks that follow still run and leave alone whatever rests on it.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from typing import Any, NamedTuple

from pvegen import characters
from pvegen.kinds import Kind, ListOf, Rejected
from pvegen.mistakes import Mistake, Sample, Word
from pvegen.model import REQUIRED, Description, Key, Table
from pvegen.source import Path, Source

# Looking for the nearest name costs; nobody reads the thousandth suggestion.
_SUGGESTIONS = 100
_LONGEST_NAME = 60
# Two keys as alike as this differ by a slip of the finger, even where the word is a key of another table.
_SLIP = 0.8

# What takes the place of a value that is no TOML: already told, so nothing more is said of it.
BROKEN = datetime.datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=datetime.UTC)

# The first character of the name of a table that stands once and was stated again: what
# is in it is looked at, and goes nowhere.
AGAIN = "\ue000"

# What other programs call a key of ours.
_ALSO_CALLED = {
    "addr": "address", "cidr": "address", "dev": "nic", "device": "nic", "dns": "nameservers", "gw": "gateway",
    "host": "name", "hostname": "name", "hwaddr": "mac", "iface": "nic", "ip": "address", "ip6": "address6",
    "ipv6": "address6", "mac_address": "mac", "members": "nics", "ntp": "servers", "ports": "port", "slaves": "nics",
    "tag": "id", "tz": "timezone", "vid": "id",
}

# The tables that may stand several times, at the top of the file.
SEVERAL = frozenset(name for name, key in Description.KEYS.items() if key.many)

# What nobody should look for among the known keys.
_SECRETS = frozenset({"pass", "passphrase", "passwd", "password", "pwd", "root_password", "secret"})

_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"), (int, "integer"), (float, "float"), (str, "string"), (dict, "table"), (list, "array"),
    (datetime.datetime, "datetime"), (datetime.date, "date"), (datetime.time, "time"),
)


class Converted(NamedTuple):
    """A description, what is wrong with its shape, and the paths whose values are not what the file states."""

    description: Description
    mistakes: list[Mistake]
    bad: set[Path]


def convert(source: Source, data: dict[str, Any]) -> Converted:
    """The description that TOML data states."""
    converter = _Converter(source)
    description = converter.table(Description, (), data)
    return Converted(description, converter.mistakes, converter.bad)


def type_name(value: object) -> str:
    """What TOML calls a value's type, "tables" being an array of tables."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return "tables"
    return next(name for kind, name in _TYPES if isinstance(value, kind))


class _Converter:
    """One conversion: the mistakes and the bad paths found so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mistakes: list[Mistake] = []
        self.bad: set[Path] = set()
        self._suggestions = 0

    def _say(self, code: str, path: Path, part: str = "value", inside: tuple[int, int] | None = None,
             **facts: Any) -> None:
        """Note a mistake; the path's value is not to be relied on."""
        self.bad.add(path)
        self._note(code, path, part, inside, **facts)

    def _note(self, code: str, path: Path, part: str = "value", inside: tuple[int, int] | None = None,
              **facts: Any) -> None:
        """Note a mistake that leaves no doubt of what the path's value is."""
        named = next((part for part in reversed(path) if isinstance(part, str)), "")
        self.mistakes.append(Mistake(code, self.source, path, part, inside, {"key": named} | facts))

    def table(self, kind: type[Table], path: Path, data: dict[str, Any]) -> Any:
        """A table, as its class of the model; every key that is wrong or absent has a stand-in."""
        data = dict(data)
        meant = self._unknown_keys(kind, path, data)
        values = {}
        for name, key in kind.KEYS.items():
            here = (*path, name)
            if name in data:
                values[name] = self._present(key, here, data[name])
            else:
                values[name] = self._absent(key, here, name in meant)
        return kind(**values)

    def _unknown_keys(self, kind: type[Table], path: Path, data: dict[str, Any]) -> set[str]:
        """Note the keys that the table does not have; which of its keys were probably meant.

        A table whose header is misspelt is taken into the data as the one that was meant.
        """
        meant = set()
        for name in [name for name in data if name not in kind.KEYS]:
            if name.startswith(AGAIN) and self.source.is_mended:
                self._again(kind.KEYS.get(name.lstrip(AGAIN)), (*path, name), data[name])
                continue
            likely = self._unknown(kind, path, name, data)
            if likely is None:
                continue
            if isinstance(kind.KEYS[likely].kind, type) and isinstance(data[name], dict | list):
                self._take_for(kind.KEYS[likely], (*path, likely), name, data)
            elif likely not in data:
                meant.add(likely)
                self.bad.add((*path, likely))
        return meant

    def _again(self, key: Key | None, path: Path, data: Any) -> None:
        """Note what is wrong in a table that was stated before; what it lacks may stand there."""
        if key is None or not isinstance(key.kind, type) or key.many or not isinstance(data, dict):
            return
        before = len(self.mistakes)
        self.table(key.kind, path, data)
        self.mistakes[before:] = [mistake for mistake in self.mistakes[before:] if mistake.code != "PVE110"]

    def _take_for(self, key: Key, meant: Path, name: str, data: dict[str, Any]) -> None:
        """Take what a misspelt header states for the table that was meant, or add it to those that there are."""
        likely = str(meant[-1])
        value = data[name]
        if likely not in data:
            data[likely] = value
            self.source.take_for(meant, meant[:-1], name)
        elif key.many and isinstance(data[likely], list) and isinstance(value, list):
            for number in range(len(value)):
                self.source.take_for((*meant, len(data[likely]) + number), meant[:-1], name, number)
            data[likely] = data[likely] + value

    def _unknown(self, kind: type[Table], path: Path, name: str, data: dict[str, Any]) -> str | None:
        """Note one unknown key; the key that was probably meant, if any."""
        here = (*path, name)
        if not name or name.lower() in _SECRETS:
            self._say("PVE134" if name else "PVE133", here, "key")
            return None
        wrong = characters.faults(name)
        likely = characters.latin(name)
        for fault in wrong:
            self._say(fault.code, here, "key", fault.inside, **fault.facts)
        if wrong:
            return likely if likely in kind.KEYS else None
        free = [key for key in kind.KEYS if key not in data]
        homes = [header for header, keys in _homes() if name in keys]
        nearest = also = _ALSO_CALLED.get(name)
        if nearest not in free:
            nearest = self._nearest(name, free, _SLIP) or (None if homes else self._nearest(name, list(kind.KEYS)))
        elsewhere = [header for header, keys in _homes() if also in keys and nearest is None]
        if nearest in free or (nearest and kind.KEYS[nearest].many):
            self._say("PVE101", here, "key", nearest=nearest)
        elif nearest is not None:
            self._say("PVE135", here, "key", nearest=nearest)
        elif elsewhere and not homes:
            self._say("PVE136", here, "key", nearest=also, homes=elsewhere[:4])
        elif homes:
            self._say("PVE102", here, "key", homes=homes[:4])
        else:
            self._say("PVE103", here, "key", known=list(kind.KEYS))
        return nearest

    def _nearest(self, name: str, known: list[str], likeness: float = 0.6) -> str | None:
        self._suggestions += 1
        if self._suggestions > _SUGGESTIONS or len(name) > _LONGEST_NAME:
            return None
        from pvegen.nearest import nearest

        return nearest(name, known, likeness)

    def _absent(self, key: Key, path: Path, excused: bool) -> Any:
        """The default of a key that is left out; a mistake if it has none, unless it was only misspelt."""
        if key.default is REQUIRED and not excused:
            self._missing(key, path)
        if key.default is REQUIRED:
            self.bad.add(path)
        return stand_in(key, path)

    def _missing(self, key: Key, path: Path) -> None:
        if isinstance(key.kind, type):
            self._say("PVE115" if key.many else "PVE114", path, example=Sample("\n".join(template(key.kind))))
        else:
            self._say("PVE110", path, table=table_name(path[:-1]), example=Sample(f"{path[-1]} = {key.example}"))

    def _present(self, key: Key, path: Path, value: Any) -> Any:
        """A stated key's value, or the stand-in where it is wrong."""
        if value == BROKEN:
            self.bad.add(path)
            return stand_in(key, path)
        if isinstance(key.kind, type):
            return self._tables(key, path, value) if key.many else self._one_table(key, path, value)
        if isinstance(key.kind, ListOf):
            return self._list(key, key.kind, path, value)
        return self._value(key, key.kind, path, value)

    def _one_table(self, key: Key, path: Path, value: Any) -> Any:
        assert isinstance(key.kind, type)
        if isinstance(value, dict):
            return self.table(key.kind, path, value)
        if type_name(value) == "tables":
            self._note("PVE118", path, many=len(value))
            self.source.take_for(path, path[:-1], path[-1], 0)
            return self.table(key.kind, path, value[0])
        else:
            self._say("PVE105", path, found=Word(type_name(value)), header=f"[{table_name(path)}]")
        return stand_in(key, path)

    def _tables(self, key: Key, path: Path, value: Any) -> Any:
        """An array of tables; items that are none are told one by one."""
        assert isinstance(key.kind, type)
        header = f"[[{table_name(path)}]]"
        if isinstance(value, dict):
            self._note("PVE109", path, header=header)
            self.source.take_for((*path, 0), path)
            return (self.table(key.kind, (*path, 0), value),)
        if not isinstance(value, list):
            self._say("PVE105", path, found=Word(type_name(value)), header=header)
            return stand_in(key, path)
        if not value and key.default is REQUIRED:
            self._missing(key, path)
        items = []
        for number, item in enumerate(value):
            if isinstance(item, dict):
                items.append(self.table(key.kind, (*path, number), item))
            else:
                self._say("PVE105", (*path, number), found=Word(type_name(item)), header=header)
                items.append(_empty(key.kind, (*path, number)))
        return tuple(items)

    def _list(self, key: Key, kind: ListOf, path: Path, value: Any) -> Any:
        """A list's good items; the whole list is marked when one is bad."""
        if not isinstance(value, list):
            if kind.item.base == type_name(value):
                self._say("PVE108", path, value=value)
            else:
                self._wrong_type(Word("array"), path, value)
            return stand_in(key, path)
        if len(value) < kind.at_least:
            self._say("PVE116", path, least=kind.at_least, example=Sample(key.example))
        items: dict[Any, int] = {}
        for number, item in enumerate(value):
            before = len(self.mistakes)
            converted = self._value(key, kind.item, (*path, number), item)
            if len(self.mistakes) == before and items.setdefault(converted, number) != number:
                self._say("PVE119", (*path, number), value=item, first=items[converted] + 1)
        return tuple(items)

    def _value(self, key: Key, kind: Kind, path: Path, value: Any) -> Any:
        if type_name(value) != kind.base:
            self._wrong_type(Word(kind.base), path, value)
            return stand_in(key, path)
        if isinstance(value, str) and (wrong := characters.faults(value)):
            for fault in wrong:
                self._say(fault.code, path, inside=fault.inside, **fault.facts)
            return stand_in(key, path)
        try:
            return kind.parse(value)
        except Rejected as rejected:
            self._say(rejected.code, path, **{"value": value} | rejected.facts)
            return stand_in(key, path)

    def _wrong_type(self, wanted: Word, path: Path, value: Any) -> None:
        """A value of another type than its key's, with the line put right where that can be told."""
        found = type_name(value)
        if isinstance(value, str) and wanted == "integer" and value.strip().isascii() and value.strip().isdigit():
            self._say("PVE106", path, value=value.strip())
        elif isinstance(value, str) and wanted == "boolean" and value.strip().lower() in ("true", "false"):
            self._say("PVE106", path, value=value.strip().lower())
        elif wanted == "string" and found in ("integer", "boolean", "float", "date", "datetime", "time"):
            self._say("PVE107", path, found=Word(found))
        elif found in ("table", "tables"):
            self._say("PVE117", path, wanted=wanted)
        else:
            self._say("PVE104", path, wanted=wanted, found=Word(found))


def types_of(name: str) -> set[str]:
    """What TOML calls the types that keys of a name take, whichever table they are in."""
    found = set()
    for _, keys in _homes():
        if name in keys:
            kind = keys[name].kind
            found.add("table" if isinstance(kind, type) else "array" if isinstance(kind, ListOf) else kind.base)
    return found


def stand_in(key: Key, path: Path) -> Any:
    """What takes the place of a value that is absent or wrong: the default, else something of its kind."""
    if isinstance(key.kind, type):
        return () if key.many else _empty(key.kind, path)
    if key.default is not REQUIRED:
        return key.default
    if isinstance(key.kind, ListOf):
        return ()
    if key.kind.base == "integer":
        return 1
    if key.kind.name.startswith("network"):
        return ipaddress.ip_network("255.255.255.255/32")
    if "keep" in key.kind.name:
        return "keep"
    # Nothing that anybody could state, and fit to be read in a message: "[[node]] 2".
    number = next((part for part in reversed(path) if isinstance(part, int)), -1)
    return f"[[{table_name(path[:-1])}]] {number + 1}"


def _empty(kind: type[Table], path: Path) -> Any:
    """A table of nothing but defaults and stand-ins."""
    return kind(**{name: stand_in(key, (*path, name)) for name, key in kind.KEYS.items()})


def template(kind: type[Table]) -> list[str]:
    """The lines that state a table's required keys, by their examples."""
    return [
        f"{name} = {key.example}"
        for name, key in kind.KEYS.items()
        if key.default is REQUIRED and not isinstance(key.kind, type)
    ]


def table_name(path: Path) -> str:
    """What a table is called in its header: "node.bond"; nothing for the top of the file."""
    return ".".join(part for part in path if isinstance(part, str))


def _homes() -> Iterator[tuple[str, dict[str, Key]]]:
    """Every table of the model: its header (a word of the catalogue for the top of the file), and its keys."""
    todo: list[tuple[str, str, type[Table]]] = [(Word("top"), "", Description)]
    while todo:
        header, name, kind = todo.pop(0)
        yield header, kind.KEYS
        for key, meta in kind.KEYS.items():
            if isinstance(meta.kind, type):
                inner = f"{name}.{key}" if name else key
                todo.append((f"[[{inner}]]" if meta.many else f"[{inner}]", inner, meta.kind))
