"""A node that is off, kept as data: its disk, and the files that made it the node that it was."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

# The overlay's own note of where a file was copied from holds in that very overlay only.
_TAR = ["tar", "--xattrs", "--xattrs-include=*", "--xattrs-exclude=trusted.overlay.origin", "--acls", "--numeric-owner"]
_PARTS = ["upper", "standin"]
"""Of a sandbox's disk, what changes; the layer below is written anew."""


@dataclass(frozen=True)
class Saved:
    """files: {path: (content, mode)} that the fresh installation was given; disk: all that came after it, packed."""

    files: Mapping[str, tuple[bytes, int]]
    disk: bytes


def pack(directory: str) -> bytes:
    """The changing parts of the disk at DIRECTORY, removed and replaced directories, marks and owners with them."""
    words = [*_TAR, "--warning=no-file-ignored", "-C", directory, "-cf", "-", *_PARTS]
    return subprocess.run(words, check=True, capture_output=True).stdout


def unpack(directory: str, disk: bytes) -> None:
    """Puts what `pack` gave onto a disk on which nothing has happened yet."""
    subprocess.run([*_TAR, "-C", directory, "-xpf", "-"], input=disk, check=True, capture_output=True)
