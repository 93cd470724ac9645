"""The last line of a receipt: a digest that is short enough to be read off a screen."""

from __future__ import annotations

import hashlib
import re

# Sixteen letters and digits that are not taken for one another; snippets/runtime/25-receipt.sh has the same.
ALPHABET = "2345679ACFHJKPRX"
_DIGITS = 20


def short(data: bytes) -> str:
    """80 bits of the SHA-256 in fives, and a digit for slips of whoever types it."""
    digits = [int(digit, 16) for digit in hashlib.sha256(data).hexdigest()[:_DIGITS]]
    letters = "".join(ALPHABET[digit] for digit in digits)
    fives = [letters[i : i + 5] for i in range(0, _DIGITS, 5)]
    return "-".join([*fives, ALPHABET[-_luhn(digits) % 16]])


def _luhn(digits: list[int]) -> int:
    """Luhn's sum with 16 digits: the last digit counts twice, as do every second before it."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit * (2 - place % 2)
        total += value // 16 + value % 16
    return total


def typed(text: str) -> str | None:
    """A digest as somebody typed it, in its right form; None where it is mistyped.

    Capitals, blanks and hyphens do not count.
    """
    letters = re.sub(r"[\s-]", "", text).upper()
    if len(letters) != _DIGITS + 1 or set(letters) - set(ALPHABET):
        return None
    digits = [ALPHABET.index(letter) for letter in letters]
    if (_luhn(digits[:-1]) + digits[-1]) % 16:
        return None
    return "-".join([letters[i : i + 5] for i in range(0, _DIGITS, 5)] + [letters[-1]])
