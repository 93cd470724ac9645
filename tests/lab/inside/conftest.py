"""On the testing machine a test of this folder runs in the virtual machine, and is reported as if it had run here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.environ.get("PVEGEN_IN_VM"):
    from .prebuilt import use_prebuilt_scripts

    use_prebuilt_scripts()
else:
    from lab.vm.forward import Forward

    forward = pytest.StashKey[Forward]()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Has the test run in the machine; no fixture of it is made here."""
        if Path(__file__).parent not in item.path.parents:
            return None
        if forward not in item.config.stash:
            item.config.stash[forward] = Forward()
            item.config.add_cleanup(item.config.stash[forward].close)
        item.config.stash[forward].run(item, nextitem)
        return True
