"""Data classes of fixed cameras: streams, views, captures, calibrations and comparisons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from errors import Reason
from imagery.error_ellipse import ErrorEllipse

StreamKind = Literal["rtsp", "mjpeg", "still", "folder"]
"""RTSP; HTTP with a multipart stream of JPEGs; an HTTP address of one image; a folder that receives images."""

Frame = NDArray[np.uint8]
"""uint8 H×W×3, RGB."""

Pixel = tuple[float, float]
"""x to the right and y down from the frame's upper left corner; the centre of the first pixel is (0.5, 0.5)."""


@dataclass(frozen=True)
class Credentials:
    """User name and password of a camera. Never part of an address, a message, a log or a ``repr``."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Stream:
    """Source of a camera's images.

    Attributes:
        kind: how they are fetched.
        address: ``rtsp://host/…``, ``http(s)://host/…`` or the path of a folder, without user name and password. Secret
            all the same and never shown, because many cameras expect the password in the query.
            :func:`imagery.cameras.address.parse_stream` creates a stream from user input.
        credentials: for RTSP and HTTP, basic or digest; None: none required.
        ip: address that the host's name was resolved to and that is connected to; "": not resolved yet.
    """

    kind: StreamKind
    address: str = field(repr=False)
    credentials: Credentials | None = field(default=None, repr=False)
    ip: str = ""

    @property
    def host(self) -> str:
        """Host and port, or the name of the folder: the part of the address that may be shown."""
        if self.kind == "folder":
            return Path(self.address).name
        return urlsplit(self.address).netloc


@dataclass(frozen=True)
class ControlPoint:
    """Control point: one place identified in the frame and on the map.

    Attributes:
        x, y: in the reference frame, see :data:`Pixel`.
        lon, lat: degrees, EPSG:4490.
    """

    x: float
    y: float
    lon: float
    lat: float


@dataclass(frozen=True)
class Preset:
    """One view of a camera.

    Attributes:
        name: like "valley, east".
        control_points: four or more, for a calibrated view.
        region: corners (x, y) in the reference frame of the ground to watch; empty: all below the horizon.
        range_m: largest distance to watch, from the ground at the middle of the frame's lower edge.
        frame_size: width and height of the reference frame that control points and region refer to.
    """

    name: str
    control_points: tuple[ControlPoint, ...]
    region: tuple[Pixel, ...]
    range_m: float
    frame_size: tuple[int, int]


FaultCode = Literal["dark", "overexposed", "blurred", "fogged", "blocked", "frozen", "moved", "size"]


@dataclass(frozen=True)
class Fault:
    """Reason why a capture is not compared.

    Attributes:
        code: stable identifier.
        words: English message: what was found, what was expected, what to do.
        facts: numbers in the message.
    """

    code: FaultCode
    words: str
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def reason(self) -> Reason:
        """The fault as a translatable reason."""
        return Reason(self.words, f"camera.{self.code}", **self.facts)


@dataclass(frozen=True)
class Quality:
    """Result of the quality check.

    Attributes:
        faults: none for a usable capture.
        brightness: median grey level, 0…255.
        contrast: standard deviation of grey over the frame.
        sharpness: fine detail relative to that of the reference frame (1: equal), or to a typical one without it.
        motion_px: largest displacement of the reference frame's corners; None: not registered.
    """

    faults: tuple[Fault, ...] = ()
    brightness: float = 0.0
    contrast: float = 0.0
    sharpness: float = 0.0
    motion_px: float | None = None

    @property
    def usable(self) -> bool:
        """Whether the capture may be compared."""
        return not self.faults


@dataclass(frozen=True)
class Light:
    """Illumination of a capture as numbers that can be stored; captures in similar light are compared.

    Attributes:
        hour: local time of day, decimal.
        brightness: median grey level, 0…255.
        contrast: standard deviation of grey.
        warmth: logarithm of red over blue.
        direction: eight fractions of the edges' strength by direction, in which cast shadows show.
    """

    hour: float
    brightness: float
    contrast: float
    warmth: float
    direction: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Capture:
    """Image of a camera at one time.

    Attributes:
        frame: temporal median of several frames, H×W×3 uint8. After
            :func:`imagery.cameras.quality_check.check_quality`, aligned with the reference frame and black outside.
        taken_at: with its time zone.
        quality: None before the quality check, except that a frozen stream is a fault from the start.
        light: None before the quality check.
        frames: number of frames in the median.
        sha256: of the pixels as fetched; equal to that of the previous capture only for a frozen stream.
    """

    frame: Frame
    taken_at: dt.datetime
    quality: Quality | None = None
    light: Light | None = None
    frames: int = 1
    sha256: str = ""


@dataclass(frozen=True)
class Residual:
    """Residual of a control point after the calibration, in metres on the ground to the east and north."""

    east_m: float
    north_m: float

    @property
    def metres(self) -> float:
        """Length of the residual."""
        return float(np.hypot(self.east_m, self.north_m))


@dataclass(frozen=True)
class Calibration:
    """Homography from the frame to a plane ground.

    Attributes:
        homography: nine numbers, row by row: (x, y, 1) of a pixel → easting, northing relative to ``origin``, times w.
            w > 0 on the ground and 0 on the horizon.
        crs: projected CRS of the local zone, like "EPSG:4527"; easting, northing.
        origin: easting, northing of the homography's origin.
        residuals: of each control point, in their order.
        rms_m: root mean square of the residuals' lengths.
        covariance: 81 numbers, 9×9 row by row, of the homography's elements.
        sigma_px: standard deviation of a pixel position, clicked or detected.
        near: easting, northing relative to ``origin`` of the ground at the middle of the frame's lower edge, from which
            the range is measured.
        warnings: for the person who calibrates, like an outlier or points in a small part of the frame.
    """

    homography: tuple[float, ...]
    crs: str
    origin: tuple[float, float]
    residuals: tuple[Residual, ...]
    rms_m: float
    covariance: tuple[float, ...]
    sigma_px: float
    near: tuple[float, float]
    warnings: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class GroundChange:
    """Suspected change seen by a camera, to be verified on site.

    Attributes:
        outline: longitude, latitude (EPSG:4490).
        in_frame: the same in the reference frame, (x, y), see :data:`Pixel`.
        kind: construction or ground, as far as an oblique view allows; demolition: works that were reported are gone.
        area_m2: ellipsoidal; an estimate: what stands up covers ground behind it, and what differs little is missing.
        error: of the position of the outline's centre.
        score: 0…1, how clearly the place differs from before.
        capture_count: number of captures that show it.
        first_seen, last_seen: times of the first and the last of these captures.
        compared_with: time of the latest capture that does not show it yet; of works that are gone, of the one that
            shows them.
        works: number of the reported works that have grown or are gone (:class:`StandingWorks`); None: a new change.
    """

    outline: Polygon
    in_frame: Polygon
    kind: Literal["construction", "ground", "demolition"]
    area_m2: float
    error: ErrorEllipse
    score: float
    capture_count: int
    first_seen: dt.datetime
    last_seen: dt.datetime
    compared_with: dt.datetime
    works: int | None = None


@dataclass(frozen=True, eq=False)
class StandingWorks:
    """Works that a view has reported and that stand, as far as is known.

    Attributes:
        number: identifies their latest report.
        in_frame: outline in the reference frame, (x, y), as last reported.
        area_m2: as last reported.
        baseline: captures from before the works, in light similar to the captures compared with them; may be empty.
        shown_at: time of the capture that showed them in their latest report.
    """

    number: int
    in_frame: Polygon
    area_m2: float
    baseline: tuple[Capture, ...]
    shown_at: dt.datetime


@dataclass(frozen=True)
class Comparison:
    """Result of comparing captures.

    Attributes:
        changes: persistent changes.
        pending: number of places that differ, but not yet in enough captures or over enough time.
        weak: number of places that differ for long enough, but neither clearly nor confirmed by the detector.
        not_compared: why nothing could be compared, or ""; if set, empty ``changes`` do not mean "no change".
        watched_m2: ground that was compared, in m².
    """

    changes: tuple[GroundChange, ...] = ()
    pending: int = 0
    weak: int = 0
    not_compared: str = ""
    watched_m2: float = 0.0
