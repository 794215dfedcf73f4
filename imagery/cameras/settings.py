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
        persist: captures in which a place must differ from earlier ones of like light; two thirds of the latest, too.
        persist_hours: that must lie between the first and the last of them.
        references: earlier captures of like light that each is compared with at most.
        threshold: difference (:func:`imagery.cameras.frame_difference.difference`) from which a place is looked at.
        sure: difference from which it counts also where the detector does not confirm it.
        min_area_m2: smallest ground that is reported.
        max_error_m: largest error of a corner's place, one standard deviation, that is reported.
    """

    persist: int = 3
    persist_hours: float = 24.0
    references: int = 3
    threshold: float = 0.28
    sure: float = 0.4
    min_area_m2: float = 50.0
    max_error_m: float = 40.0
