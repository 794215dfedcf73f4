"""Parse the directories of a TIFF and check that every tile lies inside the file.

GDAL finds a missing tile only when a scan reaches it, perhaps an hour later, and allocates memory according to the
header. This parser never reads more than the file holds.

Source: TIFF 6.0 (Adobe, 1992); BigTIFF, https://www.awaresystems.be/imaging/tiff/bigtiff.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from errors import ImageError, OutputError
from imagery.files.header_limits import RasterLayout, check_header_limits, damaged_file
from imagery.limits import MIB, Limits

_NUMBER = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}  # data types of sizes and offsets
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIP_OFFSETS, _BANDS, _STRIP_ROWS, _STRIP_COUNTS, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _FORMAT = 322, 323, 324, 325, 339
_MAX_DIRECTORIES = 64

_UNREADABLE_COLOURS = {
    0: "stored with white as zero (a scanned drawing)",
    5: "in printing colours (CMYK)",
    8: "in CIE L*a*b* colours",
    9: "in CIE L*a*b* colours",
    32803: "an undeveloped camera photo (raw)",
    34892: "an undeveloped camera photo (raw)",
}

_Entries = dict[int, tuple[int, int, bytes]]  # tag → type, count, value or offset


@dataclass(frozen=True)
class _Tiff:
    handle: BinaryIO
    size: int
    name: str
    order: str  # "<" or ">"
    big: bool

    def read(self, offset: int, length: int, what: str) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise damaged_file(
                self.name,
                f"{what} should be at bytes {offset:,} to {offset + length:,}, but the file ends at {self.size:,}",
            )
        self.handle.seek(offset)
        return self.handle.read(length)


def read_tiff_layout(handle: BinaryIO, size: int, name: str, limits: Limits) -> RasterLayout:
    """Read all directories of a TIFF or BigTIFF and return the layout of the first.

    Args:
        handle: the file, open for reading bytes.
        size: its length in bytes.
        name: for messages.
        limits: limits on the first directory.

    Raises:
        ImageError: the file is truncated or inconsistent, exceeds the limits, or is not an image of 8, 16 or 32 bits.
    """
    first: RasterLayout | None = None
    overviews = 0
    for tiff, entries in _directories(handle, size, name):
        if first is None:
            first = _layout(tiff, entries)
            check_header_limits(first, size, name, limits)
            _check_picture(tiff, entries)
            _check_blocks(tiff, entries, first)
        elif _one(tiff, entries, _SUBFILE, 0) & 7:
            # overviews and masks of the first image; other pages are never read, so they are not checked
            level = _layout(tiff, entries)
            if level.width > first.width or level.height > first.height:
                raise damaged_file(name, "an overview in it is larger than the image")
            if level.block_bytes > max(first.block_bytes, 16 * MIB):
                raise damaged_file(name, "an overview in it has larger blocks than the image")
            _check_blocks(tiff, entries, level)
            overviews += not _one(tiff, entries, _SUBFILE, 0) & 4
    if first is None:
        raise damaged_file(name, "it holds no image")
    return RasterLayout(**{**first.__dict__, "overviews": overviews})


def check_written(path: Path) -> None:
    """Check that a TIFF was written completely: GDAL does not report errors that occur while it closes a file.

    Raises:
        OutputError: blocks or directories are missing; the file is deleted.
    """
    try:
        with path.open("rb") as handle:
            for tiff, entries in _directories(handle, path.stat().st_size, path.name):
                _check_blocks(tiff, entries, _layout(tiff, entries))
                tag = _TILE_COUNTS if _TILE_COUNTS in entries else _STRIP_COUNTS
                if not _numbers(tiff, entries, tag).all():
                    raise damaged_file(path.name, "some of its blocks are missing")
    except (ImageError, OSError) as error:
        path.unlink(missing_ok=True)
        raise OutputError(f"{path.name} was not written completely in {path.parent}. Is there room?") from error


def _directories(handle: BinaryIO, size: int, name: str) -> Iterator[tuple[_Tiff, _Entries]]:
    handle.seek(0)
    head = handle.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    tiff = _Tiff(handle, size, name, order, big)
    if len(head) < (16 if big else 8):
        raise damaged_file(name, "its TIFF header is incomplete")
    offset = struct.unpack(order + "Q", head[8:16])[0] if big else struct.unpack(order + "I", head[4:8])[0]
    seen: list[int] = []
    while offset and len(seen) < _MAX_DIRECTORIES:
        if offset in seen:
            raise damaged_file(name, "its directories form a loop")
        seen.append(offset)
        entries, offset = _directory(tiff, offset)
        yield tiff, entries


def _directory(tiff: _Tiff, offset: int) -> tuple[_Entries, int]:
    counter, entry, link = ("Q", 20, "Q") if tiff.big else ("H", 12, "I")
    length = struct.calcsize(counter)
    number = struct.unpack(tiff.order + counter, tiff.read(offset, length, "a TIFF directory"))[0]
    if number > 4096:
        raise damaged_file(tiff.name, f"a TIFF directory declares {number:,} entries")
    tail = struct.calcsize(link)
    data = tiff.read(offset + length, number * entry + tail, "a TIFF directory")
    entries: _Entries = {}
    for start in range(0, number * entry, entry):
        tag, kind = struct.unpack_from(tiff.order + "HH", data, start)
        count = struct.unpack_from(tiff.order + ("Q" if tiff.big else "I"), data, start + 4)[0]
        entries.setdefault(tag, (kind, count, data[start + (12 if tiff.big else 8) : start + entry]))
    return entries, struct.unpack(tiff.order + link, data[-tail:])[0]


def _numbers(tiff: _Tiff, entries: _Entries, tag: int) -> NDArray[np.int64]:
    """Return the values of a tag; empty if the directory does not have it."""
    if tag not in entries:
        return np.empty(0, np.int64)
    kind, count, field = entries[tag]
    if kind not in _NUMBER:
        raise damaged_file(tiff.name, f"TIFF tag {tag} has the unexpected type {kind}")
    dtype = np.dtype(tiff.order + _NUMBER[kind])
    length = count * dtype.itemsize
    if length > len(field):
        offset = struct.unpack(tiff.order + ("Q" if tiff.big else "I"), field)[0]
        field = tiff.read(offset, length, f"the list of TIFF tag {tag}")
    values = np.frombuffer(field[:length], dtype)
    if dtype.itemsize == 8 and values.size and values.max() > np.iinfo(np.int64).max // 4:
        raise damaged_file(tiff.name, f"TIFF tag {tag} holds an impossible number")
    return values.astype(np.int64)


def _one(tiff: _Tiff, entries: _Entries, tag: int, default: int) -> int:
    values = _numbers(tiff, entries, tag) if tag in entries else None
    return default if values is None or not values.size else int(values[0])


def _layout(tiff: _Tiff, entries: _Entries) -> RasterLayout:
    width, height = _one(tiff, entries, _WIDTH, 0), _one(tiff, entries, _HEIGHT, 0)
    bands = _one(tiff, entries, _BANDS, 1)
    bits = _one(tiff, entries, _BITS, 1)
    tiled = _TILE_WIDTH in entries
    block_width = _one(tiff, entries, _TILE_WIDTH, width) if tiled else width
    # the default strip height of 2**32 - 1 rows means one strip for the entire image
    block_height = _one(tiff, entries, _TILE_HEIGHT if tiled else _STRIP_ROWS, height)
    if not tiled:
        block_height = min(block_height, height)
    if block_width < 1 or block_height < 1:
        if width < 1 or height < 1:
            raise damaged_file(tiff.name, f"its header declares {width} × {height} pixels")
        raise damaged_file(tiff.name, f"its header declares blocks of {block_width} × {block_height} pixels")
    return RasterLayout(width, height, bands, bits, block_width, block_height, tiled)


def _check_picture(tiff: _Tiff, entries: _Entries) -> None:
    colours = _UNREADABLE_COLOURS.get(_one(tiff, entries, _PHOTOMETRIC, 1))
    if colours:
        raise ImageError(
            f"{tiff.name} is {colours}; expected RGB, grey or palette. Export it as RGB.",
            "file.colours",
            name=tiff.name,
        )
    bits = set(_numbers(tiff, entries, _BITS).tolist()) or {1}
    if not bits <= {8, 10, 11, 12, 14, 16, 32}:
        shown = ", ".join(str(b) for b in sorted(bits)[:4])
        raise ImageError(
            f"{tiff.name} has {shown} bits per sample; expected 8 or 16 bits, or 32-bit floating point. "
            "Convert it, for example with `gdal_translate -ot Float32` or `-ot Byte`.",
            "file.bits",
            name=tiff.name,
            bits=shown,
        )


def _check_blocks(tiff: _Tiff, entries: _Entries, layout: RasterLayout) -> None:
    """Check that every tile or strip is listed and inside the file. Offset and length 0: omitted, nodata."""
    tiled = layout.tiled
    offsets = _numbers(tiff, entries, _TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    lengths = _numbers(tiff, entries, _TILE_COUNTS if tiled else _STRIP_COUNTS)
    across = -(-layout.width // layout.block_width)
    down = -(-layout.height // layout.block_height)
    expected = across * down * (layout.bands if _one(tiff, entries, _PLANAR, 1) == 2 else 1)
    if offsets.size < expected:
        raise damaged_file(tiff.name, f"it lists {offsets.size:,} of its {expected:,} tiles or strips")
    if lengths.size != offsets.size:  # some old programs omit the lengths; then check the offsets alone
        lengths = np.zeros_like(offsets)
    ends = offsets + lengths
    outside = int((ends > tiff.size).sum())
    if outside:
        raise ImageError(
            f"{tiff.name} is truncated: {outside:,} of its {expected:,} tiles or strips are beyond the end of the file "
            f"({int(ends.max()):,} bytes expected, {tiff.size:,} found). Copy it again from its source.",
            "file.truncated",
            name=tiff.name,
            expected=int(ends.max()),
            found=tiff.size,
        )
