"""Pictures of an alert's surroundings on both dates, which every user who may see the alert may see."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enforcement.projection_zones import zone_at
from service.context import Context
from store.schema.database import Session
from store.schema.tables import AlertRow, Scan, SceneRow
from web.maps.tiles import MercatorBox, Picture, mercator, read_box, read_tile
from web.review.registration_cache import shift_at
from web.review.shown_pair import shown_pair

WINDOW_FACTOR = 3.0
"""Side of the window around an alert relative to the alert's bounds."""

MIN_WINDOW_M = 150.0
"""Minimum side of the window in metres on the ground."""

_NO_DATA = (226, 228, 230)  # grey, as in the evidence pictures of a scan
_SHEET_FACTOR = 1.8  # side of a sheet's picture relative to the alert's longer side, as in a scan's close-ups
_MIN_SHEET_M = 36.0


class AlertViews(NamedTuple):
    """The same window on both dates, on one grid, north up.

    Attributes:
        before, after: uint8 H×W×3, grey where the image has no data; None: there is no image.
        rings: rings of the outline, holes included, in pixels: (n, 2) as (x, y), pixel corners at whole numbers.
        metre_px: ground size of a pixel in metres.
        images: the scenes of both; None: there is none.
    """

    before: NDArray[np.uint8] | None
    after: NDArray[np.uint8] | None
    rings: list[NDArray[np.float64]]
    metre_px: float
    images: tuple[SceneRow | None, SceneRow | None] = (None, None)


def alert_window(alert: AlertRow) -> MercatorBox:
    """Return the window that is shown around an alert: its enlarged bounds in metres of Web Mercator."""
    west, south = mercator(alert.west, alert.south)
    east, north = mercator(alert.east, alert.north)
    min_side = MIN_WINDOW_M / math.cos(math.radians((alert.south + alert.north) / 2))  # Mercator enlarges
    x, y = (west + east) / 2, (south + north) / 2
    half_width = max(WINDOW_FACTOR * (east - west), min_side) / 2
    half_height = max(WINDOW_FACTOR * (north - south), min_side) / 2
    return x - half_width, y - half_height, x + half_width, y + half_height


def read_alert_tile(
    context: Context, alert: AlertRow, scene: SceneRow, bounds: MercatorBox, shift: tuple[float, float] = (0.0, 0.0)
) -> Picture | None:
    """Read a square of one of the alert's scenes, clipped to the alert's window.

    Args:
        context: settings and object store.
        alert: the alert.
        scene: one of its scenes.
        bounds: bounds of the square in metres of Web Mercator.
        shift: registration shift (:func:`before_shift`), by which the read window is moved.

    Returns:
        The picture; None if the scene shows nothing there.
    """
    dx, dy = shift
    west, south, east, north = bounds
    picture = read_tile(context, scene, (west + dx, south + dy, east + dx, north + dy))
    if picture is None:
        return None
    clipped = picture.within(bounds, alert_window(alert))
    return clipped if clipped.valid.any() else None


def before_shift(context: Context, alert: AlertRow, scan: Scan, crs: str) -> tuple[float, float]:
    """Return the registration shift of the earlier image at the alert, in metres of ``crs``: (east, north).

    It is measured by the scan, and the same for the whole window; (0, 0) without a stored registration.
    """
    centre = (alert.west + alert.east) / 2, (alert.south + alert.north) / 2
    return shift_at(context, scan, centre, crs)


def alert_views(context: Context, session: Session, alert: AlertRow, side_px: int) -> AlertViews:
    """Read both pictures of an alert for its evidence sheet, of the images that its page shows.

    They are squares in the local 3° zone (in Web Mercator outside of the zones); the earlier one is shifted onto the
    later one by the scan's registration, if a scan has seen the alert.

    Args:
        context: settings and object store.
        session: a read transaction.
        alert: the alert.
        side_px: side of the pictures in pixels.

    Raises:
        ImageError: an image cannot be decoded.
    """
    from shapely import transform

    zone = zone_at((alert.west + alert.east) / 2)
    if zone is not None:
        crs, outline, scale = zone.code, zone.project(alert.outline), 1.0
    else:
        crs = "EPSG:3857"
        outline = transform(alert.outline, lambda lonlat: np.array([mercator(*place) for place in lonlat]))
        scale = 1 / math.cos(math.radians((alert.south + alert.north) / 2))
    west, south, east, north = outline.bounds
    side = max(_SHEET_FACTOR * max(east - west, north - south), _MIN_SHEET_M * scale)
    x, y = (west + east) / 2, (south + north) / 2
    bounds = x - side / 2, y - side / 2, x + side / 2, y + side / 2
    pixel = side / side_px
    parts = getattr(outline, "geoms", [outline])
    rings = [
        np.array([((px - bounds[0]) / pixel, (bounds[3] - py) / pixel) for px, py, *_ in ring.coords], np.float64)
        for part in parts
        for ring in (part.exterior, *part.interiors)
    ]
    pair = shown_pair(session, alert)
    if pair is None:
        return AlertViews(None, None, rings, pixel / scale)
    before = None
    if pair.before is not None:
        dx, dy = before_shift(context, alert, pair.scan, crs) if pair.scan is not None else (0.0, 0.0)
        shifted = bounds[0] + dx, bounds[1] + dy, bounds[2] + dx, bounds[3] + dy
        before = read_picture(context, pair.before, shifted, crs, side_px)
    after = read_picture(context, pair.after, bounds, crs, side_px)
    return AlertViews(before, after, rings, pixel / scale, (pair.before, pair.after))


def read_picture(
    context: Context, scene: SceneRow, bounds: tuple[float, float, float, float], crs: str, side_px: int
) -> NDArray[np.uint8]:
    """Read a square of a scene as uint8 H×W×3, grey where it has no data.

    Args:
        context: settings and object store.
        scene: the scene.
        bounds: west, south, east, north in metres of ``crs``.
        crs: CRS of the picture, like ``EPSG:4528``.
        side_px: side in pixels.
    """
    found = read_box(context, scene, bounds, crs, (side_px, side_px))
    return np.where(found.valid[..., None], found.rgb, np.array(_NO_DATA, np.uint8))
