"""The machine itself: the kernel is Debian's, and nothing leads out of it."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("vm")]


def test_kernel_is_debian_s() -> None:
    """The virtual machine runs Debian's own kernel."""
    assert "Debian" in os.uname().version


def test_no_network_leads_out() -> None:
    """The virtual machine has no network but loopback."""
    asked = subprocess.run(["ip", "-j", "link"], capture_output=True, check=True)
    assert [link["ifname"] for link in json.loads(asked.stdout)] == ["lo"]
