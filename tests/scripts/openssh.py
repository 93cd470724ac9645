"""Other releases of OpenSSH than the machine's: what a node's sshd and ssh say of their files is then theirs.

Debian's own of other suites lie unpacked in .debian (.ci/run does it). Only questions go to them (-T, -t, -G, -V): the
daemon that serves stays the machine's, whose libraries it is made for.
"""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

from sandbox import Sandbox
from sandbox.requirements import require
from sandbox.systems import UNPACKED

HOME = "/usr/lib/openssh-other"
VERSIONS = {"bullseye": "OpenSSH_8.4p1", "bookworm": "OpenSSH_9.2p1", "trixie": "OpenSSH_10."}
"""{suite: how its ssh -V begins}; bookworm is the machine's own."""
_WRAPPER = """#!/bin/sh
for word in "$@"; do
    case $word in
        -T | -t | -G | -V) exec {home}/ld.so --library-path {home} {home}/{name} "$@" ;;
    esac
done
exec {home}/own-{name} "$@"
"""
_BEFORE_8_2 = r"""#!/usr/bin/python3
# Debian's sshd with the rules of OpenSSH before 8.2 that matter here: it knows no Include, and (7.9, in Debian 10)
# where there is a Match block -T says nothing without a connection to say it for.
import os, re, sys

words = sys.argv[1:]
path = words[words.index("-f") + 1] if "-f" in words else "{folder}/sshd_config"
with open(path, errors="replace") as file:
    bad = [n for n, line in enumerate(file, 1) if re.match(r"[ \t]*include([ \t=\"]|$)", line, re.I)]
for number in bad:
    print(f"{{path}}: line {{number}}: Bad configuration option: Include", file=sys.stderr)
if bad:
    print(f"{{path}}: terminating, {{len(bad)}} bad configuration options", file=sys.stderr)
    sys.exit(255)
with open(path, errors="replace") as file:
    asked = [word for word in re.findall(r"^[ \t]*match[ \t]+(\w+)", file.read(), re.I | re.M) if word.lower() != "all"]
if "-T" in words and "-C" not in words and asked:
    print(f"'Match {{asked[0]}}' in configuration but '{{asked[0].lower()}}' not in connection test specification.", file=sys.stderr)
    sys.exit(255)
os.execv("{home}/own-sshd", ["{home}/own-sshd", *words])
"""


BEFORE_8_2 = ("alt-p8", "alt-p8-pve5", "alt-p9", "pve-6")
"""Targets whose OpenSSH is older than 8.2 (Debian 10 has 7.9; of ALT's branches p9 is of 2019)."""
NEAREST = {"alt-p10": "bullseye", "alt-p11": "bookworm", "pve-7": "bullseye", "pve-8": "bookworm", "pve-9": "trixie"}
"""{target: the suite whose OpenSSH is its own (Proxmox VE's), or comes nearest to it (ALT's)}."""


def bring_nearest(box: Sandbox, target: str, folder: str) -> None:
    """Lets the OpenSSH that comes nearest to the target's answer; folder: where its configuration lies."""
    if target in NEAREST:
        bring(box, NEAREST[target])
    else:
        bring_before_8_2(box, folder)


def bring(box: Sandbox, suite: str) -> None:
    """Lets sshd and ssh of a suite of Debian answer on a node; skips the test where it is not unpacked."""
    if suite != "bookworm":
        root = UNPACKED / f"openssh-{suite}"
        reason = f"OpenSSH of {suite} has to be unpacked, as .ci/run does it: there is no {root}"
        require(f"tests of OpenSSH of {suite}", None if root.exists() else reason)
        for name, content in _files(root).items():
            box.put(f"{HOME}/{name}", content, 0o755)
        for name, path in _programs(box).items():
            _replace(box, path, f"{HOME}/own-{name}", _WRAPPER.format(home=HOME, name=name))
    assert VERSIONS[suite] in box.run("ssh -V").stderr


def bring_before_8_2(box: Sandbox, folder: str) -> None:
    """Lets sshd know no Include, as OpenSSH before 8.2, whose release notes have it as new, and -T need -C, as 7.9.

    A stand-in: no such sshd is to be had here. folder: where sshd_config lies.
    """
    path = _programs(box)["sshd"]
    _replace(box, path, f"{HOME}/own-sshd", _BEFORE_8_2.format(home=HOME, folder=folder))


def _replace(box: Sandbox, path: str, own: str, wrapper: str) -> None:
    """Puts a wrapper in a program's place and keeps the program at OWN; one that runs cannot be written over."""
    box.put(own, box.root.read(path), 0o755)
    box.put(f"{path}.new", wrapper, 0o755)
    box.run(["mv", "-f", f"{path}.new", path]).check()


def _programs(box: Sandbox) -> dict[str, str]:
    return {name: box.run(f"readlink -f $(command -v {name})").check().stdout.strip() for name in ("sshd", "ssh")}


@functools.cache
def _files(root: Path) -> dict[str, bytes]:
    """{name: content} of a suite's sshd and ssh, of the libraries that they load, and of what loads them."""
    places = [root / "lib/x86_64-linux-gnu", root / "usr/lib/x86_64-linux-gnu"]
    loader = next(place / "ld-linux-x86-64.so.2" for place in places if (place / "ld-linux-x86-64.so.2").exists())
    path = ":".join(map(str, places))
    found = {"ld.so": loader.read_bytes()}
    for name in ("usr/sbin/sshd", "usr/bin/ssh"):
        found[Path(name).name] = (root / name).read_bytes()
        listed = subprocess.run(
            [str(loader), "--library-path", path, "--list", str(root / name)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found |= {
            library: Path(file).read_bytes() for library, file in re.findall(r"^\s*(\S+\.so\S*) => (\S+)", listed, re.M)
        }
    # Who the user is and where its files lie, which the C library of bullseye loads on its own.
    for file in (file for place in places for file in place.glob("libnss_files.so.2")):
        found[file.name] = file.read_bytes()
    return found
