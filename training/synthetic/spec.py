"""What is asked of a rendered scene, and what comes out of it."""

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
    """One place on two dates. Equal specs render to equal pixels.

    Attributes:
        seed: settles the place and everything that happens there. The same seed over the same ground (metres) is the
            same place at every resolution.
        width, height: pixels.
        gsd_m: metres per pixel.
        crs: of the written files; any projected one in metres.
        origin: easting, northing of the north-west corner in metres.
        dates: of the earlier and the later image; they settle season and height of the sun.
        hours: local solar time of both images, decimal hours.
        changes: how many places change; None for as many as suit the area, 0 for a pair without any change.
        misregistration_px: how far the earlier image may be shifted against the later one, locally, at most.
        disturbance: how different the two dates are in light, haze, colour, noise and sharpness; 0 alike, 1 usual.
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
        """Refuse what cannot be rendered (SettingsError)."""
        if self.width < 1 or self.height < 1:
            raise SettingsError(
                f"A scene of {self.width} × {self.height} pixels cannot be rendered; give at least 1 × 1."
            )
        if not 0.02 <= self.gsd_m <= 10:
            raise SettingsError(
                f"A ground resolution of {self.gsd_m} m is outside of what can be rendered, 0.02 to 10 m."
            )
        if self.seed < 0:
            raise SettingsError(f"The seed {self.seed} is negative; give 0 or more.")

    @property
    def transform(self) -> Affine:
        """Pixel corner (column, row) → easting, northing."""
        return Affine(self.gsd_m, 0, self.origin[0], 0, -self.gsd_m, self.origin[1])


@dataclass(frozen=True)
class TrueChange:
    """One true change.

    Attributes:
        kind: construction (a building appeared), demolition (one is gone) or ground (land was turned, buildings on it
            included). A new building on a field is in both a construction and a ground polygon.
        polygon: easting, northing in the scene's CRS, in the geometry of the later image.
        area_m2: of the polygon in the plane of the CRS.
        what: in words, for a person.
    """

    kind: Kind
    polygon: Polygon
    area_m2: float
    what: str


@dataclass(frozen=True)
class RenderedPair:
    """A rendered pair with its truth.

    Attributes:
        spec: what was asked for.
        before, after: uint8 H×W×3, red, green, blue.
        building: uint8 H×W, 1 where a building appeared or vanished.
        ground: uint8 H×W, 1 where land was cleared, dug, filled, levelled, paved or built on.
        direction: int8 H×W, +1 where something appeared, −1 where something vanished, 0 elsewhere.
        truth: the same as polygons.
    """

    spec: SceneSpec
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    building: NDArray[np.uint8]
    ground: NDArray[np.uint8]
    direction: NDArray[np.int8]
    truth: list[TrueChange]


def random_spec(rng: np.random.Generator, size: int = 256, gsd: tuple[float, float] = (0.25, 1.2)) -> SceneSpec:
    """A varied spec for training: any season, any light, every seventh pair without change.

    Args:
        rng: source of all choices.
        size: width and height in pixels.
        gsd: range of metres per pixel, drawn evenly on a log scale.
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
