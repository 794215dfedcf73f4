"""Texts of a Shapefile in the characters that were meant: .cpg files are often missing, and often wrong."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_texts(fields: list[str], columns: list[NDArray[Any]], cpg: Path) -> tuple[list[str], list[NDArray[Any]]]:
    """Texts of a Shapefile, read as ISO 8859-1, in the characters that were meant.

    What .cpg says comes first, if all texts fit it; then UTF-8, which other texts hardly ever fit; then Chinese ones.
    """
    texts = [*fields, *(text for column in columns for text in column if isinstance(text, str))]
    named = _named_codec(cpg)
    fitting = (codec for codec in (*named, "utf-8", "gb18030") if _fits(texts, codec))
    codec = next(fitting, (*named, "gb18030")[0])

    def meant(text: Any) -> Any:
        return _bytes(text).decode(codec, "ignore") if isinstance(text, str) else text

    return [meant(field) for field in fields], [
        np.array([meant(text) for text in column], object) if column.dtype == object else column for column in columns
    ]


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _fits(texts: list[str], codec: str) -> bool:
    """Whether all are texts of this codec. Their width is fixed in bytes, so the last character may be cut in two."""
    try:
        for text in texts:
            codecs.getincrementaldecoder(codec)().decode(_bytes(text))
    except UnicodeDecodeError:
        return False
    return True


def _named_codec(cpg: Path) -> list[str]:
    """The codec that a .cpg names, like UTF-8, GBK, 936 or ANSI 936; none where it says the Latin default."""
    try:
        said = cpg.read_bytes()[:40].decode("ascii", "replace").strip().lower()
    except OSError:
        return []
    if said.startswith(("gb", "936", "ansi 936", "cp936", "54936")):
        return ["gb18030"]  # holds them all
    for name in (said, re.sub(r"^(ansi |cp)?", "cp", said)):
        try:
            found = codecs.lookup(name).name
        except LookupError:
            continue
        return [] if found.startswith(("iso8859", "cp125", "ascii")) else [found]
    return []
