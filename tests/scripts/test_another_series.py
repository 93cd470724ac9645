"""On a node of another series than the script is for: every target that fits is named, a site's own too."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox import Sandbox

from pvegen.plan import plan
from pvegen.target import Targets, shipped

from . import support
from .conftest import Make

pytestmark = pytest.mark.sandbox


def advice(box: Sandbox, folder: Path) -> str:
    """What the script of pve1 says on `box` of the series, built with the site's targets in `folder`."""
    known = Targets(folder)
    view = support.view(support.P11)
    text = support.renderer().script(plan(view, known.load("alt-p11"), known)[0]).text
    box.put(support.PLACE, text, 0o755)
    run = support.check(box)
    assert run.status == 78, run
    return run.tap.find("is installed, the script is for series 8 9").yaml["help"]


def test_a_sites_targets_are_named(make: Make, tmp_path: Path) -> None:
    box = make(support.P11, settings={"pve-version": "10.1.2/abc"})
    text = shipped().text("alt-p11").replace('["8", "9"]', '["10"]')
    (tmp_path / "alt-p12.toml").write_text(text, "utf-8")
    assert 'This node needs target = "alt-p12" in the description' in advice(box, tmp_path)
    (tmp_path / "ours.toml").write_text(text, "utf-8")
    assert 'This node needs target = "alt-p12" or "ours" in the description' in advice(box, tmp_path)
    elsewhere = text.replace("/etc/altlinux-release", "/etc/another-release")
    (tmp_path / "ours.toml").write_text(elsewhere, "utf-8")
    assert 'This node needs target = "alt-p12" in the description' in advice(box, tmp_path)
