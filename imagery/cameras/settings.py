"""Settings of cameras."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaptureSettings:
    """How a capture is made.

    Attributes:
        frames: of a stream, whose median is taken.
        seconds: over which they are spread.
        limit_s: without an answer after which a stream is given up; it may take ``seconds`` besides.
        max_bytes: of one image that is received.
        max_pixels: of one image.
        stale_hours: age from which an image counts as frozen: the newest of a folder, or by what an address says of it.
        loopback: whether a camera may be this machine itself.
    """

    frames: int = 9
    seconds: float = 8.0
    limit_s: float = 30.0
    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 40_000_000
    stale_hours: float = 26.0
    loopback: bool = False


@dataclass(frozen=True)
class CompareSettings:
    """When a difference is a change.

    Attributes:
        persist: captures of like light in which a place must differ.
        persist_hours: that must lie between the first and the last of them.
        references: earlier captures that the place is compared with.
        min_area_m2: smallest ground that is reported.
        threshold: of the difference, 0…1.
    """

    persist: int = 3
    persist_hours: float = 24.0
    references: int = 3
    min_area_m2: float = 30.0
    threshold: float = 0.5
