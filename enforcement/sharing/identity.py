"""Identity numbers: resident identity cards (GB 11643-1999) and unified social credit codes (GB 32100-2015)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal

from errors import SettingsError

IdentityKind = Literal["person", "organisation"]
IDENTITY_KINDS: tuple[IdentityKind, ...] = ("person", "organisation")

_CARD_WEIGHTS = tuple(2 ** (17 - place) % 11 for place in range(17))
_CARD_CHECK = "10X98765432"
_CODE_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # without I, O, S, V, Z
_CODE_WEIGHTS = tuple(3**place % 31 for place in range(17))

_LONG_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:\d{17}[0-9Xx]|1[3-9]\d{9})(?![0-9A-Za-z])")
"""An identity card or mobile number in a text."""


def is_identity_card(number: str) -> bool:
    """Return whether ``number`` is an 18-digit identity card number with a valid birthday and check digit."""
    if not re.fullmatch(r"[1-9]\d{16}[0-9X]", number):
        return False
    try:
        dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _CARD_WEIGHTS, strict=False))
    return number[17] == _CARD_CHECK[total % 11]


def is_credit_code(code: str) -> bool:
    """Return whether ``code`` is a unified social credit code of 18 characters with a valid check character."""
    if len(code) != 18 or any(letter not in _CODE_LETTERS for letter in code):
        return False
    total = sum(_CODE_LETTERS.index(letter) * weight for letter, weight in zip(code, _CODE_WEIGHTS, strict=False))
    return code[17] == _CODE_LETTERS[-total % 31]


def parse_identity(kind: str, number: str) -> str:
    """Return a valid identity number in upper case, without spaces.

    Raises:
        SettingsError: it is none of this kind; the message does not repeat it.
    """
    clean = re.sub(r"\s", "", number).upper()
    if kind == "person" and is_identity_card(clean):
        return clean
    if kind == "organisation" and is_credit_code(clean):
        return clean
    if kind == "person":
        raise SettingsError(
            "The identity card number is invalid: 18 digits, of which the last may be X; check each digit.",
            "identity.person",
        )
    raise SettingsError(
        "The unified social credit code is invalid: 18 digits and capital letters; check each character.",
        "identity.organisation",
    )


def mask_identity(kind: str, number: str) -> str:
    """Return a number for display: of a person the first six digits and the last one, of an organisation four each."""
    if kind == "person":
        return f"{number[:6]}***********{number[-1:]}"
    return f"{number[:4]}**********{number[-4:]}"


def mask_numbers(text: str) -> str:
    """Return a text in which identity card and mobile numbers show their first three and last two characters only."""

    def masked(match: re.Match[str]) -> str:
        number = match[0]
        return number[:3] + "*" * (len(number) - 5) + number[-2:]

    return _LONG_NUMBER.sub(masked, text)
