"""Track of a patrol from a GPX file or a drawn line: segments, length, and gaps in which nothing was recorded.

A page or a phone cannot record while its screen is off. A pause between two points that is longer, in time or on the
ground, than a setting is shown as a gap and never as walked ground.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gpxpy
import gpxpy.gpx
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from pyproj import Geod

from errors import SettingsError

_GEOD = Geod(ellps="GRS80")
_MOST_POINTS = 200_000

Point = tuple[float, ...]
"""Longitude, latitude, and where known seconds since 1970."""


class TrackError(SettingsError):
    """A track cannot be read, or is no track."""


@dataclass(frozen=True)
class Gap:
    """A pause in a track: ``seconds`` (None: unknown) and straight ``metres`` between its ends, (lon, lat)."""

    seconds: float | None
    metres: float
    start: tuple[float, float]
    end: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return the gap as it is stored."""
        seconds = None if self.seconds is None else round(self.seconds)
        return {"seconds": seconds, "metres": round(self.metres, 1), "from": list(self.start), "to": list(self.end)}


@dataclass(frozen=True)
class Track:
    """A track.

    Attributes:
        segments: lines without gaps.
        length_m: ellipsoidal length of the segments, without the gaps.
        gaps: pauses between the segments.
        started_at, ended_at: times of the first and last point; None: unknown.
    """

    segments: list[list[Point]]
    length_m: float
    gaps: list[Gap] = field(default_factory=list)
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None


def read_gpx(
    data: bytes, *, gap_seconds: float, gap_m: float, most_bytes: int, most_points: int = _MOST_POINTS
) -> Track:
    """Read the tracks of a GPX file; routes and waypoints are used only if it has no track.

    Args:
        data: the file.
        gap_seconds: pause from which a gap begins.
        gap_m: distance between two points from which a gap begins.
        most_bytes: largest accepted size.
        most_points: largest accepted number of points.

    Raises:
        TrackError: too large, unsafe or damaged XML, no GPX, or no line of two points.
    """
    if len(data) > most_bytes:
        raise TrackError(
            f"The GPX file has {len(data) / 2**20:.1f} MB; expected at most {most_bytes / 2**20:.0f} MB.",
            "track.too_large",
            size=f"{len(data) / 2**20:.1f}",
            most=f"{most_bytes / 2**20:.0f}",
        )
    try:
        ElementTree.fromstring(data, forbid_dtd=True)  # refuses entities, which XML bombs need
        gpx = gpxpy.parse(data)
    except DefusedXmlException:
        raise TrackError(
            "The GPX file contains a document type or entities, which a track does not need. Export it again.",
            "track.unsafe",
        ) from None
    except (gpxpy.gpx.GPXException, ElementTree.ParseError, ValueError, TypeError, LookupError, RecursionError):
        raise TrackError(
            "The file is no readable GPX. Export the track again as GPX 1.0 or 1.1.", "track.not_gpx"
        ) from None
    lines = [segment.points for track in gpx.tracks for segment in track.segments] or [
        route.points for route in gpx.routes
    ]
    found = sum(map(len, lines))
    if found > most_points:
        raise TrackError(
            f"The GPX file has {found} points; expected at most {most_points}.",
            "track.points",
            count=found,
            most=most_points,
        )
    points = [[_point(point.longitude, point.latitude, point.time) for point in line] for line in lines if line]
    return _track(points, gap_seconds, gap_m)


def drawn_track(line: Sequence[Sequence[float]]) -> Track:
    """Return a line drawn on a map as a track without gaps; (lon, lat).

    Raises:
        TrackError: fewer than two points, or a point outside of the range of longitudes and latitudes.
    """
    return _track([[_point(position[0], position[1], None) for position in line]], math.inf, math.inf)


def simplified(track: Track, most: int) -> list[list[Point]]:
    """Return the segments with at most about ``most`` points in total, for storage and maps; ends are kept."""
    total = sum(map(len, track.segments))
    step = math.ceil(total / most) if total > most else 1
    return [[*segment[:-1:step], segment[-1]] for segment in track.segments]


def _point(lon: float | None, lat: float | None, time: dt.datetime | None) -> Point:
    if lon is None or lat is None or not (math.isfinite(lon) and math.isfinite(lat)):
        raise TrackError("A point of the track has no position.", "track.position")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise TrackError(
            f"The position {lon}, {lat} of the track is outside of the range of longitudes and latitudes.",
            "track.position",
        )
    place = (round(float(lon), 7), round(float(lat), 7))
    if time is None:
        return place
    known = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return (*place, known.timestamp())


def _track(lines: Sequence[Sequence[Point]], gap_seconds: float, gap_m: float) -> Track:
    segments: list[list[Point]] = []
    gaps: list[Gap] = []
    length, previous = 0.0, None
    for line in lines:
        for number, point in enumerate(line):
            if previous is None:
                segments.append([point])
            else:
                metres = _GEOD.inv(previous[0], previous[1], point[0], point[1])[2]
                seconds = point[2] - previous[2] if len(point) == 3 == len(previous) else None
                # a new segment of the recorder is a gap unless it continues at once
                paused = seconds is not None and seconds > gap_seconds
                resumed = number == 0 and (seconds is None or seconds > gap_seconds / 2) and metres > 1
                if paused or resumed or metres > gap_m or (seconds is not None and seconds < 0):
                    gaps.append(Gap(seconds, metres, (previous[0], previous[1]), (point[0], point[1])))
                    segments.append([point])
                else:
                    segments[-1].append(point)
                    length += metres
            previous = point
    if sum(len(segment) > 1 for segment in segments) == 0:
        raise TrackError("The track has no line: expected at least two points.", "track.empty")
    times = sorted(point[2] for segment in segments for point in segment if len(point) == 3)
    return Track(
        segments,
        round(length, 1),
        gaps,
        dt.datetime.fromtimestamp(times[0], dt.UTC) if times else None,
        dt.datetime.fromtimestamp(times[-1], dt.UTC) if times else None,
    )
