"""Detection of a Shapefile's text encoding: .cpg files are often missing or wrong."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def decode_texts(fields: list[str], columns: list[NDArray[Any]], cpg: Path) -> tuple[list[str], list[NDArray[Any]]]:
    """Decode the field names and texts of a Shapefile that were read as ISO 8859-1.

    The first encoding that decodes all texts is used: that of the .cpg file, then UTF-8, which rarely decodes other
    encodings, then GB 18030.
    """
    texts = [*fields, *(text for column in columns for text in column if isinstance(text, str))]
    declared = _declared_codec(cpg)
    matching = (codec for codec in (*declared, "utf-8", "gb18030") if _decodes(texts, codec))
    codec = next(matching, (*declared, "gb18030")[0])

    def decode(text: Any) -> Any:
        return _bytes(text).decode(codec, "ignore") if isinstance(text, str) else text

    return [decode(field) for field in fields], [
        np.array([decode(text) for text in column], object) if column.dtype == object else column for column in columns
    ]


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _decodes(texts: list[str], codec: str) -> bool:
    """Return whether a codec decodes all texts; a last character truncated by the fixed field width is accepted."""
    try:
        for text in texts:
            codecs.getincrementaldecoder(codec)().decode(_bytes(text))
    except UnicodeDecodeError:
        return False
    return True


def _declared_codec(cpg: Path) -> list[str]:
    """Return the codec that a .cpg file declares (UTF-8, GBK, 936, ANSI 936 …); empty for the Latin defaults."""
    try:
        declared = cpg.read_bytes()[:40].decode("ascii", "replace").strip().lower()
    except OSError:
        return []
    if declared.startswith(("gb", "936", "ansi 936", "cp936", "54936")):
        return ["gb18030"]  # a superset of GBK and GB 2312
    for name in (declared, re.sub(r"^(ansi |cp)?", "cp", declared)):
        try:
            codec = codecs.lookup(name).name
        except LookupError:
            continue
        return [] if codec.startswith(("iso8859", "cp125", "ascii")) else [codec]
    return []
