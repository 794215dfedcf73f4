"""Read the raster layout of an image from its header, and check it against limits, before any library opens the file.

A header of a few bytes can declare gigabytes, and libraries allocate part of that on opening.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from errors import ImageError
from imagery.files.formats import JPEG, JPEG2000, PNG, WEBP, Format
from imagery.limits import GIB, MIB, Limits


@dataclass(frozen=True)
class RasterLayout:
    """Raster layout that a header declares.

    Attributes:
        width, height: in pixels.
        bands: number of bands.
        bits: per sample.
        block_width, block_height: pixels of a tile or strip, or of whatever is decoded in one piece.
        tiled: whether blocks are tiles.
        overviews: number of overviews in the file.
    """

    width: int
    height: int
    bands: int
    bits: int
    block_width: int
    block_height: int
    tiled: bool = False
    overviews: int = 0

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all decoded pixels."""
        return self.width * self.height * self.bands * ((self.bits + 7) // 8)

    @property
    def block_bytes(self) -> int:
        """Bytes of one decoded block with all bands."""
        return self.block_width * self.block_height * self.bands * ((self.bits + 7) // 8)


def damaged_file(name: str, problem: str) -> ImageError:
    """Return the error for a file with an inconsistent structure."""
    return ImageError(f"{name} is damaged: {problem}. Copy it again from its source.", "file.damaged", name=name)


def check_header_limits(layout: RasterLayout, file_size: int, name: str, limits: Limits) -> None:
    """Check a declared layout against the limits and the size of the file.

    Raises:
        ImageError: the layout exceeds a limit; the message names the first one.
    """
    width, height = layout.width, layout.height
    if width < 1 or height < 1:
        raise damaged_file(name, f"its header declares {width} × {height} pixels")
    if width < 2 or height < 2:
        raise ImageError(
            f"{name} is {width} × {height} pixels, and at least 2 × 2 are needed.",
            "file.too_small",
            name=name,
            width=width,
            height=height,
        )
    if width > limits.max_side or height > limits.max_side or width * height > limits.max_pixels:
        raise ImageError(
            f"{name} declares {width:,} × {height:,} pixels, above the limit of {limits.max_side:,} on a side and "
            f"{limits.max_pixels / 1e9:,.0f} billion in total. Split it.",
            "file.too_large",
            name=name,
            width=width,
            height=height,
            side=limits.max_side,
        )
    if not 1 <= layout.bands <= limits.max_bands:
        raise ImageError(
            f"{name} declares {layout.bands} bands, and 1 to {limits.max_bands} are read. "
            "Export the visible bands alone.",
            "file.bands",
            name=name,
            bands=layout.bands,
            most=limits.max_bands,
        )
    if layout.block_bytes > limits.max_rewrite_block_bytes:
        raise ImageError(
            f"{name} is stored in blocks of {layout.block_width:,} × {layout.block_height:,} pixels, "
            f"{layout.block_bytes / GIB:.1f} GiB each, above the limit of {limits.max_rewrite_block_bytes / GIB:.1f} "
            "GiB. Convert it with `gdal_translate IN.tif OUT.tif -of COG`.",
            "file.blocks",
            name=name,
            width=layout.block_width,
            height=layout.block_height,
        )
    decoded = layout.decoded_bytes
    if decoded > limits.expansion_floor_bytes and decoded > limits.max_expansion * file_size:
        raise ImageError(
            f"{name} has {file_size / MIB:.3g} MiB but declares {decoded / GIB:,.1f} GiB of pixels: it is damaged, "
            "malicious, or nearly empty. Crop it to the part that contains an image.",
            "file.sparse",
            name=name,
            size_mib=file_size / MIB,
            declared_gib=decoded / GIB,
        )


def read_raster_layout(handle: BinaryIO, file_format: Format, name: str) -> RasterLayout:
    """Read the layout from the header of a JPEG, PNG, JPEG 2000 or WebP file.

    For TIFF see :mod:`imagery.files.tiff_layout`.

    Raises:
        ImageError: the header is missing, incomplete or inconsistent.
    """
    reader = {JPEG: _jpeg, PNG: _png, JPEG2000: _jpeg2000, WEBP: _webp}[file_format]
    handle.seek(0)
    try:
        return reader(handle)
    except (struct.error, IndexError):
        raise damaged_file(name, f"its {file_format.name} header is incomplete") from None
    except ValueError as error:
        raise damaged_file(name, str(error)) from None


def _png(handle: BinaryIO) -> RasterLayout:
    head = handle.read(33)
    width, height, depth, colour = struct.unpack(">IIBB", head[16:26])
    if head[12:16] != b"IHDR" or colour not in (0, 2, 3, 4, 6):
        raise ValueError("its PNG header is invalid")
    bands = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    _check_png_end(handle)
    return RasterLayout(width, height, bands, depth, width, 1)


def _check_png_end(handle: BinaryIO) -> None:
    """Check that the last chunk is present: a truncated PNG decodes without an error, with a black lower part."""
    end = b"\0\0\0\0IEND\xaeB`\x82"
    handle.seek(-len(end), 2)
    if handle.read() == end:
        return
    handle.seek(8)
    for _ in range(1_000_000):  # data may follow the last chunk: walk through the chunks
        head = handle.read(8)
        if len(head) < 8:
            break
        if head[4:] == b"IEND":
            return
        handle.seek(struct.unpack(">I", head[:4])[0] + 4, 1)
    raise ValueError("its last chunk is missing, so it is truncated")


def _jpeg(handle: BinaryIO) -> RasterLayout:
    handle.seek(2)
    for _ in range(1000):  # marker segments before the frame header; a photo has some dozens
        marker = handle.read(2)
        while marker[1] == 0xFF:  # fill bytes
            marker = marker[1:] + handle.read(1)
        if marker[0] != 0xFF or marker[1] in (0xD9, 0xDA):
            break
        length = struct.unpack(">H", handle.read(2))[0]
        if 0xC0 <= marker[1] <= 0xCF and marker[1] not in (0xC4, 0xC8, 0xCC):
            depth, height, width, bands = struct.unpack(">BHHB", handle.read(6))
            return RasterLayout(width, height, bands, depth, width, 16)
        handle.seek(length - 2, 1)
    raise ValueError("no JPEG frame header was found")


def _jpeg2000(handle: BinaryIO) -> RasterLayout:
    handle.seek(0)
    if handle.read(4) != b"\xff\x4f\xff\x51":
        _seek_codestream(handle)
        if handle.read(4) != b"\xff\x4f\xff\x51":
            raise ValueError("its JPEG 2000 codestream does not begin with a size marker")
    fields = struct.unpack(">HHIIIIIIIIH", handle.read(38))
    x1, y1, x0, y0, tile_width, tile_height, _, _, bands = fields[2:]
    bits = (handle.read(1)[0] & 0x7F) + 1
    width, height = x1 - x0, y1 - y0
    return RasterLayout(width, height, bands, bits, min(tile_width, width), min(tile_height, height))


def _seek_codestream(handle: BinaryIO) -> None:
    handle.seek(0)
    for _ in range(1000):
        size, kind = struct.unpack(">I4s", handle.read(8))
        skip = size - 8
        if size == 1:
            skip = struct.unpack(">Q", handle.read(8))[0] - 16
        if kind == b"jp2c":
            return
        if skip < 0:
            break
        handle.seek(skip, 1)
    raise ValueError("no JPEG 2000 codestream was found")


def _webp(handle: BinaryIO) -> RasterLayout:
    """Read a RIFF container whose first chunk is lossy, lossless, or extended (with a canvas size)."""
    head = handle.read(30)
    size = struct.unpack("<I", head[4:8])[0]
    if handle.seek(0, 2) < size + 8:
        raise ValueError("it is shorter than declared, so it is truncated")
    chunk, alpha = head[12:16], False
    if chunk == b"VP8X":
        if head[20] & 0x02:
            raise ValueError("it is an animation, not an image")
        alpha = bool(head[20] & 0x10)
        width, height = (int.from_bytes(head[offset : offset + 3], "little") + 1 for offset in (24, 27))
    elif chunk == b"VP8L" and head[20] == 0x2F:
        packed = struct.unpack("<I", head[21:25])[0]
        width, height, alpha = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, bool(packed >> 28 & 1)
    elif chunk == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", head[26:30]))
    else:
        raise ValueError("no WebP frame header was found")
    return RasterLayout(width, height, 4 if alpha else 3, 8, width, height)
