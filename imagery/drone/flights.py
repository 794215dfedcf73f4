"""Photos that came together, told apart by flight: one camera, one place, no long pause."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence

from pyproj import Geod

from imagery.drone.photo import Photo
from imagery.drone.settings import DroneSettings

_ELLIPSOID = Geod(ellps="WGS84")


def group_flights(photos: Sequence[Photo], settings: DroneSettings) -> list[list[Photo]]:
    """Divide photos into flights, each in the order in which it was taken; the longest flight first.

    Photos of one camera follow each other by its clock, or by their names where it tells no time. A pause, or a
    distance, above that of the settings begins another flight.
    """
    by_camera: dict[tuple[object, ...], list[Photo]] = defaultdict(list)
    for photo in photos:
        by_camera[photo.camera, photo.lens.width, photo.lens.height, photo.taken is None].append(photo)
    flights: list[list[Photo]] = []
    for same_camera in by_camera.values():
        same_camera.sort(key=lambda photo: (photo.taken or dt.datetime.min, photo.name))  # noqa: DTZ901
        flight = [same_camera[0]]
        for photo in same_camera[1:]:
            if _apart(flight[-1], photo, settings):
                flights.append(flight)
                flight = []
            flight.append(photo)
        flights.append(flight)
    return sorted(flights, key=lambda flight: (-len(flight), flight[0].name))


def flight_date(flight: Sequence[Photo]) -> tuple[dt.date | None, str]:
    """The day most photos of a flight tell, and where it comes from."""
    told = Counter((photo.date, photo.date_source) for photo in flight if photo.date is not None)
    return told.most_common(1)[0][0] if told else (None, "unknown")


def _apart(earlier: Photo, later: Photo, settings: DroneSettings) -> bool:
    if earlier.taken is not None and later.taken is not None:
        minutes = (later.taken - earlier.taken).total_seconds() / 60
        if minutes > settings.flight_gap_minutes:
            return True
    distance = _ELLIPSOID.inv(earlier.longitude, earlier.latitude, later.longitude, later.latitude)[2]
    return bool(distance > settings.flight_gap_m)
