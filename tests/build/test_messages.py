"""The catalogue of the node scripts: every message is said somewhere, every one that is said is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = ROOT / "snippets"
MESSAGES = tomllib.loads((SNIPPETS / "messages" / "en.toml").read_text("utf-8"))
SPOKEN = "\n".join(path.read_text("utf-8") for path in sorted(SNIPPETS.rglob("*.sh")))
NAMED = SPOKEN + "".join((ROOT / "pvegen" / f"{name}.py").read_text("utf-8") for name in ("network", "render"))
# Names that are put together when they are said.
COMPOSED = re.compile(r"(step|usage)\..*|cluster\.ports_\d")


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_said_somewhere(name: str) -> None:
    assert COMPOSED.fullmatch(name) or f'"{name}"' in NAMED


@pytest.mark.parametrize("name", sorted(set(re.findall(r'\b[mt]\("([a-z_.0-9]+)"[,)]', SPOKEN))))
def test_what_is_said_is_in_the_catalogue(name: str) -> None:
    assert name in MESSAGES
