"""From control points to the plane of the ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from errors import ControlPointError, Reason
from imagery.cameras.camera import Calibration, ControlPoint, Residual
from imagery.cameras.homography import Floats, Plane, apply, fit

_CHINA = (73.0, 3.0, 136.0, 54.0)  # west, south, east, north in degrees, islands of the south included
_AROUND_AREA_DEG = 0.05  # a camera at the border looks across it
_SIGMA_PX = 1.5  # of a click, in a frame of _USUAL_WIDTH pixels
_USUAL_WIDTH = 1920
_SIGMA_M = 0.7  # of a click on a map of half a metre per pixel
_SAME_PX, _SAME_M = 2.0, 0.3
_THIN = 0.01  # points whose spread across is less than this part of their spread along lie on one line
_GROSS = 9.0  # misfit above which the points contradict each other: three standard deviations


def calibrate(
    points: Sequence[ControlPoint], frame_size: tuple[int, int], area: BaseGeometry | None = None
) -> Calibration:
    """Fit the homography from the frame to the ground.

    Args:
        points: four or more, not on one line.
        frame_size: width and height of the frame that they were clicked in.
        area: longitude, latitude that the bureau answers for, if known: points outside of it are refused.

    Raises:
        ControlPointError: fewer than four, on one line, two the same, longitude and latitude exchanged, outside of
            China or the area, or no camera sees them so. Its ``point`` is the number (from 0) of the one at fault.
    """
    _check_numbers(points, frame_size)
    _check_place(points, area)
    pixels = np.array([(p.x, p.y) for p in points], np.float64)
    crs = _zone(float(np.mean([p.lon for p in points])))
    to_plane = Transformer.from_crs("EPSG:4490", crs, always_xy=True).transform
    ground = np.column_stack(to_plane([p.lon for p in points], [p.lat for p in points]))
    _check_arrangement(pixels, ground)
    origin = ground.mean(axis=0)
    sigma_px = _SIGMA_PX * max(1.0, frame_size[0] / _USUAL_WIDTH)
    plane = fit(pixels, ground - origin, sigma_px, _SIGMA_M)
    near, w = apply(plane.matrix, np.array([[frame_size[0] / 2, float(frame_size[1])]]))
    suspect = _outlier(plane, pixels, ground - origin, sigma_px)
    if not _seen_from_above(plane, pixels) or w[0] <= 0:
        raise ControlPointError(
            "No camera above the ground sees the points like that: two of them are probably exchanged"
            + (f", and point {suspect[0] + 1} fits the others worst" if suspect else "")
            + ". Compare each point in the frame with its place on the map.",
            suspect[0] if suspect else None,
            "point.not_seen",
            worst=Reason(f"point {suspect[0] + 1}", "point.worst", number=suspect[0] + 1) if suspect else "",
        )
    lengths = np.hypot(*plane.residuals.T)
    return Calibration(
        homography=tuple(map(float, plane.matrix.ravel())),
        crs=crs,
        origin=(float(origin[0]), float(origin[1])),
        residuals=tuple(Residual(float(east), float(north)) for east, north in plane.residuals),
        rms_m=float(np.sqrt(np.mean(lengths**2))),
        covariance=tuple(map(float, plane.covariance.ravel())),
        sigma_px=sigma_px,
        near=(float(near[0, 0]), float(near[0, 1])),
        warnings=tuple(_warnings(plane, suspect, pixels, frame_size)),
    )


def _check_numbers(points: Sequence[ControlPoint], frame_size: tuple[int, int]) -> None:
    width, height = frame_size
    for k, p in enumerate(points):
        if not np.isfinite([p.x, p.y, p.lon, p.lat]).all():
            words = f"Point {k + 1} has a value that is no number. Set it again."
            raise ControlPointError(words, k, "point.no_number", number=k + 1)
        if not (0 <= p.x <= width and 0 <= p.y <= height):
            raise ControlPointError(
                f"Point {k + 1} lies at {p.x:.0f}, {p.y:.0f}, outside of the frame of {width} × {height} pixels. "
                "Click it in the frame again.",
                k,
                "point.outside_frame",
                number=k + 1,
                x=p.x,
                y=p.y,
                width=width,
                height=height,
            )
    if len(points) < 4:
        raise ControlPointError(
            f"There are {len(points)} control points, and at least four are needed, better six, all over the ground "
            "that is watched. Add some.",
            None,
            "point.too_few",
            count=len(points),
        )


def _check_place(points: Sequence[ControlPoint], area: BaseGeometry | None) -> None:
    reach = area.buffer(_AROUND_AREA_DEG) if area is not None else None

    def inside(lon: float, lat: float) -> bool:
        if not (_CHINA[0] <= lon <= _CHINA[2] and _CHINA[1] <= lat <= _CHINA[3]):
            return False
        return reach is None or bool(shapely.intersects_xy(reach, lon, lat))

    for k, p in enumerate(points):
        if inside(p.lon, p.lat):
            continue
        if inside(p.lat, p.lon):
            raise ControlPointError(
                f"Longitude and latitude of point {k + 1} are exchanged: longitude {p.lon:g}, latitude {p.lat:g} lies "
                "outside, and the other way round it fits. Exchange them.",
                k,
                "point.exchanged",
                number=k + 1,
                lon=p.lon,
                lat=p.lat,
            )
        where = (
            Reason("the area that this installation watches", "point.area")
            if reach is not None
            else Reason("China", "point.china")
        )
        raise ControlPointError(
            f"Point {k + 1} at longitude {p.lon:g}, latitude {p.lat:g} lies outside of {where}. Correct it.",
            k,
            "point.outside",
            number=k + 1,
            lon=p.lon,
            lat=p.lat,
            where=where,
        )


def _check_arrangement(pixels: Floats, ground: Floats) -> None:
    in_frame, on_map = Reason("in the frame", "point.in_frame"), Reason("on the map", "point.on_map")
    for points, least, where in ((pixels, _SAME_PX, in_frame), (ground, _SAME_M, on_map)):
        apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + np.eye(len(points)) * 1e9
        if apart.min() < least:
            one, other = sorted(np.unravel_index(apart.argmin(), apart.shape))
            raise ControlPointError(
                f"Points {one + 1} and {other + 1} are the same {where}. Move or remove one of them.",
                int(other),
                "point.same",
                one=int(one) + 1,
                other=int(other) + 1,
                where=where,
            )
        if _on_one_line(points):
            raise ControlPointError(
                f"All points lie on one line {where}, so they tell nothing of what lies beside it. Add points on both "
                "sides of it.",
                None,
                "point.on_line",
                where=where,
            )
        lone = [k for k in range(len(points)) if _on_one_line(np.delete(points, k, axis=0))]
        if lone:
            raise ControlPointError(
                f"All points but number {lone[0] + 1} lie on one line {where}. Add another one off that line.",
                None,
                "point.all_but_one",
                number=lone[0] + 1,
                where=where,
            )


def _on_one_line(points: Floats) -> bool:
    along, across = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[:2]
    return bool(across < _THIN * along)


def _seen_from_above(plane: Plane, pixels: Floats) -> bool:
    """Whether all points lie before the camera, and the frame shows the map's upper side (y runs downwards in it)."""
    return bool((apply(plane.matrix, pixels)[1] > 0).all() and np.linalg.det(plane.matrix) < 0)


