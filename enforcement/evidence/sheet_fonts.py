"""Text in Noto Sans SC, which is embedded, so that a sheet looks the same on machines without Chinese fonts.

Bold is used for Latin characters only. The characters that a sheet uses are embedded, not the complete font.
"""

from __future__ import annotations

import io
import lzma
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "NotoSansSC-Regular", "NotoSansSC-Bold-Latin"
REPLACEMENT = "〓"
"""Replaces characters without a glyph, as usual in Chinese typesetting."""

_FOLDER = Path(__file__).parent / "fonts"
_registering = threading.Lock()


def register_fonts() -> None:
    """Register the fonts with reportlab; required before any text is drawn or measured. Idempotent, thread-safe."""
    with _registering:
        for name in (REGULAR, BOLD):
            if name not in pdfmetrics.getRegisteredFontNames():
                font = lzma.decompress((_FOLDER / f"{name}.ttf.xz").read_bytes())
                pdfmetrics.registerFont(TTFont(name, io.BytesIO(font)))


@cache
def _glyphs() -> frozenset[int]:
    register_fonts()
    return frozenset(pdfmetrics.getFont(REGULAR).face.charToGlyph)


def printable(text: str) -> str:
    """Make untrusted text printable: replace line ends by spaces, and missing glyphs by :data:`REPLACEMENT`."""
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    if character in "\t\n\r\v\f\u2028\u2029":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"} or ord(character) not in _glyphs():
        return REPLACEMENT
    return character


def _is_latin(character: str) -> bool:
    return ord(character) < 0x100


def split_by_font(text: str, bold: bool = False) -> Iterator[tuple[str, str]]:
    """Split text into (font, part) in order. There is no bold variant of Chinese characters."""
    for latin, characters in groupby(printable(text), lambda character: bold and _is_latin(character)):
        yield BOLD if latin else REGULAR, "".join(characters)


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
