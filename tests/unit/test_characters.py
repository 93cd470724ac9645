"""Characters of a text: what is not plain has a fault, whatever it is, and each kind is told once."""

from __future__ import annotations

import pytest

from pvegen import characters

PLAIN = set(" !#%&()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_abcdefghijklmnopqrstuvwxyz{|}~")


def test_every_character_that_is_not_plain_is_a_fault() -> None:
    passed = {chr(code) for code in range(0x3000) if not characters.faults(f"a{chr(code)}b")}
    assert passed == PLAIN


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("pve1", []),
        ("", ["PVE132"]),
        ("-a", ["PVE126"]),
        (" a", ["PVE127"]),
        ("a\nb\n", ["PVE121"]),
        ("a\nb\x1b", ["PVE121", "PVE120"]),
        ("a\u2028b", ["PVE121"]),
        ("рve1\u200b", ["PVE128", "PVE129"]),
        ("Пn`id`$x", ["PVE130", "PVE123", "PVE124"]),
        ("-'a\\ ", ["PVE125", "PVE122", "PVE126", "PVE127"]),
    ],
)
def test_each_kind_of_fault_is_told_once(text: str, codes: list[str]) -> None:
    assert [fault.code for fault in characters.faults(text)] == codes
