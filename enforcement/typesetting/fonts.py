"""Fonts of the typeset documents: files of installed packages, and the characters that they have.

Fonts of the operating system are never used, so a document looks the same on every machine.
"""

from __future__ import annotations

import struct
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import typst

from enforcement.typesetting.errors import FontsMissingError

SANS, SERIF = "Noto Sans CJK SC", "Noto Serif SC"
"""Families: sans (黑体) in all weights, and serif (宋体), regular."""

_PACKAGES = ("manimgx_fonts_cjk", "pylopdf_fonts_zh_cn")
_USED = (("manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc"), ("pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf"))
_WHITE = "\t\n\r\v\f\u2028\u2029"
_WITHOUT_GLYPH = frozenset(
    [0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
"""Soft hyphen, zero-width characters and variation selectors, which are not drawn."""
_NEVER = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Categories that are never printed: controls, directions, surrogates, private use, unassigned."""

_reading = threading.Lock()


def font_folders() -> list[Path]:
    """Return the folders with the fonts' files.

    Raises:
        FontsMissingError: a package with fonts is not installed.
    """
    folders = []
    for package in _PACKAGES:
        try:
            folders.append(Path(str(files(package))))
        except ModuleNotFoundError as error:
            raise FontsMissingError(
                f"The fonts of the package {package.replace('_', '-')} are not installed: run make install.",
                "typesetting.no_fonts",
                package=package.replace("_", "-"),
            ) from error
    return folders


def read_fonts() -> typst.Fonts:
    """Return the fonts for the compiler; read once in a process."""
    with _reading:
        return _read_fonts()


@cache
def _read_fonts() -> typst.Fonts:
    return typst.Fonts(False, False, [str(folder) for folder in font_folders()])


@cache
def characters() -> frozenset[int]:
    """Return the code points for which at least one font has a glyph."""
    folders = dict(zip(_PACKAGES, font_folders(), strict=True))
    return frozenset().union(*(_code_points(folders[package] / name) for package, name in _USED))


def is_printable(character: str) -> bool:
    """Return whether a character can be typeset: it has a glyph, is white space, or needs no glyph."""
    code = ord(character)
    if character in _WHITE or code in _WITHOUT_GLYPH:
        return True
    return unicodedata.category(character) not in _NEVER and code in characters()


def missing_characters(text: str) -> list[str]:
    """Return the characters of a text that cannot be typeset, each once, in order."""
    if text.isascii() and text.isprintable():
        return []
    return [character for character in dict.fromkeys(text) if not is_printable(character)]


def _code_points(path: Path) -> Iterator[int]:
    """Yield the code points of a font or of the first font of a collection, from its ``cmap`` tables of format 12."""
    data = path.read_bytes()
    start = struct.unpack_from(">I", data, 12)[0] if data[:4] == b"ttcf" else 0
    tables = struct.unpack_from(">H", data, start + 4)[0]
    for index in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, start + 12 + 16 * index)
        if tag == b"cmap":
            yield from _format_12(data, offset)


def _format_12(data: bytes, cmap: int) -> Iterator[int]:
    for index in range(struct.unpack_from(">H", data, cmap + 2)[0]):
        table = cmap + struct.unpack_from(">I", data, cmap + 8 + 8 * index)[0]
        if struct.unpack_from(">H", data, table)[0] == 12:
            for group in range(struct.unpack_from(">I", data, table + 12)[0]):
                first, last, glyph = struct.unpack_from(">III", data, table + 16 + 12 * group)
                yield from range(first + (glyph == 0), last + 1)
            return
