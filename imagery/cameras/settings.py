"""Settings for capturing and comparing camera images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CaptureSettings:
    """Settings of a capture.

    Attributes:
        frames: number of frames whose median is taken.
        seconds: time over which they are spread.
        limit_s: response timeout of a stream in seconds, in addition to ``seconds``.
        max_bytes: of one received image.
        max_pixels: of one image.
        stale_hours: age from which an image counts as frozen: of the newest file in a folder, or by the HTTP headers.
        loopback: whether a camera may be on this machine.
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
    """Criteria for a difference to be reported as a change.

    Attributes:
        persist: minimum number of captures that differ from earlier ones in similar light; also two thirds of the
            latest ones.
        persist_hours: minimum time between the first and the last of them.
        references: maximum number of earlier captures in similar light that each capture is compared with.
        threshold: difference (:func:`imagery.cameras.frame_difference.difference`) from which a place is considered.
        sure: difference from which a place is reported even if the detector does not confirm it.
        min_area_m2: smallest reported area on the ground.
        max_error_m: largest position error of a reported outline's corners, one standard deviation.
    """

    persist: int = 3
    persist_hours: float = 24.0
    references: int = 3
    threshold: float = 0.28
    sure: float = 0.4
    min_area_m2: float = 50.0
    max_error_m: float = 40.0
