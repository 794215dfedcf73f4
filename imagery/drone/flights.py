"""Photos that came together, told apart by flight: one camera, one place, no long pause."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from imagery.drone.photo import Photo
from imagery.drone.settings import DroneSettings

_DEGREE_M = 111_320.0  # of latitude, about


def group_flights(photos: Sequence[Photo], settings: DroneSettings) -> list[list[Photo]]:
    """Divide photos into flights, each in the order in which it was taken; the longest flight first.

    Photos of one camera follow each other by its clock, or by their names where it tells no time. A pause above that of
    the settings begins another flight, and what hangs together by no distance below that of the settings is several.
    """
    by_camera: dict[tuple[object, ...], list[Photo]] = defaultdict(list)
    for photo in photos:
        by_camera[photo.camera, photo.lens.width, photo.lens.height, photo.taken is None].append(photo)
    flights: list[list[Photo]] = []
    for same_camera in by_camera.values():
        same_camera.sort(key=lambda photo: (photo.taken or dt.datetime.min, photo.name))  # noqa: DTZ901
        run = [same_camera[0]]
        for photo in same_camera[1:]:
            if _paused(run[-1], photo, settings.flight_gap_minutes):
                flights += _places(run, settings.flight_gap_m)
                run = []
            run.append(photo)
        flights += _places(run, settings.flight_gap_m)
    return sorted(flights, key=lambda flight: (-len(flight), flight[0].name))


def flight_date(flight: Sequence[Photo]) -> tuple[dt.date | None, str]:
    """The day most photos of a flight tell, and where it comes from."""
    told = Counter((photo.date, photo.date_source) for photo in flight if photo.date is not None)
    return told.most_common(1)[0][0] if told else (None, "unknown")


def _paused(earlier: Photo, later: Photo, minutes: float) -> bool:
    if earlier.taken is None or later.taken is None:
        return False
    return (later.taken - earlier.taken).total_seconds() > 60 * minutes


def _places(photos: Sequence[Photo], gap_m: float) -> list[list[Photo]]:
    """Photos by place: two are of one place if steps of at most ``gap_m`` go from one to the other."""
    latitude = np.radians([photo.latitude for photo in photos])
    east = _DEGREE_M * np.array([photo.longitude for photo in photos]) * np.cos(latitude)
    north = _DEGREE_M * np.degrees(latitude)
    left = set(range(len(photos)))
    found = []
    while left:
        reached, new = set[int](), [min(left)]
        while new:
            number = new.pop()
            reached.add(number)
            near = np.flatnonzero(np.hypot(east - east[number], north - north[number]) <= gap_m).tolist()
            new += [other for other in near if other not in reached and other not in new]
        left -= reached
        found.append([photos[number] for number in sorted(reached)])
    return found