def _outlier(plane: Plane, pixels: Floats, ground: Floats, sigma_px: float) -> tuple[int, float] | None:
    """The point without which the others agree, and how far in metres it lies from where they put it.

    Six points at least: with five, any one left out leaves four, and four fit always.
    """
    if len(pixels) < 6 or plane.misfit <= _GROSS:
        return None
    left = []
    for k in range(len(pixels)):
        others, there = np.delete(pixels, k, axis=0), np.delete(ground, k, axis=0)
        without = fit(others, there, sigma_px, _SIGMA_M)
        off = float(np.hypot(*(ground[k] - apply(without.matrix, pixels[k : k + 1])[0][0])))
        left.append((without.misfit, k, off))
    least, k, off = min(left)
    return (k, off) if least < plane.misfit / 4 else None


def _warnings(
    plane: Plane, suspect: tuple[int, float] | None, pixels: Floats, frame_size: tuple[int, int]
) -> list[Reason]:
    told: list[Reason] = []
    if suspect:
        number, off = suspect[0] + 1, suspect[1]
        words = f"Point {number} lies {off:.0f} m from where the others put it. Check it first."
        told.append(Reason(words, "point.far", number=number, metres=off))
    elif plane.misfit > _GROSS:
        words = "The points contradict each other: one is wrong, or the ground is far from flat. Check each."
        told.append(Reason(words, "point.contradict"))
    if len(pixels) == 4:
        words = "Four points fit always, also wrong ones. Add a fifth and a sixth, so that a mistake shows."
        told.append(Reason(words, "point.four"))
    covered = shapely.MultiPoint(pixels).convex_hull.area / (frame_size[0] * frame_size[1])
    if covered < 0.05:
        told.append(
            Reason(
                f"The points span {covered:.0%} of the frame, and far from them the error grows fast. Spread them out.",
                "point.narrow",
                share=covered,
            )
        )
    return told


def _zone(lon: float) -> str:
    """Gauss-Krüger, zone of three degrees with its number in the easting; China has zones 25 to 45."""
    return f"EPSG:{4513 + min(max(round(lon / 3), 25), 45) - 25}"
