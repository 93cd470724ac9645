"""The reader of TAP itself: what it gives, and what it does not let pass."""

from __future__ import annotations

import pytest

from .tap import InvalidTap, parse

GOOD = r"""TAP version 14
# a comment
# Subtest: one
    ok 1 - first
    not ok 2 - second # TODO later
      ---
      diff: |
        @@ -1 +1 @@
         kept
        -old

      help: |
        do it
      ...
    # + a command
    ok 3 - third \# no directive # SKIP not here
    not ok 4 - fourth
    1..4
not ok 1 - one: the first
1..1
# the end
"""


def test_what_it_gives() -> None:
    tap = parse(GOOD)
    (one,) = tap.points
    assert one.subtest is not None and one.failed and tap.plan == 1 and tap.bail is None
    first, second, third, fourth = one.subtest.points
    assert first.ok and not second.failed and second.reason == "later"
    assert second.yaml == {"diff": "@@ -1 +1 @@\n kept\n-old\n\n", "help": "do it\n"}
    assert third.description == "third # no directive" and third.directive == "SKIP"
    assert tap.failures() == [fourth] and tap.todo() == [second]
    assert tap.said("+ a command") and tap.step("one") is one


def test_bailing_out() -> None:
    tap = parse("TAP version 14\nok 1 - one\nBail out! no more\n# what to do\n")
    assert tap.bail == "no more" and tap.plan is None


BAD = {
    "no version": GOOD.replace("TAP version 14\n", ""),
    "last line without end": GOOD.rstrip("\n"),
    "a number left out": GOOD.replace("ok 3", "ok 4"),
    "no plan": GOOD.replace("1..1\n", ""),
    "no plan of a subtest": GOOD.replace("    1..4\n", ""),
    "wrong plan": GOOD.replace("1..4", "1..3"),
    "two plans": GOOD.replace("1..1\n", "1..1\n1..1\n"),
    "a subtest that is not closed": GOOD.replace("not ok 1 - one: the first\n1..1", "1..0"),
    "a subtest closed by another": GOOD.replace("one: the first", "two: the second"),
    "a subtest without its comment": GOOD.replace("# Subtest: one\n", ""),
    "a bare #": GOOD.replace(r"\#", "#"),
    "a block without end": GOOD.replace("      ...\n", ""),
    "an empty block": GOOD.replace("- first\n", "- first\n      ---\n      ...\n"),
    "two blocks": GOOD.replace("      ...\n", "      ...\n      ---\n      help: |\n        x\n      ...\n"),
    "text without a key": GOOD.replace("      help: |\n", "      help me\n"),
    "a key twice": GOOD.replace("help: |", "diff: |"),
    "a first line that is indented": GOOD.replace("@@ -1", " @@ -1"),
    "a line of something else": GOOD.replace("# the end", "rm: cannot remove"),
    "a line without #": GOOD.replace("    # + a command", "    + a command"),
    "a point after bailing out": GOOD.replace("# the end", "Bail out!\nok 2 - more"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_it_does_not_let_pass(name: str) -> None:
    assert BAD[name] != GOOD
    with pytest.raises(InvalidTap):
        parse(BAD[name])
