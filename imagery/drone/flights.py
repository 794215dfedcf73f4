"""Group photos into flights: one camera, one place, no long pause."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from imagery.drone.photo import Photo
from imagery.drone.settings import DroneSettings

_METRES_PER_DEGREE = 111_320.0  # of latitude, approximately


def group_flights(photos: Sequence[Photo], settings: DroneSettings) -> list[list[Photo]]:
    """Divide photos into flights, each in the order of capture; the longest flight first.

    The photos of one camera are ordered by its clock, or by name where they have no time. A pause longer than
    ``flight_gap_minutes`` starts another flight. Photos that no chain of steps below ``flight_gap_m`` connects belong
    to different flights.
    """
    by_camera: dict[tuple[object, ...], list[Photo]] = defaultdict(list)
    for photo in photos:
        by_camera[photo.camera, photo.lens.width, photo.lens.height, photo.taken is None].append(photo)
    flights: list[list[Photo]] = []
    for same_camera in by_camera.values():
        same_camera.sort(key=lambda photo: (photo.taken or dt.datetime.min, photo.name))  # noqa: DTZ901
        run = [same_camera[0]]
        for photo in same_camera[1:]:
            if _is_pause(run[-1], photo, settings.flight_gap_minutes):
                flights += _split_by_distance(run, settings.flight_gap_m)
                run = []
            run.append(photo)
        flights += _split_by_distance(run, settings.flight_gap_m)
    return sorted(flights, key=lambda flight: (-len(flight), flight[0].name))


def flight_date(flight: Sequence[Photo]) -> tuple[dt.date | None, str]:
    """Most common acquisition date of a flight's photos, and its source."""
    dates = Counter((photo.date, photo.date_source) for photo in flight if photo.date is not None)
    return dates.most_common(1)[0][0] if dates else (None, "unknown")


def _is_pause(earlier: Photo, later: Photo, minutes: float) -> bool:
    if earlier.taken is None or later.taken is None:
        return False
    return (later.taken - earlier.taken).total_seconds() > 60 * minutes


def _split_by_distance(photos: Sequence[Photo], gap_m: float) -> list[list[Photo]]:
    """Connected components of photos: two are neighbours if they are at most ``gap_m`` apart."""
    latitude = np.radians([photo.latitude for photo in photos])
    east = _METRES_PER_DEGREE * np.array([photo.longitude for photo in photos]) * np.cos(latitude)
    north = _METRES_PER_DEGREE * np.degrees(latitude)
    remaining = set(range(len(photos)))
    components = []
    while remaining:
        reached, frontier = set[int](), [min(remaining)]
        while frontier:
            index = frontier.pop()
            reached.add(index)
            near = np.flatnonzero(np.hypot(east - east[index], north - north[index]) <= gap_m).tolist()
            frontier += [other for other in near if other not in reached and other not in frontier]
        remaining -= reached
        components.append([photos[index] for index in sorted(reached)])
    return components
