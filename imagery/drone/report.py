"""What became of each photo, as plain data: where it lies, how well that is known, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping
from shapely.geometry.polygon import orient

from errors import Reason
from imagery.drone.orientation import PlacedFlight, PlacedPhoto, outline_in_degrees


def photo_feature(placed: PlacedPhoto, flight: PlacedFlight, mosaic: str) -> dict[str, Any]:
    """One photo as a GeoJSON feature (RFC 7946): its ground in longitude and latitude.

    Args:
        placed: the photo.
        flight: its flight.
        mosaic: name of the mosaic that it became part of.
    """
    outline = orient(shapely.set_precision(outline_in_degrees(placed, flight.frame), 1e-9), 1.0)
    return {"type": "Feature", "geometry": mapping(outline), "properties": photo_facts(placed, mosaic)}


def photo_facts(placed: PlacedPhoto, mosaic: str) -> dict[str, Any]:
    """What is known of a placed photo. Lengths are metres on the ground."""
    photo = placed.photo
    return {
        "name": photo.name,
        "outcome": "left out" if placed.left_out else "coarse" if placed.tied == "nothing" else "refined",
        "tied_to": placed.tied,
        "error_m": round(placed.error_m, 2),
        "residual_m": _rounded(placed.residual_m, 3),
        "residual_px": _rounded(placed.residual_m and placed.residual_m / placed.gsd_m, 2),
        "residual_by_sensors_m": _rounded(placed.before_m, 3),
        "residual_by_sensors_px": _rounded(placed.before_m and placed.before_m / placed.gsd_m, 1),
        "gsd_m": round(placed.gsd_m, 4),
        "height_m": round(placed.gsd_m * photo.lens.focal_px, 1),
        "off_nadir_deg": round(_off_nadir(placed), 1),
        "taken": photo.taken and photo.taken.isoformat(),
        "date": photo.date and photo.date.isoformat(),
        "date_source": photo.date_source,
        "camera": photo.camera,
        "focal_px": round(photo.lens.focal_px, 1),
        "focal_source": photo.lens.source,
        "mosaic": "" if placed.left_out else mosaic,
        "reason": placed.left_out,
        "remarks": list(photo.remarks),
    }


def in_words(placed: PlacedPhoto) -> Reason:
    """What a person should know of a photo in a mosaic, in one sentence without its full stop."""
    if placed.left_out:
        return Reason.all([placed.left_out])
    error = max(0.1, round(placed.error_m, 1))
    about = f"error about {error} m"
    tied = {
        "reference": Reason(f"placed by the reference image: {about}", "photo.by_reference", error=error),
        "neighbours": Reason(
            f"placed by its neighbours, all together by the satellites: {about}", "photo.by_neighbours", error=error
        ),
        "nothing": Reason(f"placed coarsely, by its sensors alone: {about}", "photo.coarse", error=error),
    }[placed.tied]
    return Reason.all([tied, *placed.photo.remarks])


def flight_facts(flight: PlacedFlight) -> dict[str, Any]:
    """What is known of a flight as a whole."""
    known = [placed for placed in flight.photos if placed.residual_m is not None and placed.before_m is not None]
    return {
        "photos": len(flight.photos) + len(flight.unplaced),
        "refined": sum(placed.tied != "nothing" for placed in flight.photos),
        "coarse": sum(placed.tied == "nothing" and not placed.left_out for placed in flight.photos),
        "left_out": sum(bool(placed.left_out) for placed in flight.photos) + len(flight.unplaced),
        "residual_by_sensors_m": _median([placed.before_m or 0.0 for placed in known]),
        "residual_m": _median([placed.residual_m or 0.0 for placed in known]),
        "residual_px": _median([(placed.residual_m or 0.0) / placed.gsd_m for placed in known]),
        "crs": str(flight.frame.crs.to_string()),
        "remarks": flight.remarks,
    }


def _off_nadir(placed: PlacedPhoto) -> float:
    return float(np.degrees(np.arccos(np.clip(-placed.pose.rotation[2, 2], -1, 1))))


def _median(values: list[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
