"""Text of a sheet in two fonts that every reader of PDF knows, so that no font file is needed.

Latin letters are set in Helvetica, all others in STSong-Light, a font of the Adobe-GB1 collection that PDF readers
bring along or replace by the system's Chinese font.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont

LATIN, LATIN_BOLD, CHINESE = "Helvetica", "Helvetica-Bold", "STSong-Light"
UNKNOWN = "〓"
"""Stands for a letter that the fonts do not have, as Chinese printers do."""

_EXTENSION_A = range(0x3400, 0x4DC0)  # rare characters of names that the collection has from its fourth supplement on


def register_fonts() -> None:
    """Make the Chinese font known to reportlab; to be called before anything is set. Calling it again does nothing."""
    if CHINESE not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))


def printable(text: str) -> str:
    """Text of strangers as it can be set: line ends become spaces, what no font has becomes :data:`UNKNOWN`."""
    return "".join(_sign(letter) for letter in text)


def _sign(letter: str) -> str:
    if letter in "\t\n\r\v\f\u2028\u2029":
        return " "
    if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
        return UNKNOWN
    return letter if _is_latin(letter) or ord(letter) in _EXTENSION_A or _encodes(letter, "gbk") else UNKNOWN


def _is_latin(letter: str) -> bool:
    return letter.isascii() or _encodes(letter, "latin-1")


def _encodes(letter: str, encoding: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def runs(text: str, bold: bool = False) -> Iterator[tuple[str, str]]:
    """Cut text into (font, part), in order. Chinese has no bold letters."""
    for latin, letters in groupby(printable(text), _is_latin):
        yield ((LATIN_BOLD if bold else LATIN) if latin else CHINESE), "".join(letters)


def markup(text: str, bold: bool = False) -> str:
    """Text for a reportlab paragraph: escaped, each part with its font."""
    return "".join(f'<font name="{font}">{escape(part)}</font>' for font, part in runs(text, bold))


def width(text: str, size: float, bold: bool = False) -> float:
    """Width in points of text set at ``size`` points."""
    return sum(float(pdfmetrics.stringWidth(part, font, size)) for font, part in runs(text, bold))


def draw_text(canvas: Any, x: float, y: float, text: str, size: float, align: float = 0.0, bold: bool = False) -> None:
    """Set one line on a canvas with its baseline at ``y``; ``x`` is its left end (0), middle (0.5) or right end (1)."""
    x -= align * width(text, size, bold)
    for font, part in runs(text, bold):
        canvas.setFont(font, size)
        canvas.drawString(x, y, part)
        x += float(pdfmetrics.stringWidth(part, font, size))
