"""Report on the orientation of photos as plain data: outcome, accuracy and reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping
from shapely.geometry.polygon import orient

from errors import Reason
from imagery.drone.oriented_flight import OrientedFlight, OrientedPhoto, footprint_in_degrees


def photo_feature(oriented: OrientedPhoto, flight: OrientedFlight, mosaic: str) -> dict[str, Any]:
    """Convert a photo to a GeoJSON feature (RFC 7946) of its footprint in longitude and latitude.

    Args:
        oriented: the photo.
        flight: its flight.
        mosaic: name of the mosaic that uses it.
    """
    footprint = orient(shapely.set_precision(footprint_in_degrees(oriented, flight.frame), 1e-9), 1.0)
    return {"type": "Feature", "geometry": mapping(footprint), "properties": photo_properties(oriented, mosaic)}


def photo_properties(oriented: OrientedPhoto, mosaic: str) -> dict[str, Any]:
    """Properties of an oriented photo. Lengths are metres on the ground."""
    photo, sensor_residual = oriented.photo, oriented.sensor_residual_m
    return {
        "name": photo.name,
        "outcome": "left out" if oriented.exclusion else "coarse" if oriented.tied_to == "nothing" else "refined",
        "tied_to": oriented.tied_to,
        "error_m": round(oriented.error_m, 2),
        "residual_m": _rounded(oriented.residual_m, 3),
        "residual_px": _rounded(oriented.residual_m and oriented.residual_m / oriented.gsd_m, 2),
        "residual_by_sensors_m": _rounded(sensor_residual, 3),
        "residual_by_sensors_px": _rounded(sensor_residual and sensor_residual / oriented.gsd_m, 1),
        "gsd_m": round(oriented.gsd_m, 4),
        "height_m": round(oriented.gsd_m * photo.lens.focal_px, 1),
        "off_nadir_deg": round(_off_nadir_deg(oriented), 1),
        "taken": photo.taken and photo.taken.isoformat(),
        "date": photo.date and photo.date.isoformat(),
        "date_source": photo.date_source,
        "camera": photo.camera,
        "focal_px": round(photo.lens.focal_px, 1),
        "focal_source": photo.lens.source,
        "mosaic": "" if oriented.exclusion else mosaic,
        "reason": oriented.exclusion,
        "remarks": list(photo.remarks),
    }


def describe_photo(oriented: OrientedPhoto) -> Reason:
    """Describe the orientation of a photo for people, without a full stop."""
    if oriented.exclusion:
        return Reason.combine([oriented.exclusion])
    error = max(0.1, round(oriented.error_m, 1))
    about = f"error about {error} m"
    accuracy = {
        "reference": Reason(f"placed by the reference image: {about}", "photo.by_reference", error=error),
        "neighbours": Reason(
            f"placed relative to its neighbours, and as a block by satellite positions: {about}",
            "photo.by_neighbours",
            error=error,
        ),
        "nothing": Reason(f"placed coarsely, by its sensors alone: {about}", "photo.coarse", error=error),
    }[oriented.tied_to]
    return Reason.combine([accuracy, *oriented.photo.remarks])


def flight_summary(flight: OrientedFlight) -> dict[str, Any]:
    """Counts and median residuals of a flight."""
    tied = [
        (oriented.residual_m, oriented.sensor_residual_m, oriented.gsd_m)
        for oriented in flight.photos
        if oriented.residual_m is not None and oriented.sensor_residual_m is not None
    ]
    return {
        "photos": len(flight.photos) + len(flight.failed),
        "refined": sum(oriented.tied_to != "nothing" for oriented in flight.photos),
        "coarse": sum(oriented.tied_to == "nothing" and not oriented.exclusion for oriented in flight.photos),
        "left_out": sum(bool(oriented.exclusion) for oriented in flight.photos) + len(flight.failed),
        "residual_by_sensors_m": _median([by_sensors for _, by_sensors, _ in tied]),
        "residual_m": _median([residual for residual, _, _ in tied]),
        "residual_px": _median([residual / gsd for residual, _, gsd in tied]),
        "crs": str(flight.frame.crs.to_string()),
        "remarks": flight.remarks,
    }


def _off_nadir_deg(oriented: OrientedPhoto) -> float:
    return float(np.degrees(np.arccos(np.clip(-oriented.pose.rotation[2, 2], -1, 1))))


def _median(values: list[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
