"""The systems that a sandbox can be: folders of data below systems/, and how one becomes a layer of files.

``systems/NAME/system.toml`` says what the folder cannot; ``root/`` holds the files of a fresh installation;
``units.toml`` the units; ``packages`` a line "name version-release" for each package that is installed;
``owned`` a line "path package" for each configuration file that rpm knows to be a package's. What a system takes
over from a neighbour is read by `described`.
"""

import functools
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .described import SYSTEMS, described
from .once import made_once

HERE = Path(__file__).parent
STANDINS = HERE.parent / "standins"
UNPACKED = HERE.parents[1] / ".debian"
"""Debian packages that are unpacked, not installed, each in a folder of its name (.ci/run does it)."""

# Directories of the testing machine that no node sees: its own data, its users', its units.
OPAQUE = (
    "/boot", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var/tmp", "/var/log", "/var/spool/cron",
    "/usr/local", "/usr/lib/systemd/system", "/etc/systemd/system", "/etc/init.d", "/etc/network/interfaces.d",
    "/etc/ssl/private", "/var/lib/standin",
)  # fmt: skip
# What is not a part of a root file system, whatever the testing machine keeps there, is hidden as well.
TOP_LEVEL = re.compile(r"bin|boot|dev|etc|home|lib\w*|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var")
# Keys of a unit file that stand below [Service].
SERVICE = re.compile(
    r"Exec|Type$|RemainAfterExit|PIDFile|Restart|KillMode|Timeout|Environment|RuntimeDirectory|PrivateTmp|Standard"
)
MODES = {"/root": 0o700, "/tmp": 0o1777, "/var/tmp": 0o1777, "/var/lib/standin": 0o755}


