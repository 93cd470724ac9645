"""Sandbox: one node, in which a script runs as root and can break nothing but itself."""

import functools
import os
import shlex
import signal
import stat
import subprocess
from collections.abc import Mapping, Sequence
from types import TracebackType

from . import keys, network
from .holder import Holder
from .inroot import Root
from .machine import Machine
from .once import made_once
from .patience import LONGEST
from .saved import Saved, pack, unpack
from .shells import shell_command
from .switch import Switch
from .systems import HERE, hidden, load_system, standin_data, unit_file, write_layer
from .trees import Entry, Tree, read_tree

_DISK = """
mount -t tmpfs -o mode=755,size="$2" node-disk "$1" &&
mkdir "$1/layer" "$1/upper" "$1/work" "$1/root" "$1/standin" && chmod 755 "$1"/* && echo ready && exec cat >/dev/null
"""
_BOOT = (HERE / "boot.sh").read_text()


class Sandbox(Machine):
    """One node: its own root file system, processes, network, host name, and the stand-ins of its system.

    system: a folder of systems/ ("alt-p8", "pve-9"), or a variant in it ("alt-p11:9.1").
    nics: {name: addresses with prefix length}; the first NIC's are written into the system's own network
        configuration and brought up by it at boot. An empty list is a NIC without configuration.
    switch: what the NICs are plugged into; without one the node gets a switch of its own, which answers on GATEWAY.
    gateway: the default route of the configuration; None writes none.
    root_password: what root's password is; None locks it. sh: what /bin/sh is, by a name of SHELLS or a path.
    settings: {name: text} for the stand-ins, see tests/standins/README.md. files: {path: text} laid over the system's.
    disk: the size of the file system, as tmpfs has it. held: enabled units that the first boot leaves stopped, for
        tests that have no use for them (alt-p11's pve-cluster and pveproxy take 0.3 s).
    start: whether to boot at once with the enabled units. real_network: whether ifupdown2 itself sets up the network
        at the first boot as well, instead of the sandbox doing the same in less time.
    saved: what `save` gave of an earlier sandbox of this system, whose disk this one is to have; it then boots as that
        one would have done.
    """

    def __init__(
        self,
        system: str = "alt-p8",
        hostname: str = "pve1",
        nics: Mapping[str, Sequence[str]] | None = None,
        *,
        switch: Switch | None = None,
        gateway: str | None = "10.0.0.1",
        root_password: str | None = None,
        sh: str | None = None,
        settings: Mapping[str, str] | None = None,
        files: Mapping[str, str | bytes] | None = None,
        disk: str = "1g",
        held: Sequence[str] = (),
        start: bool = True,
        real_network: bool = False,
        saved: Saved | None = None,
    ) -> None:
        self.system = load_system(system)
        self.hostname = hostname
        self.nics = {name: list(addresses) for name, addresses in (nics or {"eth0": ["10.0.0.251/24"]}).items()}
        self.gateway = gateway
        self._own_switch = switch is None
        self.switch = switch or Switch(*([f"{gateway}/24"] if gateway else []))
        self._password = root_password
        self._sh = shell_path(sh) if sh else self.system.sh
        # Where much else runs, a corosync that is kept waiting is not gone.
        token = {"token": f"{0.6 * LONGEST:g}"} if LONGEST > 1 else {}
        self._settings = {**token, **self.system.settings, **(settings or {})}
        self._files = files or {}
        self._size = disk
        self._held = held
        self._saved = saved
        self._first_boot = saved is None
        self._real_network = real_network
        self._interfaces_file = "/etc/network/interfaces"
        self._start = start
        self._disk: Holder | None = None
        self._node: Holder | None = None
        self._key: keys.HostKeys | None = None
        self._disk_root: Root

    def __enter__(self) -> "Sandbox":
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, _t: type[BaseException] | None, _v: BaseException | None, _b: TracebackType | None) -> None:
        self.close()

    # Life -------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Makes the disk with a fresh installation on it and, unless told not to, boots."""
        if self._own_switch:
            self.switch.open()
        self._box = box_directory()
        self._disk = Holder(
            ["unshare", "--mount", "--propagation", "private", "dash", "-c", _DISK, "disk", self._box, self._size]
        )
        self._disk_path = f"/proc/{self._disk.pid}/root{self._box}"
        self._disk_root = Root(self._disk_path)
        self._given = self._saved.files if self._saved else self._extra_files()
        write_layer(f"{self._disk_path}/layer", self.system, self._given, sh=self._sh)
        if self._saved:
            unpack(self._disk_path, self._saved.disk)
        else:
            self._write_standin_data()
        if self._start:
            self.boot()

    def close(self) -> None:
        """Ends the node, its processes, its namespaces and its disk."""
        self.power_off()
        if self._disk is not None:
            self._disk_root.close()
            self._disk.close()
            self._disk = None
        if self._key is not None:
            self._key.give_back()
            self._key = None
        if self._own_switch:
            self.switch.close()

    def boot(self) -> None:
        """Starts the node: an empty /run, a fresh network, then the enabled units in their order."""
        assert self._disk is not None and self._node is None
        words = ["nsenter", "-t", str(self._disk.pid), "-m", "--", "unshare", "-m", "-p", "-n", "-u", "-i", "--fork"]
        words += ["--kill-child", "--propagation", "private", "dash", "-c", _BOOT, "boot", self._box, self.hostname]
        self._node = Holder(words)
        self.pid = self._node.child()
        self.root = Root(f"/proc/{self.pid}/root")
        self.switch.plug(self.hostname, self.pid, list(self.nics))
        if self._first_boot and self._boots_ready_made():
            self._network_ready_made()
        self._first_boot = False
        self.run(["/usr/lib/standin/boot"], timeout=120).check()

    def power_off(self) -> None:
        """Ends every process of the node at once; the disk stays."""
        if self._node is not None:
            self.root.close()
            os.kill(self.pid, signal.SIGKILL)
            self._node.close()
            self._node = None
            self.switch.unplug(self.hostname)

    def power_cut(self) -> None:
        """Kills the node without a word to any unit, and boots it."""
        self.power_off()
        self.boot()

    def reboot(self) -> None:
        """Stops the units in order, ends the node, and boots it."""
        self.run(["/usr/lib/standin/shutdown"], timeout=120)
        self.power_off()
        self.boot()

    def save(self) -> Saved:
        """Shuts the node down as a reboot does, and gives what another sandbox needs to go on from there."""
        self.run(["/usr/lib/standin/shutdown"], timeout=120)
        self.power_off()
        return Saved(self._given, pack(self._disk_path))

    # The disk -----------------------------------------------------------------------------------------------------------

    def changes(self) -> Tree:
        """All that is on the disk otherwise than freshly installed; kind "gone" is what was removed.

        A directory in which only something else changed is not in it. The stand-ins' own data (/var/lib/standin)
        and what is in memory (/run, /dev, /etc/pve) are not on the disk.
        """
        found = {path.removeprefix("/upper"): entry for path, entry in read_tree(self._disk_root, ["/upper"]).items()}
        found.pop("")
        return {path: entry for path, entry in found.items() if not self._as_installed(path, entry)}

    def _as_installed(self, path: str, entry: Entry) -> bool:
        """Whether a directory is as the fresh installation has it."""
        if entry.kind != "directory":
            return False
        before = self._disk_root.lstat(f"/layer{path}")
        if before is None and not hidden(path, self.system) and os.path.isdir(path):
            before = os.lstat(path)
        return before is not None and (stat.S_IMODE(before.st_mode), before.st_uid, before.st_gid) == (
            entry.mode,
            entry.uid,
            entry.gid,
        )

    # What the stand-ins were asked and told -----------------------------------------------------------------------

    def calls(self, program: str | None = None) -> list[list[str]]:
        """The command lines that stand-ins got since the last `forget_calls`, in order; of PROGRAM alone if named."""
        try:
            lines = self._disk_root.read("/standin/calls").decode().splitlines()
        except FileNotFoundError:
            return []
        found = [shlex.split(line) for line in lines]
        return [words for words in found if program is None or words[0] == program]

    def forget_calls(self) -> None:
        self._disk_root.remove("/standin/calls")

    def setting(self, name: str, text: str | None) -> None:
        """Tells the stand-ins something (tests/standins/README.md lists the names); None takes it back."""
        if text is None:
            self._disk_root.remove(f"/standin/settings/{name}")
        else:
            self._disk_root.write(f"/standin/{name}.new", text.encode())  # a stand-in may read it right now
            os.rename(f"{self._disk_path}/standin/{name}.new", f"{self._disk_path}/standin/settings/{name}")

    def set_unit(self, name: str, **keys: str) -> None:
        """Makes a unit, or changes one of the system's: KEYS are keys of its unit file (ExecStart="false", ...)."""
        own = {key: value for key, value in self.system.units.get(name, {}).items() if key[0].isupper()}
        self.put(f"/usr/lib/systemd/system/{name}.service", unit_file(name, {**own, **keys}))

    def fail(self, name: str, *, on: bool = True) -> None:
        """Switches an injected failure on or off (tests/standins/README.md lists the names)."""
        if on:
            self._disk_root.write(f"/standin/fail/{name}", b"")
        else:
            self._disk_root.remove(f"/standin/fail/{name}")

    def fill_disk(self, free: int = 0) -> None:
        """Leaves FREE bytes (a multiple of 4096) on the disk: what is written beyond is ENOSPC."""
        used = os.statvfs(self._disk_path)
        size = (used.f_blocks - used.f_bfree) * used.f_frsize + free
        self._remount(f"remount,size={size}")

    def empty_disk(self) -> None:
        """Undoes fill_disk."""
        self._remount(f"remount,size={self._size}")

    def _remount(self, options: str) -> None:
        assert self._disk is not None
        words = ["nsenter", "-t", str(self._disk.pid), "-m", "mount", "-o", options, self._box]
        subprocess.run(words, check=True, capture_output=True)

    # A first boot with ifupdown2, which takes half a second, is shown once to each configuration ---------------------

    def _boots_ready_made(self) -> bool:
        own = self._interfaces_file in self._files or self._real_network
        return self.system.network == "ifupdown2" and not own

    def _network_state(self) -> dict[str, tuple[bytes, int]]:
        """The files that a real boot with this configuration leaves on the disk, as {path: (content, mode)}."""
        text = network.files(self)[self._interfaces_file]
        return made_once(f"network of {self.system.name}: {text}", self._network_really_made)

    def _network_really_made(self) -> dict[str, tuple[bytes, int]]:
        others = [name for name in self.system.units if name != "networking"]
        with Sandbox(self.system.name, nics=self.nics, gateway=self.gateway, held=others, real_network=True) as first:
            return {
                path: (entry.content, entry.mode)
                for path, entry in first.changes().items()
                if isinstance(entry.content, bytes)
            }

    def _network_ready_made(self) -> None:
        """Sets up the interfaces as ifupdown2 does; the networking unit then has nothing to do."""
        self.run(network.booted_script(self)).check()
        self.root.write("/run/network/ifstatelock", b"")
        self.root.write("/run/standin/network-is-up", b"")
        if self.gateway and "resolvconf" in self.system.standins:
            servers = f"search localdomain\nnameserver {self.gateway}\n"
            self.root.write("/run/resolvconf/interfaces/vmbr0", servers.encode())

    # Making -----------------------------------------------------------------------------------------------------

    def _extra_files(self) -> dict[str, tuple[bytes, int]]:
        """The files that depend on what this node was asked to be."""
        self._key = keys.take()
        extra = {
            "/etc/hostname": (f"{self.hostname}\n".encode(), 0o644),
            "/etc/machine-id": (f"{os.urandom(16).hex()}\n".encode(), 0o444),
            "/etc/shadow": (_shadow(self._password), 0o640),
        }
        if self.system.hosts:
            extra["/etc/hosts"] = (self._hosts().encode(), 0o644)
        extra |= {path: (text.encode(), 0o644) for path, text in network.files(self).items()}
        extra |= {f"{self.system.settings['ssh-dir']}/{name}": file for name, file in self._key.files.items()}
        for path, content in self._files.items():
            mode = self.system.modes.get(path, 0o644)
            extra[path] = (content.encode() if isinstance(content, str) else content, mode)
        if self._boots_ready_made():
            extra |= self._network_state()
        return extra

    def _hosts(self) -> str:
        """/etc/hosts as the installer left it."""
        first = next((address for addresses in self.nics.values() for address in addresses), "10.0.0.251/24")
        return self.system.hosts.format(name=self.hostname, address=first.partition("/")[0])

    def _write_standin_data(self) -> None:
        root = self._disk_root
        for path, text in standin_data(self.system, self._settings, self._held).items():
            root.write(f"/standin/{path}", text.encode())
        for name in ("settings", "fail"):
            root.mkdir(f"/standin/{name}")
        sysv = f"{self._disk_path}/layer/var/lib/standin/sysv"
        if os.path.isdir(sysv):
            os.rename(sysv, f"{self._disk_path}/standin/sysv")


def shell_path(name: str) -> str:
    """What /bin/sh can be a link to for a shell's name; only a shell that is one word can."""
    return name if name.startswith("/") else shell_command(name)[0]


def box_directory() -> str:
    """An existing directory to mount a disk on, in a namespace of its own; not one that the tests lie below."""
    for directory in ("/mnt", "/media", "/srv", "/opt"):
        if os.path.isdir(directory) and not str(HERE).startswith(directory + "/"):
            return directory
    raise RuntimeError("no directory to mount a sandbox on: /mnt, /media, /srv, /opt are all missing")


def _shadow(password: str | None) -> bytes:
    """The machine's /etc/shadow with root's entry made anew."""
    secret = "*" if password is None else encrypted(password)
    with open("/etc/shadow") as file:
        rest = [line for line in file if not line.startswith("root:")]
    return "".join([f"root:{secret}:17000:0:99999:7:::\n", *rest]).encode()


@functools.cache
def encrypted(password: str) -> str:
    """The password as /etc/shadow has it."""
    words = ["openssl", "passwd", "-5", "-stdin"]
    return subprocess.run(words, input=password, capture_output=True, text=True, check=True).stdout.strip()
