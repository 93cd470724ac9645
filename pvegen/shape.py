"""What a target's file must have, and what is wrong with one of a site's own."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any

from pvegen import catalogue, facts, kinds
from pvegen.errors import Refused
from pvegen.target import files

# What a fact can be; each has its words in the catalogue. A tuple is a choice of values.
TEXT, WORDS, BOOLEAN, NUMBER, DATE, OPTION = "text", "words", "boolean", "number", "date", "option"
# A table of time services, at least one, each with its file; those that snippets/files/ has a file of.
SERVICES = "services"
TIME_SERVICES = {"chrony", "chronyd", "ntp", "ntpd", "ntpsec", "openntpd", "systemd-timesyncd"}

# Every key of every target: there are no others, and none may be missing.
SHAPE: dict[str, dict[str, Any]] = {
    "pve": {"series": WORDS, "corosync": (2, 3), "released": DATE},
    "release": {
        "file": TEXT, "pattern": TEXT, "package_manager": ("rpm", "dpkg"), "packages": WORDS, "commands": WORDS,
    },
    "network": {
        "manager": ("etcnet", "ifupdown2"), "bridge_options": ("", "brctl", "options"),
        "bridge_command": TEXT, "vlan_aware": BOOLEAN, "bond": BOOLEAN, "restart_unit": TEXT,
        "boot_units": WORDS, "rivals": WORDS, "mirror_interfaces_before": TEXT, "mirror_package": TEXT,
    },
    "time": {"timezone_file": BOOLEAN, "services": WORDS, "config": SERVICES, "mask": WORDS},
    "ssh": {"config": TEXT, "unit": TEXT, "environment": BOOLEAN, "root_by_key": TEXT},
    "rrdcached": {"sysconfig": TEXT, "templates": WORDS, "directories": WORDS},
    "corosync": {
        "stub": BOOLEAN, "links": NUMBER, "few_links": NUMBER, "many_links_from": TEXT,
        "token_coefficient_from": TEXT,
    },
    "pvecm": {
        "link": OPTION, "network": OPTION, "link_always": BOOLEAN, "priority": BOOLEAN, "use_ssh": TEXT,
        "rsync_from": TEXT, "api": BOOLEAN,
    },
    "services": {"before": WORDS, "cluster": WORDS, "boot": WORDS, "after": WORDS, "onboot": WORDS},
}  # fmt: skip


def look_at(folder: str) -> None:
    """Whether a site's folder of targets can be used; Refused with all that is wrong where not."""
    words = catalogue.load().targets
    shown = catalogue.visible(folder)
    try:
        names = files(folder)
    except OSError as error:
        raise Refused(words["no_folder"].format(path=shown, why=error.strerror or error)) from error
    said = [f"  {catalogue.visible(f'{name}{fault}')}" for name in names for fault in _of_file(folder, name)]
    if said:
        raise Refused(words["unusable"].format(path=shown, faults="\n".join(said)).strip())
    if not names:
        raise Refused(words["none"].format(path=shown))


def _of_file(folder: str, name: str) -> Iterator[str]:
    """What is wrong with one file, each with the line where there is one."""
    words = catalogue.load().targets
    try:
        kinds.TARGET.parse(name.removesuffix(".toml"))
    except kinds.Rejected:
        yield ": " + words["name"]
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        yield ": " + words["unreadable"].format(why=getattr(error, "strerror", None) or error)
        return
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        yield ": " + words["no_toml"].format(why=error)
        return
    yield from faults(text, data)


def faults(text: str, data: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a target's facts; text: the file's, data: what TOML makes of it."""
    words = catalogue.load().targets
    if not _is(TEXT, data.get("title")) or not data["title"]:
        yield ": " + words["title"]
    for section, keys in SHAPE.items():
        table = data.get(section)
        if not isinstance(table, dict):
            yield ": " + words["missing"].format(name=f"[{section}]")
            continue
        for key in keys:
            if key not in table:
                yield ": " + words["missing"].format(name=f"[{section}] {key}")
    for name, value in data.items():
        if name not in SHAPE and name != "title":
            yield ": " + _unknown(f"[{name}]" if isinstance(value, dict) else name, name, SHAPE)
    for fact in facts.facts(text, data):
        if fact.section in SHAPE:
            yield from (f":{fact.line}: {fault}" for fault in (*_of_fact(fact), *_beside(fact, data)))


def _beside(fact: facts.Fact, data: dict[str, Any]) -> Iterator[str]:
    """What does not go with another fact.

    That is time services with a file that the script would never pick, and bridges that would let no VLAN through.
    """
    words, name = catalogue.load().targets, (fact.section, fact.key)
    listed = data["time"].get("services")
    if name == ("time", "config") and _is(SERVICES, fact.value) and _is(WORDS, listed):
        for service in sorted(fact.value.keys() - set(listed)):
            yield words["unlisted"].format(name=service)
    if name == ("network", "vlan_aware") and fact.value is True and data["network"].get("manager") == "etcnet":
        yield words["filtered"]


def _of_fact(fact: facts.Fact) -> Iterator[str]:
    words = catalogue.load().targets
    name = f"[{fact.section}] {fact.key}"
    kind = SHAPE[fact.section].get(fact.key)
    if kind is None:
        yield _unknown(name, fact.key, SHAPE[fact.section])
        return
    if not _is(kind, fact.value):
        wanted = ", ".join(map(facts.shown, kind)) if isinstance(kind, tuple) else words[kind]
        if kind == SERVICES:
            wanted = wanted.format(services=", ".join(sorted(TIME_SERVICES)))
        text = words["choice" if isinstance(kind, tuple) else "kind"]
        yield text.format(name=name, value=facts.shown(fact.value), wanted=wanted)
    if not fact.marks:
        yield words["no_source"].format(name=name)


def _unknown(shown: str, name: str, known: dict[str, Any]) -> str:
    from pvegen.nearest import nearest

    words = catalogue.load()
    near = nearest(name, list(known))
    hint = words.call["hint"].format(nearest=near) if near else ""
    return str(words.targets["unknown"].format(name=shown, hint=hint))


def _is(kind: str | tuple[Any, ...], value: object) -> bool:
    """Whether a value is what a fact has to be."""
    if isinstance(kind, tuple):
        return value in kind and type(value) is type(kind[0])
    if kind == WORDS:
        return isinstance(value, list) and all(map(_is_word, value))
    if kind == SERVICES:
        # Without any, a description's time servers have no place to go to.
        return (
            isinstance(value, dict)
            and value != {}
            and value.keys() <= TIME_SERVICES
            and all(map(_is_word, value.values()))
        )
    if kind == OPTION:
        # The link's number stands where {} is; "" is no option.
        return isinstance(value, str) and (value == "" or (_is_word(value) and value.count("{}") == 1))
    types = {TEXT: str, BOOLEAN: bool, NUMBER: int, DATE: date}
    return type(value) is types[kind] and (not isinstance(value, str) or value.isprintable())


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value.split() == [value]