@dataclass(frozen=True)
class System:
    """One system, as its folder describes it.

    hosts: what stands in /etc/hosts, with {name} and {address} for the node's, where that hangs on the node.
    borrowed: {path: file of an unpacked Debian package}, for programs that cannot be installed beside others.
    """

    name: str
    folder: Path
    sh: str
    standins: tuple[str, ...]
    settings: Mapping[str, str]
    opaque: tuple[str, ...]
    absent: tuple[str, ...]
    links: Mapping[str, str]
    modes: Mapping[str, int]
    network: str
    hosts: str
    own_files: Mapping[str, Path]
    borrowed: Mapping[str, Path]
    units: Mapping[str, Mapping[str, object]]
    packages: str
    owned: Mapping[str, str]

    @functools.cached_property
    def files(self) -> dict[str, tuple[bytes, int]]:
        """{path: (content, mode)} of the stand-ins, their modules compiled too, and of root/, the latter winning."""
        found: dict[str, tuple[bytes, int]] = {}
        for top in (STANDINS / name for name in self.standins):
            for file in sorted(p for p in top.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
                found["/" + str(file.relative_to(top))] = self._file(file)
        for path, file in {**self.own_files, **self.borrowed}.items():
            found[path] = self._file(file, path)
        return found | made_once(f"compiled for {self.name}", lambda: compiled(found))

    def _file(self, file: Path, path: str = "") -> tuple[bytes, int]:
        """The content and mode of what lies in FILE and stands at PATH."""
        mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
        return file.read_bytes(), self.modes.get(path, mode)


def compiled(files: Mapping[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """{path: (content, mode)} of the modules of FILES as the nodes' Python keeps them: each start compiles none anew."""
    modules = {path: text for path, (text, _) in files.items() if path.endswith(".py")}
    with tempfile.TemporaryDirectory() as top:
        for path, text in modules.items():
            Path(top + path).parent.mkdir(parents=True, exist_ok=True)
            Path(top + path).write_bytes(text)
        # They hold whatever the times of the modules are.
        words = ["-q", "--invalidation-mode", "unchecked-hash", "-s", top, "-p", "/", top]
        subprocess.run(["/usr/bin/python3", "-ISm", "compileall", *words], check=True)
        return {str(file).removeprefix(top): (file.read_bytes(), 0o644) for file in Path(top).rglob("*.pyc")}


@functools.cache
def load_system(name: str) -> System:
    """Reads the system called NAME or NAME:VARIANT; FileNotFoundError or KeyError where there is none."""
    base, _, variant = name.partition(":")
    found = described(base)
    data = found.data
    changes = data["variant"][variant] if variant else {}
    return System(
        name=name,
        folder=SYSTEMS / base,
        sh=data["sh"],
        standins=tuple(data["standins"]),
        settings={**data.get("settings", {}), **changes.get("settings", {})},
        opaque=tuple(data.get("opaque", ())),
        absent=tuple(data.get("absent", ())),
        links=data.get("links", {}),
        modes={path: int(mode, 8) for path, mode in data.get("modes", {}).items()},
        network=data["network"],
        hosts=changes.get("hosts", data.get("hosts", "")),
        own_files=found.files,
        borrowed={path: UNPACKED / file for path, file in data.get("borrowed", {}).items()},
        units=found.units,
        owned=found.owned,
        packages="".join(f"{n} {v}\n" for n, v in {**found.packages, **changes.get("packages", {})}.items()),
    )


def unit_file(name: str, unit: Mapping[str, object]) -> str:
    """The text of the unit file of NAME: the keys that are given, under the headings where systemd has them."""
    headings: dict[str, list[str]] = {"Unit": [], "Service": [], "Install": []}
    install = {"WantedBy", "Alias"}
    for key, value in {"Description": name, **unit}.items():
        heading = "Service" if SERVICE.match(key) else "Install" if key in install else "Unit"
        headings[heading].append(f"{key}={value}")
    parts = ["\n".join([f"[{heading}]", *lines]) for heading, lines in headings.items() if lines]
    return "\n\n".join(parts) + "\n"


def standin_data(system: System, settings: Mapping[str, str], held: Sequence[str] = ()) -> dict[str, str]:
    """{path below /var/lib/standin: text}: what the stand-ins of SYSTEM read; HELD as in Sandbox."""
    owned = ((path, package, system.files[path][0]) for path, package in system.owned.items())
    return {
        "packages": system.packages,
        "owned": "".join(f"{hashlib.sha256(data).hexdigest()}  {path} {package}\n" for path, package, data in owned),
        "order": "".join(f"{name}\n" for name in system.units),
        "held": "".join(f"{name}\n" for name in held),
        **{f"settings/{name}": text for name, text in settings.items()},
    }


@dataclass
class Layer:
    """The files of a fresh node, written below a directory that becomes an overlay's lower layer."""

    directory: str
    _made: set[str] = field(default_factory=lambda: {""})

    def path(self, path: str) -> str:
        """PATH below the directory, the directories above it made as the machine's own have them."""
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            self.mkdir(parent)
        return self.directory + path

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        if path in self._made:
            return
        where = self.path(path)
        os.mkdir(where)
        os.chmod(where, MODES.get(path, mode))
        self._made.add(path)

    def write(self, path: str, data: bytes | str, mode: int = 0o644) -> None:
        where = self.path(path)
        with open(where, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(where, mode)

    def link(self, path: str, target: str) -> None:
        where = self.path(path)
        if os.path.lexists(where):
            os.unlink(where)
        os.symlink(target, where)

    def opaque(self, path: str) -> None:
        """An empty directory, nothing of the machine's own seen through it."""
        self.mkdir(path)
        os.setxattr(self.directory + path, "trusted.overlay.opaque", b"y")

    def hide(self, path: str) -> None:
        """Nothing at PATH, whatever the machine has there."""
        os.mknod(self.path(path), 0o020000)


def hidden(path: str, system: System) -> bool:
    """Whether what the testing machine has at PATH is not seen in a sandbox."""
    return any((path + "/").startswith(top + "/") for top in (*OPAQUE, *system.opaque, *system.absent))


def write_layer(directory: str, system: System, extra: Mapping[str, tuple[bytes, int]], *, sh: str) -> None:
    """Writes all files of a fresh node of SYSTEM below DIRECTORY; EXTRA {path: (content, mode)} wins over its own."""
    layer = Layer(directory)
    for path in (*OPAQUE, *system.opaque):
        layer.opaque(path)
    for name in os.listdir("/"):
        if not TOP_LEVEL.fullmatch(name):
            layer.hide(f"/{name}")
    files = {**system.files, **extra}
    for path in system.absent:
        if path not in files and path not in system.links and os.path.lexists(path):
            layer.hide(path)
    for path, (data, mode) in files.items():
        layer.write(path, data, mode)
    layer.link("/usr/bin/sh", sh)
    for path, target in system.links.items():
        layer.link(path, target)
    write_units(layer, system.units, system.files)


def stub_script(name: str) -> str:
    """The SysV script of NAME in a sandbox, where the stand-in of systemctl does its work."""
    return f'#!/bin/sh\nexec systemctl "$1" {name}\n'


def write_units(
    layer: Layer,
    units: Mapping[str, Mapping[str, object]],
    files: Container[str],
    *,
    script: Callable[[str], str] = stub_script,
    levels: str = "/etc/rc.d",
) -> None:
    """Unit files, SysV scripts and the links that enabling makes, where systemd has them.

    A SysV script that FILES has is left alone, another one is SCRIPT of its name; LEVELS is where run levels are kept.
    """
    for name, unit in units.items():
        keys = {key: value for key, value in unit.items() if key[0].isupper()}
        if "alias_of" in unit:
            layer.link(f"/usr/lib/systemd/system/{name}.service", f"{unit['alias_of']}.service")
        elif unit.get("sysv"):
            path = f"/etc/init.d/{name}"
            layer.write(f"/var/lib/standin/sysv/{name}.service", unit_file(name, keys))
            if path not in files:
                layer.write(path, script(name), 0o755)
            if unit.get("enabled"):
                layer.link(f"{levels}/rc3.d/S50{name}", f"../init.d/{name}")
        else:
            if not unit.get("static"):
                keys.setdefault("WantedBy", "multi-user.target")
            layer.write(f"/usr/lib/systemd/system/{name}.service", unit_file(name, keys))
            if unit.get("enabled"):
                target = f"/usr/lib/systemd/system/{name}.service"
                layer.link(f"/etc/systemd/system/{keys['WantedBy']}.wants/{name}.service", target)
                if "Alias" in keys:
                    layer.link(f"/etc/systemd/system/{keys['Alias']}", target)
