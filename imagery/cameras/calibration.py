"""Calibrate a view: fit the homography from the frame to the ground by control points, and validate them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from errors import ControlPointError, Reason
from imagery.cameras.camera import Calibration, ControlPoint, Residual
from imagery.cameras.homography import FittedHomography, Floats, apply_homography, fit_homography

_CHINA = (73.0, 3.0, 136.0, 54.0)  # west, south, east, north in degrees, with the southern islands
_AROUND_AREA_DEG = 0.05  # a camera at the border sees beyond it
_SIGMA_PX = 1.5  # of a click in a frame of _NOMINAL_WIDTH pixels
_NOMINAL_WIDTH = 1920
_SIGMA_M = 0.7  # of a click on a map of half a metre per pixel
_MIN_DISTANCE_PX, _MIN_DISTANCE_M = 2.0, 0.3  # between two control points
_COLLINEAR = 0.01  # ratio of minor to major spread, below which points lie on one line
_MAX_VARIANCE_FACTOR = 9.0  # three standard deviations; above, the points contradict each other
_MIN_COVERAGE = 0.05  # of the frame by the control points' convex hull


def calibrate(
    points: Sequence[ControlPoint], frame_size: tuple[int, int], area: BaseGeometry | None = None
) -> Calibration:
    """Fit the homography from the frame to the ground.

    Args:
        points: four or more, not on one line.
        frame_size: width and height of the frame that they refer to.
        area: longitude, latitude of the bureau's area, if known; points outside of it are rejected.

    Raises:
        ControlPointError: fewer than four, collinear, duplicate, longitude and latitude exchanged, outside of China or
            the area, or geometrically impossible. Its ``point`` is the index of the point at fault.
    """
    _check_points(points, frame_size)
    _check_location(points, area)
    pixels = np.array([(p.x, p.y) for p in points], np.float64)
    crs = _gauss_kruger_crs(float(np.mean([p.lon for p in points])))
    project = Transformer.from_crs("EPSG:4490", crs, always_xy=True).transform
    ground = np.column_stack(project([p.lon for p in points], [p.lat for p in points]))
    _check_arrangement(pixels, ground)
    origin = ground.mean(axis=0)
    sigma_px = _SIGMA_PX * max(1.0, frame_size[0] / _NOMINAL_WIDTH)
    fitted = fit_homography(pixels, ground - origin, sigma_px, _SIGMA_M)
    near, w = apply_homography(fitted.matrix, np.array([[frame_size[0] / 2, float(frame_size[1])]]))
    suspect = _outlier(fitted, pixels, ground - origin, sigma_px)
    if not _seen_from_above(fitted, pixels) or w[0] <= 0:
        raise ControlPointError(
            "No camera above the ground can see the points like that: two of them are probably exchanged"
            + (f", and point {suspect[0] + 1} fits the others worst" if suspect else "")
            + ". Compare each point in the frame with its place on the map.",
            suspect[0] if suspect else None,
            "point.not_seen",
            worst=Reason(f"point {suspect[0] + 1}", "point.worst", number=suspect[0] + 1) if suspect else "",
        )
    lengths = np.hypot(*fitted.residuals.T)
    return Calibration(
        homography=tuple(map(float, fitted.matrix.ravel())),
        crs=crs,
        origin=(float(origin[0]), float(origin[1])),
        residuals=tuple(Residual(float(east), float(north)) for east, north in fitted.residuals),
        rms_m=float(np.sqrt(np.mean(lengths**2))),
        covariance=tuple(map(float, fitted.covariance.ravel())),
        sigma_px=sigma_px,
        near=(float(near[0, 0]), float(near[0, 1])),
        warnings=tuple(_warnings(fitted, suspect, pixels, frame_size)),
    )


def _check_points(points: Sequence[ControlPoint], frame_size: tuple[int, int]) -> None:
    width, height = frame_size
    for k, p in enumerate(points):
        if not np.isfinite([p.x, p.y, p.lon, p.lat]).all():
            words = f"Point {k + 1} has a value that is not a number. Set it again."
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


def _check_location(points: Sequence[ControlPoint], area: BaseGeometry | None) -> None:
    buffered_area = area.buffer(_AROUND_AREA_DEG) if area is not None else None

    def inside(lon: float, lat: float) -> bool:
        if not (_CHINA[0] <= lon <= _CHINA[2] and _CHINA[1] <= lat <= _CHINA[3]):
            return False
        return buffered_area is None or bool(shapely.intersects_xy(buffered_area, lon, lat))

    for k, p in enumerate(points):
        if inside(p.lon, p.lat):
            continue
        if inside(p.lat, p.lon):
            raise ControlPointError(
                f"Longitude and latitude of point {k + 1} are exchanged: longitude {p.lon:g}, latitude {p.lat:g} is "
                "outside, and the reverse is inside. Exchange them.",
                k,
                "point.exchanged",
                number=k + 1,
                lon=p.lon,
                lat=p.lat,
            )
        where = (
            Reason("the area that this installation watches", "point.area")
            if buffered_area is not None
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
    for points, min_distance, where in ((pixels, _MIN_DISTANCE_PX, in_frame), (ground, _MIN_DISTANCE_M, on_map)):
        distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + np.eye(len(points)) * 1e9
        if distances.min() < min_distance:
            one, other = sorted(np.unravel_index(distances.argmin(), distances.shape))
            raise ControlPointError(
                f"Points {one + 1} and {other + 1} are the same {where}. Move or remove one of them.",
                int(other),
                "point.same",
                one=int(one) + 1,
                other=int(other) + 1,
                where=where,
            )
        if _collinear(points):
            raise ControlPointError(
                f"All points lie on one line {where}, which does not determine the ground beside it. Add points on "
                "both sides of it.",
                None,
                "point.on_line",
                where=where,
            )
        lone = [k for k in range(len(points)) if _collinear(np.delete(points, k, axis=0))]
        if lone:
            raise ControlPointError(
                f"All points but number {lone[0] + 1} lie on one line {where}. Add another one off that line.",
                None,
                "point.all_but_one",
                number=lone[0] + 1,
                where=where,
            )


def _collinear(points: Floats) -> bool:
    major, minor = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[:2]
    return bool(minor < _COLLINEAR * major)


def _seen_from_above(fitted: FittedHomography, pixels: Floats) -> bool:
    """Whether all points are in front of the camera, and the frame shows the ground from above (its y points down)."""
    return bool((apply_homography(fitted.matrix, pixels)[1] > 0).all() and np.linalg.det(fitted.matrix) < 0)


def _outlier(fitted: FittedHomography, pixels: Floats, ground: Floats, sigma_px: float) -> tuple[int, float] | None:
    """Index of the point without which the others agree, and its distance in metres from where they predict it.

    Needs at least six points: without one of five, four remain, which always fit.
    """
    if len(pixels) < 6 or fitted.variance_factor <= _MAX_VARIANCE_FACTOR:
        return None
    candidates = []
    for k in range(len(pixels)):
        without = fit_homography(np.delete(pixels, k, axis=0), np.delete(ground, k, axis=0), sigma_px, _SIGMA_M)
        offset = float(np.hypot(*(ground[k] - apply_homography(without.matrix, pixels[k : k + 1])[0][0])))
        candidates.append((without.variance_factor, k, offset))
    smallest, k, offset = min(candidates)
    return (k, offset) if smallest < fitted.variance_factor / 4 else None


def _warnings(
    fitted: FittedHomography, suspect: tuple[int, float] | None, pixels: Floats, frame_size: tuple[int, int]
) -> list[Reason]:
    warnings: list[Reason] = []
    if suspect:
        number, offset = suspect[0] + 1, suspect[1]
        words = f"Point {number} lies {offset:.0f} m from where the others predict it. Check it first."
        warnings.append(Reason(words, "point.far", number=number, metres=offset))
    elif fitted.variance_factor > _MAX_VARIANCE_FACTOR:
        words = "The points contradict each other: one is wrong, or the ground is far from flat. Check each."
        warnings.append(Reason(words, "point.contradict"))
    if len(pixels) == 4:
        words = "Four points always fit, even wrong ones. Add a fifth and a sixth, so that mistakes become visible."
        warnings.append(Reason(words, "point.four"))
    covered = shapely.MultiPoint(pixels).convex_hull.area / (frame_size[0] * frame_size[1])
    if covered < _MIN_COVERAGE:
        warnings.append(
            Reason(
                f"The points span {covered:.0%} of the frame, and far from them the error grows fast. Spread them out.",
                "point.narrow",
                share=covered,
            )
        )
    return warnings


def _gauss_kruger_crs(lon: float) -> str:
    """CGCS2000 Gauss-Krüger CRS of the 3° zone, with the zone number in the easting; China has zones 25 to 45."""
    return f"EPSG:{4513 + min(max(round(lon / 3), 25), 45) - 25}"
