"""Mask what identifies a person in the words of a tip, for everybody but those whom the informant concerns."""

from __future__ import annotations

import re

_NUMBERS = re.compile(
    r"(?<![\dA-Za-z])(?:"
    r"\d{17}[\dXx]|\d{15}"  # identity card
    r"|(?:\+?86[-\s]?)?1[3-9]\d(?:[-\s]?\d{4}){2}"  # mobile phone
    r"|(?:\(?0\d{2,3}\)?[-\s]?)\d{7,8}(?:[-转\s]\d{1,5})?"  # telephone with area code
    r")(?![\dA-Za-z])"
)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_WECHAT = re.compile(r"((?:微信|wechat|QQ)\s*(?:号|ID|id)?\s*[:：]?\s*)[A-Za-z0-9_-]{5,20}", re.I)


def mask_contacts(words: str) -> str:
    """Replace all phone and identity numbers, e-mail addresses and messenger names in a text by ``***``.

    >>> mask_contacts("call 13812345678 or 0571-88886666")
    'call *** or ***'
    """
    return _WECHAT.sub(r"\1***", _ADDRESS.sub("***", _NUMBERS.sub("***", words)))
