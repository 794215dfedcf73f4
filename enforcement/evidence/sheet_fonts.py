"""Text in two fonts that every PDF reader provides, so that no font file is embedded.

Latin characters use Helvetica, all others STSong-Light, a font of the Adobe-GB1 collection that PDF readers include or
replace by the system's Chinese font.
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
REPLACEMENT = "〓"
"""Replaces characters without a glyph, as usual in Chinese typesetting."""

_EXTENSION_A = range(0x3400, 0x4DC0)  # rare characters of names, in the collection since its fourth supplement


def register_fonts() -> None:
    """Register the Chinese font with reportlab; required before any text is drawn. Idempotent."""
    if CHINESE not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))


def printable(text: str) -> str:
    """Make untrusted text printable: replace line ends by spaces, and missing glyphs by :data:`REPLACEMENT`."""
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    if character in "\t\n\r\v\f\u2028\u2029":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
        return REPLACEMENT
    return (
        character
        if _is_latin(character) or ord(character) in _EXTENSION_A or _encodes(character, "gbk")
        else REPLACEMENT
    )


def _is_latin(character: str) -> bool:
    return character.isascii() or _encodes(character, "latin-1")


def _encodes(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def split_by_font(text: str, bold: bool = False) -> Iterator[tuple[str, str]]:
    """Split text into (font, part) in order. The Chinese font has no bold variant."""
    for latin, characters in groupby(printable(text), _is_latin):
        yield ((LATIN_BOLD if bold else LATIN) if latin else CHINESE), "".join(characters)


def markup(text: str, bold: bool = False) -> str:
    """Format text as markup of a reportlab paragraph: escaped, each part with its font."""
    return "".join(f'<font name="{font}">{escape(part)}</font>' for font, part in split_by_font(text, bold))


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Measure the width of text in points at a font size of ``size`` points."""
    return sum(float(pdfmetrics.stringWidth(part, font, size)) for font, part in split_by_font(text, bold))


def draw_text(canvas: Any, x: float, y: float, text: str, size: float, align: float = 0.0, bold: bool = False) -> None:
    """Draw one line with its baseline at ``y``; ``x`` is its left end (``align`` 0), middle (0.5) or right end (1)."""
    x -= align * text_width(text, size, bold)
    for font, part in split_by_font(text, bold):
        canvas.setFont(font, size)
        canvas.drawString(x, y, part)
        x += float(pdfmetrics.stringWidth(part, font, size))
