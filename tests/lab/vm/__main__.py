"""Boots the virtual machine for people: a shell on this terminal, in it everything that the tests have.

`python -m lab.vm` with tests/ in PYTHONPATH. `exit` ends the machine; so do Ctrl-A and x, at once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .image import image
from .machine import qemu
from .requirements import missing_requirement
from .share import write_share


def main() -> int:
    """The status of QEMU; 1 where the machine cannot run here."""
    reason = missing_requirement()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="pvegen-vm-") as directory:
        share = Path(directory, "share.tar")
        write_share(share)
        words = qemu(image(), share, "-serial", "mon:stdio", kernel="lab.shell")
        return subprocess.run(words, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
