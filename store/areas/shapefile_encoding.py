"""Detection of a Shapefile's text encoding: .cpg files are often missing or wrong."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path


def text_codec(texts: Iterable[Iterable[str]], cpg: Path) -> str:
    """Return the codec of a Shapefile whose texts were read as ISO 8859-1.

    The first encoding that decodes all texts is used: that of the .cpg file, then UTF-8, which rarely decodes other
    encodings, then GB 18030.

    Args:
        texts: field names and texts, in parts.
        cpg: path of the .cpg file, which may not exist.
    """
    declared = _declared_codec(cpg)
    candidates = list(dict.fromkeys((*declared, "utf-8", "gb18030")))
    for part in texts:
        not_ascii = [text for text in part if not text.isascii()]
        candidates = [codec for codec in candidates if _decodes(not_ascii, codec)]
    return (candidates or [*declared, "gb18030"])[0]


def decode_text(text: str, codec: str) -> str:
    """Decode a text that was read as ISO 8859-1; a last character truncated by the fixed field width is dropped."""
    return text if text.isascii() else _bytes(text).decode(codec, "ignore")


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
