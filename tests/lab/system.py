"""The layer that makes Debian's root file system one of ALT Linux with Proxmox VE, for as far as scripts can see.

It is what a sandbox of that system has (tests/sandbox/systems, tests/standins), with the lab's own stand-ins over it
(tests/lab/standins) and without those of systemd: real systemd runs the units. ``systems/NAME/units.toml`` has what
is otherwise in the lab of a system's units: further keys, or keys of another value.
"""

import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

from sandbox.systems import STANDINS, Layer, System, compiled, load_system, standin_data, write_units

from . import place

HERE = Path(__file__).parent
# Stand-ins of the sandbox for what is real here.
REAL = (
    "/usr/bin/systemctl", "/usr/bin/systemd-run", "/usr/bin/journalctl", "/usr/lib/standin/boot",
    "/usr/lib/standin/shutdown",
)  # fmt: skip
# Debian's own units of what a system has under names or with settings of its own.
FOREIGN = (
    "ssh",
    "ssh@",
    "rescue-ssh",
    "cron",
    "rrdcached",
    "corosync",
    "corosync-notifyd",
    "networking",
    "ifupdown2-hotplug",
)
OPAQUE = ("/etc/corosync", "/etc/pve", "/etc/network/interfaces.d", "/etc/init.d", "/var/lib/standin", "/root")
HIDDEN = ("/etc/systemd/system/sshd.service",)  # Debian's alias, which would win over the system's own unit


def layer(name: str) -> Path:
    """The folder of the layer of the system NAME; made where the files that it comes from are others than before."""
    system = load_system(name)
    tops = [HERE / "standins", HERE / "systems" / name, HERE.parent / "standins", system.folder]
    files = sorted(
        path for top in tops for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    recipe = place.digest(
        [
            Path(__file__).read_bytes(),
            *(part for f in files for part in (str(f.relative_to(HERE.parent)), f.read_bytes())),
        ]
    )
    path = place.folder("systems") / f"{name.replace(':', '-')}-{recipe}"
    with place.alone(f"system-{name}"):
        if not path.exists():
            new = path.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(mode=0o755)
            _write(new, system)
            new.rename(path)
    return path


def units(system: System) -> dict[str, dict[str, object]]:
    """The units of SYSTEM as they are in the lab: {name: keys}, as in the sandbox's units.toml."""
    found = {name: dict(unit) for name, unit in system.units.items()}
    path = HERE / "systems" / system.name.partition(":")[0] / "units.toml"
    if path.exists():
        for name, keys in tomllib.loads(path.read_text()).items():
            found.setdefault(name, {}).update(keys)
    for unit in found.values():
        if "alias_of" not in unit:
            unit.setdefault("ExecStart", "/usr/bin/sleep infinity")  # a placeholder
    return {name: {key: value for key, value in unit.items() if value != ""} for name, unit in found.items()}


def settings(system: System) -> dict[str, str]:
    """What the stand-ins are told: the sandbox's settings, with the true times instead of its short ones."""
    return {**system.settings, "quorum-delay": "5"}


def sysv_script(name: str) -> str:
    """A SysV script, as systemd's own generator makes a unit of; its daemon is a placeholder."""
    return f"""#!/bin/sh
### BEGIN INIT INFO
# Provides: {name}
# Required-Start: $local_fs
# Required-Stop: $local_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: {name}
### END INIT INFO
pid=/run/{name}.pid
case $1 in
    start) setsid sleep infinity </dev/null >/dev/null 2>&1 & echo $! >$pid ;;
    stop) [ ! -f $pid ] || kill "$(cat $pid)"; rm -f $pid ;;
    restart | force-reload | condrestart) "$0" stop; "$0" start ;;
    status) [ -f $pid ] && kill -0 "$(cat $pid)" ;;
esac
"""


def write_files(directory: Path, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Writes {path: (content, mode)} below DIRECTORY, which is made."""
    directory.mkdir()
    directory.chmod(0o755)
    made = Layer(str(directory))
    for path, (data, mode) in files.items():
        made.write(path, data, mode)


def _write(directory: Path, system: System) -> None:
    files = _files(system)
    made = Layer(str(directory))
    for path in (*OPAQUE, *(path for path in system.opaque if path not in OPAQUE)):
        made.opaque(path)
    own = units(system)
    for path in (
        *HIDDEN,
        *system.absent,
        *(f"/usr/lib/systemd/system/{unit}.service" for unit in FOREIGN if unit not in own),
    ):
        if path not in files and path not in system.links:
            made.hide(path)
    for path, (data, mode) in files.items():
        made.write(path, data, mode)
    made.link("/usr/bin/sh", system.sh)
    for path, target in system.links.items():
        made.link(path, target)
    for path, text in standin_data(system, settings(system)).items():
        made.write(f"/var/lib/standin/{path}", text)
    made.mkdir("/var/lib/standin/fail")
    write_units(made, own, files, script=sysv_script, levels="/etc")


def _files(system: System) -> dict[str, tuple[bytes, int]]:
    """{path: (content, mode)}: the sandbox's files of the system, the lab's stand-ins over them."""
    fake = {"/" + str(path.relative_to(STANDINS / "corosync")) for path in (STANDINS / "corosync").rglob("*")}
    found = {
        path: file
        for path, file in system.files.items()
        if path not in REAL and path not in fake and not path.endswith(".pyc")
    }
    for name in system.standins:
        top = HERE / "standins" / name
        for path in sorted(p for p in top.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            found["/" + str(path.relative_to(top))] = (path.read_bytes(), mode)
    found["/usr/lib/tmpfiles.d/standin.conf"] = (b"".join(b"d /run/standin%b 0755\n" % d for d in DIRECTORIES), 0o644)
    return found | compiled(found)


DIRECTORIES = (b"", b"/log", b"/pids")
