"""How much a file may ask for before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class Limits:
    """Bounds that a header is held against, and those of the process that rewrites a file.

    Attributes:
        max_side: width and height in pixels.
        max_pixels: width × height. 40 Gpx is a county of 50 × 50 km at 0.25 m.
        max_bands: bands.
        max_expansion: decoded bytes per byte of file. Deflate ends at about 1,030, so more is a header that lies or
            an image without content.
        expansion_floor_bytes: decoded size below which the expansion does not matter.
        max_block_bytes: largest tile or strip, decoded, that is read in place; a larger one is rewritten first.
        max_rewrite_block_bytes: largest tile or strip, decoded, that is accepted at all.
        in_process_pixels: images up to this size are rewritten here, larger ones in a process of their own.
        max_rewrite_pixels: largest image that is rewritten.
        rewrite_seconds: time for it, of the clock and of the processor.
        rewrite_memory_bytes: address space for it.
        rewrite_file_bytes: largest file that it may write.
    """

    max_side: int = 400_000
    max_pixels: int = 40_000_000_000
    max_bands: int = 13
    max_expansion: int = 2_000
    expansion_floor_bytes: int = 512 * MIB
    max_block_bytes: int = 64 * MIB
    max_rewrite_block_bytes: int = GIB
    in_process_pixels: int = 4_000_000
    max_rewrite_pixels: int = 4_000_000_000
    rewrite_seconds: int = 3_600
    rewrite_memory_bytes: int = 4 * GIB
    rewrite_file_bytes: int = 64 * GIB
