"""The grammar of pages, and what counts where two of them are compared."""

from __future__ import annotations

import pytest

from .blocks import commands, compared, cut, events

PAGE = """\
<!-- test: file a.toml -->
```toml
format = 1
```

```console
$ pvegen check
a.toml: no mistakes
pve1# sh pve1.sh
[...]
# Done.
```

```sh
not run
```
"""


def test_events_come_in_order() -> None:
    file, block = events(PAGE)
    assert (file.words, file.text) == (["file", "a.toml"], "format = 1\n")
    assert [(one.node, one.line, one.shown) for one in block.commands] == [
        ("", "pvegen check", ["a.toml: no mistakes"]),
        ("pve1", "sh pve1.sh", ["[...]", "# Done."]),
    ]


def test_a_block_begins_with_a_command() -> None:
    with pytest.raises(AssertionError, match="no command"):
        commands("TAP version 14\n")


@pytest.mark.parametrize(
    ("shown", "now", "out"),
    [
        (["a"], ["b", "c"], ["b", "c"]),
        (["a", "[...]", "d"], ["A", "b", "c", "D"], ["A", "[...]", "D"]),
        (["[...]", "c", "x", "[...]", "e"], ["a", "b", "c", "d", "e"], ["[...]", "c", "d", "[...]", "e"]),
    ],
)
def test_what_is_cut_stays_cut(shown: list[str], now: list[str], out: list[str]) -> None:
    assert cut(shown, now) == out


def test_a_part_that_is_not_printed_any_more_is_told() -> None:
    with pytest.raises(AssertionError, match="not printed any more"):
        cut(["[...]", "gone", "[...]"], ["a", "b"])


def test_a_sum_is_another_but_the_same_everywhere() -> None:
    one, two = "0" * 64, "1" * 64
    assert compared(f"{one} {one} 2026-01-01 10:00Z") == compared(f"{two} {two} 2027-02-03 11:11Z")
    assert compared(f"{one} {one}") != compared(f"{one} {two}")
    assert compared("that wait: 12") != compared("that wait: 13")
    assert compared("# Done. Changes: 12.") == compared("# Done. Changes: 13.") != compared("# Done. Changes: 0.")
