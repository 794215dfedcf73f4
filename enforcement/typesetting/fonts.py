"""Fonts of the typeset documents: files of installed packages and of a bureau's own folder, and their characters.

Fonts of the operating system are never used, so a document looks the same on every machine. A bureau's own fonts, as
仿宋_GB2312 or one with rare characters, are files in the folder ``fonts`` of the working directory. They are read once
in a process.
"""

from __future__ import annotations

import threading
import unicodedata
from functools import cache
from importlib.resources import files
from pathlib import Path

import typst

from enforcement.typesetting.character_map import code_points
from enforcement.typesetting.errors import FontsMissingError

SANS, SERIF = "Noto Sans CJK SC", "Noto Serif SC"
"""Families: sans (黑体) in all weights, and serif (宋体), regular."""

_PACKAGES = ("manimgx_fonts_cjk", "pylopdf_fonts_zh_cn")
OWN_FOLDER = Path("fonts")
"""Of a bureau's own fonts, in the working directory."""

_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_WHITE = "\t\n\r\v\f\u2028\u2029"
_WITHOUT_GLYPH = frozenset(
    [0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
"""Soft hyphen, zero-width characters and variation selectors, which are not drawn."""
_NEVER = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Categories that are never printed: controls, directions, surrogates, private use, unassigned."""

_reading = threading.Lock()


def font_folders() -> list[Path]:
    """Return the folders with the fonts' files, a bureau's own last.

    Raises:
        FontsMissingError: a package with fonts is not installed.
    """
    folders = []
    for package in _PACKAGES:
        try:
            folders.append(Path(str(files(package))))
        except ModuleNotFoundError as error:
            name = package.replace("_", "-")
            raise FontsMissingError(
                f"The fonts of the package {name} are not installed: run make install.",
                "typesetting.no_fonts",
                package=name,
            ) from error
    return [*folders, OWN_FOLDER.resolve()] if OWN_FOLDER.is_dir() else folders


def read_fonts() -> typst.Fonts:
    """Return the fonts for the compiler; read once in a process."""
    with _reading:
        return _read_fonts()


@cache
def _read_fonts() -> typst.Fonts:
    return typst.Fonts(False, False, [str(folder) for folder in font_folders()])


@cache
def own_families() -> tuple[str, ...]:
    """Return the names of the families in a bureau's own folder."""
    own = str(OWN_FOLDER.resolve())
    return tuple(sorted({font.family for font in read_fonts().fonts() if (font.path or "").startswith(own)}))


@cache
def characters() -> frozenset[int]:
    """Return the code points for which at least one font has a glyph."""
    paths = (path for folder in font_folders() for path in sorted(folder.rglob("*")))
    return frozenset().union(*(code_points(path) for path in paths if path.suffix.lower() in _SUFFIXES))


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
