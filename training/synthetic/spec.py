"""Specification of a rendered scene, and the rendered pair with its ground truth."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import Polygon

from errors import SettingsError
from inference.changes import Kind


@dataclass(frozen=True)
class SceneSpec:
    """Specification of one place on two dates. Equal specs render to equal pixels.

    Attributes:
        seed: determines the place and everything that happens there. The same seed over the same extent in metres is
            the same place at every resolution.
        width, height: of the images in pixels.
        gsd_m: metres per pixel.
        crs: of the written files; any projected CRS in metres.
        origin: easting, northing of the north-west corner in metres.
        dates: of the earlier and the later image; they determine season and sun position.
        hours: local solar time of both images, decimal hours.
        changes: number of sites that change; None: proportional to the area; 0: a pair without any change.
        misregistration_px: largest local shift of the earlier image against the later one.
        disturbance: difference of the dates in light, haze, colour, noise and sharpness; 0 none, 1 usual.
    """

    seed: int
    width: int
    height: int
    gsd_m: float = 0.5
    crs: str = "EPSG:4547"
    origin: tuple[float, float] = (489_600.0, 3_424_200.0)
    dates: tuple[dt.date, dt.date] = (dt.date(2025, 3, 2), dt.date(2025, 10, 26))
    hours: tuple[float, float] = (10.6, 11.4)
    changes: int | None = None
    misregistration_px: float = 1.5
    disturbance: float = 1.0

    def __post_init__(self) -> None:
        """Validate the values.

        Raises:
            SettingsError: a value is outside of what can be rendered.
        """
        if self.width < 1 or self.height < 1:
            raise SettingsError(
                f"A scene of {self.width} × {self.height} pixels cannot be rendered; give at least 1 × 1."
            )
        if not 0.02 <= self.gsd_m <= 10:
            raise SettingsError(f"A ground sample distance of {self.gsd_m} m cannot be rendered; give 0.02 to 10 m.")
        if self.seed < 0:
            raise SettingsError(f"The seed {self.seed} is negative; give 0 or more.")

    @property
    def transform(self) -> Affine:
        """Affine transform from pixel corner (column, row) to easting, northing."""
        return Affine(self.gsd_m, 0, self.origin[0], 0, -self.gsd_m, self.origin[1])


@dataclass(frozen=True)
class TrueChange:
    """One true change.

    Attributes:
        kind: construction (a building appeared), demolition (a building is gone) or ground (land was turned, including
            under new buildings). A new building on a field is in both a construction and a ground polygon.
        polygon: easting, northing in the scene's CRS, in the geometry of the later image.
        area_m2: area of the polygon in the plane of the CRS.
        description: in words, for a person.
    """

    kind: Kind
    polygon: Polygon
    area_m2: float
    description: str


@dataclass(frozen=True)
class RenderedPair:
    """A rendered pair of images with its ground truth.

    Attributes:
        spec: specification it was rendered from.
        before, after: uint8 H×W×3, red, green, blue.
        building: uint8 H×W, 1 where a building appeared or disappeared.
        ground: uint8 H×W, 1 where land was cleared, dug, filled, levelled, paved or built on.
        direction: int8 H×W, +1 where something appeared, −1 where something disappeared, 0 elsewhere.
        truth: the same changes as polygons.
    """

    spec: SceneSpec
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    building: NDArray[np.uint8]
    ground: NDArray[np.uint8]
    direction: NDArray[np.int8]
    truth: list[TrueChange]


def random_spec(rng: np.random.Generator, size: int = 256, gsd: tuple[float, float] = (0.25, 1.2)) -> SceneSpec:
    """Draw a spec for training: any season, any light, one pair in seven without change.

    Args:
        rng: source of randomness.
        size: width and height in pixels.
        gsd: range of metres per pixel, sampled uniformly on a log scale.
    """
    first = dt.date(2019, 1, 1) + dt.timedelta(days=int(rng.integers(0, 2200)))
    later = first + dt.timedelta(days=int(rng.integers(40, 900)))
    low, high = np.log(gsd[0]), np.log(gsd[1])
    return SceneSpec(
        seed=int(rng.integers(1 << 31)),
        width=size,
        height=size,
        gsd_m=float(np.exp(rng.uniform(low, high))),
        dates=(first, later),
        hours=(float(rng.uniform(9.3, 14.5)), float(rng.uniform(9.3, 14.5))),
        changes=0 if rng.random() < 1 / 7 else None,
        misregistration_px=float(rng.uniform(0, 2.2)),
        disturbance=float(rng.uniform(0.4, 1.8)),
    )
