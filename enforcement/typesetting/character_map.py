"""Code points of a font file: its table ``cmap`` in the formats 4 and 12 (OpenType specification, chapter cmap)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path


def code_points(path: Path) -> set[int]:
    """Return the code points of a font, or of the first font of a collection; none of a file that is no font."""
    data = path.read_bytes()
    try:
        return set(_code_points(data))
    except struct.error:
        return set()


def _code_points(data: bytes) -> Iterator[int]:
    start = struct.unpack_from(">I", data, 12)[0] if data[:4] == b"ttcf" else 0
    for index in range(struct.unpack_from(">H", data, start + 4)[0]):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, start + 12 + 16 * index)
        if tag == b"cmap":
            yield from _of_table(data, offset)


def _of_table(data: bytes, cmap: int) -> Iterator[int]:
    """Yield the code points of all Unicode sub-tables (platforms 0 and 3)."""
    for index in range(struct.unpack_from(">H", data, cmap + 2)[0]):
        platform, _, offset = struct.unpack_from(">HHI", data, cmap + 4 + 8 * index)
        table_format = struct.unpack_from(">H", data, cmap + offset)[0]
        if platform in (0, 3) and table_format == 12:
            yield from _format_12(data, cmap + offset)
        elif platform in (0, 3) and table_format == 4:
            yield from _format_4(data, cmap + offset)


def _format_12(data: bytes, table: int) -> Iterator[int]:
    for group in range(struct.unpack_from(">I", data, table + 12)[0]):
        first, last, glyph = struct.unpack_from(">III", data, table + 16 + 12 * group)
        yield from range(first + (glyph == 0), last + 1)


def _format_4(data: bytes, table: int) -> Iterator[int]:
    """Yield the code points of segments; a segment with an offset looks its glyphs up, where 0 is none."""
    count = struct.unpack_from(">H", data, table + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", data, table + 14)
    starts = struct.unpack_from(f">{count}H", data, table + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", data, table + 16 + 4 * count)
    offsets_at = table + 16 + 6 * count
    for index, (first, last, delta) in enumerate(zip(starts, ends, deltas, strict=True)):
        at = offsets_at + 2 * index
        offset = struct.unpack_from(">H", data, at)[0]
        for code in range(first, min(last, 0xFFFE) + 1):
            if offset:
                glyph = struct.unpack_from(">H", data, at + offset + 2 * (code - first))[0]
            else:
                glyph = (code + delta) & 0xFFFF
            if glyph:
                yield code
