"""README.md and what docs/ say in numbers and pictures: kept true by what is built."""

from __future__ import annotations

import re
import tomllib
from xml.etree import ElementTree

import pytest
from scripts import support

README = (support.ROOT / "README.md").read_text("utf-8")
PICTURE = support.ROOT / "docs" / "flow.svg"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_step_that_is_shown_stands_in_the_script() -> None:
    (step,) = (block for block in blocks("sh") if "step_names() {" in block)
    assert step.endswith("}\n")
    assert f"\n{step}" in support.build(support.WIKI)["pve1"]


def test_the_description_that_is_shown_is_the_example() -> None:
    (shown,) = blocks("toml")
    assert tomllib.loads(shown) == tomllib.loads(support.WIKI)


def test_a_script_is_as_long_as_the_page_says() -> None:
    page = (support.ROOT / "docs" / "node-script.md").read_text("utf-8")
    said = re.search(
        r"about (\d+) lines of its own and a runtime of about (\d+)\s+lines in (?:about )?(\d+) functions", page
    )
    assert said
    own, _, runtime = support.build(support.WIKI)["pve1"].partition("\n# The runtime")
    assert runtime
    counted = own.count("\n"), runtime.count("\n"), len(re.findall(r"^\w+\(\) \{", runtime, re.MULTILINE))
    for number, counts in zip(map(int, said.groups()), counted, strict=True):
        assert number == pytest.approx(counts, rel=0.1), (said[0], counted)


def test_the_picture_needs_nothing_from_elsewhere_and_knows_dark_pages() -> None:
    text = PICTURE.read_text("utf-8")
    assert "](docs/flow.svg)" in README and "prefers-color-scheme: dark" in text
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
    assert {"title", "desc"} <= tags and not tags & {"script", "image", "use", "foreignObject"}
    assert not re.search(r"@import|href|url\((?!#)", text)
