"""A fixed camera and what is known of it: plain data, without any way to reach it."""

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
"""RTSP; HTTP with a multipart stream of JPEGs; an HTTP address of one image; a folder that images are put into."""

Frame = NDArray[np.uint8]
"""H×W×3, red, green, blue."""

Pixel = tuple[float, float]
"""x to the right and y downwards from the frame's upper left corner; the middle of the first pixel is (0.5, 0.5)."""


@dataclass(frozen=True)
class Credentials:
    """Who asks a camera. Never part of an address, a message, a log or a ``repr``."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class Stream:
    """Where the images of a camera come from.

    Attributes:
        kind: how they are fetched.
        address: ``rtsp://host/…``, ``http(s)://host/…`` or the path of a folder; without user name and password. But
            many cameras want them in the query, so it is kept as carefully as they are, and never shown.
            :func:`imagery.cameras.address.checked_stream` makes one from what a person typed.
        credentials: for RTSP and HTTP, basic or digest; None: it asks for none.
    """

    kind: StreamKind
    address: str = field(repr=False)
    credentials: Credentials | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Host and port, or the name of the folder: what may be shown of the address."""
        if self.kind == "folder":
            return Path(self.address).name
        return urlsplit(self.address).netloc


@dataclass(frozen=True)
class ControlPoint:
    """One point that was found in the frame and on the map.

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
        control_points: four or more before anything is put on the map.
        region: corners (x, y) in the reference frame of what is ground; empty: all that lies below the horizon.
        range_m: farthest ground that is believed, from the ground at the middle of the frame's lower edge.
        frame_size: width and height of the reference frame that points and region belong to.
    """

    name: str
    control_points: tuple[ControlPoint, ...]
    region: tuple[Pixel, ...]
    range_m: float
    frame_size: tuple[int, int]


@dataclass(frozen=True)
class Camera:
    """A camera on a mast, with its views."""

    name: str
    stream: Stream
    presets: tuple[Preset, ...] = ()


FaultCode = Literal["dark", "overexposed", "blurred", "fogged", "blocked", "frozen", "moved", "size"]


@dataclass(frozen=True)
class Fault:
    """One reason why a capture is not compared.

    Attributes:
        code: for programs.
        words: English: what was found, what was expected, what to do.
        facts: the numbers in it.
    """

    code: FaultCode
    words: str
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def reason(self) -> Reason:
        """The same for the pages, in their language."""
        return Reason(self.words, f"camera.{self.code}", **self.facts)


@dataclass(frozen=True)
class Quality:
    """What the gate found.

    Attributes:
        faults: none for a usable capture.
        brightness: median grey level, 0…255.
        contrast: standard deviation of grey over the frame.
        sharpness: fine detail relative to that of the reference frame, 1 alike; to a middling one without it.
        motion_px: how far the corners of the reference frame have moved at most; None: not registered.
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
    """How the light of a capture was, in numbers that can be stored: alike ones are compared with each other.

    Attributes:
        hour: of the local day, decimal.
        brightness: median grey level, 0…255.
        contrast: standard deviation of grey.
        warmth: logarithm of red over blue.
        direction: eight shares of the edges' strength by direction: cast shadows show in it.
    """

    hour: float
    brightness: float
    contrast: float
    warmth: float
    direction: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Capture:
    """What was seen at one time.

    Attributes:
        frame: temporal median of several frames, H×W×3 uint8; after :func:`imagery.cameras.quality_check.judge` as the
            reference frame lies, black where it does not reach.
        taken_at: with its time zone.
        quality: None before it was judged, except that a frozen stream is a fault at once.
        light: None before it was judged.
        frames: how many frames the median is of.
        sha256: of the pixels as they were fetched; the same as that of the capture before only from a frozen stream.
    """

    frame: Frame
    taken_at: dt.datetime
    quality: Quality | None = None
    light: Light | None = None
    frames: int = 1
    sha256: str = ""


@dataclass(frozen=True)
class Residual:
    """How far a control point lies off after the calibration, in metres on the ground east and north."""

    east_m: float
    north_m: float

    @property
    def metres(self) -> float:
        """Its length."""
        return float(np.hypot(self.east_m, self.north_m))


@dataclass(frozen=True)
class Calibration:
    """From the frame to the ground, by one plane.

    Attributes:
        homography: nine numbers, row by row: (x, y, 1) of a pixel → easting, northing relative to ``origin``, times w.
            w > 0 on the ground and 0 on the horizon.
        crs: the local zone, like "EPSG:4527"; easting, northing.
        origin: easting, northing that the homography counts from.
        residuals: of each control point, in their order.
        rms_m: root mean square of their lengths.
        covariance: 81 numbers, 9×9 row by row, of the homography's elements.
        sigma_px: standard deviation of a pixel that a person or the outline points at.
        near: easting, northing relative to origin of the ground at the middle of the frame's lower edge: the range is
            measured from there.
        warnings: for the person who calibrates: a point far off from where the others put it, a lopsided arrangement.
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
    """A suspected change that a camera saw, to be checked on the ground.

    Attributes:
        outline: longitude, latitude (EPSG:4490).
        in_frame: the same in the reference frame, (x, y), see :data:`Pixel`.
        kind: construction or ground, as far as a picture from the side tells.
        area_m2: ellipsoidal. What stands up is projected to the ground behind it, so this is an upper bound.
        error: of the position of the outline's middle.
        score: 0…1, how clearly the place differs from what it was.
        seen: in how many captures it persisted.
        first_seen, last_seen: the first and the last of these.
        compared_with: the latest capture that does not show it yet.
    """

    outline: Polygon
    in_frame: Polygon
    kind: Literal["construction", "ground"]
    area_m2: float
    error: ErrorEllipse
    score: float
    seen: int
    first_seen: dt.datetime
    last_seen: dt.datetime
    compared_with: dt.datetime


@dataclass(frozen=True)
class Comparison:
    """What came of a comparison of captures.

    Attributes:
        changes: what persisted.
        pending: how many places differ, but not in enough captures or over enough time yet.
        weak: how many differ for long enough, but neither clearly nor as works do.
        not_compared: why nothing could be compared, or ""; then "no change" is not said either.
        watched_m2: ground that was compared, in m².
    """

    changes: tuple[GroundChange, ...] = ()
    pending: int = 0
    weak: int = 0
    not_compared: str = ""
    watched_m2: float = 0.0
