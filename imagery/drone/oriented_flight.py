"""Oriented photos and flights: the result of :func:`imagery.drone.orientation.orient_flight`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from shapely.geometry import Polygon

from errors import ImageError
from imagery.drone.collinearity import Pose
from imagery.drone.photo import Photo
from imagery.drone.terrain import Ground, LocalFrame

TiedTo = Literal["reference", "neighbours", "nothing"]


@dataclass(frozen=True)
class OrientedPhoto:
    """A photo with its exterior orientation.

    Attributes:
        photo: its tags, with the adjusted focal length.
        pose: exterior orientation.
        tied_to: the reference image (directly or through neighbours), neighbours only, or nothing.
        error_m: error of the position of its ground that 95 % of photos stay below.
        residual_m: median residual on the ground of its tie points; None: it has none.
        sensor_residual_m: the same by the sensors alone.
        footprint: ground that it shows; easting, northing.
        gsd_m: ground sample distance, metres per pixel.
        exclusion: why it is not used in the mosaic; "": it is.
    """

    photo: Photo
    pose: Pose
    tied_to: TiedTo
    error_m: float
    residual_m: float | None
    sensor_residual_m: float | None
    footprint: Polygon
    gsd_m: float
    exclusion: str = ""


@dataclass(frozen=True)
class OrientedFlight:
    """A flight with the exterior orientation of its photos.

    Attributes:
        frame, ground: coordinate frame and terrain of the orientation.
        photos: oriented photos.
        failed: photos that could not be oriented, and why.
        remarks: for people.
    """

    frame: LocalFrame
    ground: Ground
    photos: list[OrientedPhoto]
    failed: list[tuple[Photo, str]]
    remarks: list[str]

    @property
    def used(self) -> list[OrientedPhoto]:
        """Photos that are used in the mosaic."""
        return [oriented for oriented in self.photos if not oriented.exclusion]


def footprint_in_degrees(oriented: OrientedPhoto, frame: LocalFrame) -> Polygon:
    """Ground that a photo shows; longitude, latitude."""
    return shapely.transform(oriented.footprint, lambda points: np.column_stack(frame.to_degrees.transform(*points.T)))


def require_used_photos(flight: OrientedFlight) -> None:
    """Check that a mosaic can be made of a flight.

    Raises:
        ImageError: none of its photos can be used.
    """
    if not flight.used:
        reasons = [oriented.exclusion for oriented in flight.photos] + [reason for _, reason in flight.failed]
        first = reasons[0] if reasons else "there is none"
        raise ImageError(f"No photo of the flight can be placed: {first}.", "photo.none_placed", first=first)
