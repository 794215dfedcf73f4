"""Limits on untrusted image files."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class Limits:
    """Limits on headers, and on the sandboxed process that rewrites a file.

    Attributes:
        max_side: width and height in pixels.
        max_pixels: width × height. 40 Gpx is a county of 50 × 50 km at 0.25 m.
        max_bands: number of bands.
        max_expansion: decoded bytes per byte of file. Deflate reaches about 1,030, so a higher ratio means a false
            header or an image without content.
        expansion_floor_bytes: decoded size below which ``max_expansion`` does not apply.
        max_block_bytes: decoded size of the largest tile or strip that is read in place; larger ones are rewritten
            first.
        max_rewrite_block_bytes: decoded size of the largest tile or strip that is accepted.
        in_process_pixels: size up to which images are rewritten in the caller's process; larger ones are sandboxed.
        max_rewrite_pixels: size of the largest image that is rewritten.
        rewrite_seconds: wall-clock time for rewriting, and processor time per thread.
        rewrite_memory_bytes: address space for rewriting.
        rewrite_file_bytes: size of the largest file that rewriting may create.
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
