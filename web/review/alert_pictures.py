"""What an alert looks like on both dates: the ground around it that whoever may see the alert may see."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enforcement.projection_zones import zone_at
from service.context import Context
from store.alerts.image_pairs import ImagePair, latest_pair
from store.schema.database import Session
from store.schema.tables import AlertRow, SceneRow
from web.maps.tiles import MercatorBox, Picture, mercator, read_box, read_tile
from web.review.registration_cache import shift_at

GROWN = 3.0
"""Side of the window around an alert over that of its bounds."""

LEAST_M = 150.0
"""The window's least side, metres on the ground."""

_NOTHING = (226, 228, 230)  # grey where an image shows nothing, as in the evidence pictures of a scan
_MARGIN = 1.8  # side of a sheet's picture over the longer side of the alert, as in a scan's close-ups
_LEAST_SHEET_M = 36.0


class AlertViews(NamedTuple):
    """One window of the ground on both dates, on one grid, north up.

    Attributes:
        before, after: uint8 H×W×3, grey where the image shows nothing; None: there is no image.
        rings: outline in the pictures' pixels: (n, 2) as (x, y), corners of pixels at whole numbers; holes too.
        metre_px: side of a pixel on the ground, metres.
    """

    before: NDArray[np.uint8] | None
    after: NDArray[np.uint8] | None
    rings: list[NDArray[np.float64]]
    metre_px: float


def alert_window(alert: AlertRow) -> MercatorBox:
    """The ground around an alert that is shown with it: its bounds grown, in metres of Web Mercator."""
    west, south = mercator(alert.west, alert.south)
    east, north = mercator(alert.east, alert.north)
    least = LEAST_M / math.cos(math.radians((alert.south + alert.north) / 2))  # Mercator stretches
    x, y = (west + east) / 2, (south + north) / 2
    across, along = max(GROWN * (east - west), least) / 2, max(GROWN * (north - south), least) / 2
    return x - across, y - along, x + across, y + along


def read_alert_tile(
    context: Context, alert: AlertRow, scene: SceneRow, bounds: MercatorBox, shift: tuple[float, float] = (0.0, 0.0)
) -> Picture | None:
    """A square of Web Mercator of one of the alert's scenes, as far as it lies in the alert's window.

    Args:
        context: where objects are.
        alert: the alert.
        scene: one of its scenes.
        bounds: of the square.
        shift: metres of Web Mercator; the ground at a place is read so far from it (:func:`before_shift`).
    """
    dx, dy = shift
    west, south, east, north = bounds
    picture = read_tile(context, scene, (west + dx, south + dy, east + dx, north + dy))
    if picture is None:
        return None
    cut = picture.within(bounds, alert_window(alert))
    return cut if cut.valid.any() else None


def before_shift(context: Context, alert: AlertRow, pair: ImagePair, crs: str) -> tuple[float, float]:
    """How far from its place the earlier image shows the ground of the alert, in metres of ``crs``: (east, north).

    From the registration that the scan measured; one shift for the whole window. (0, 0) where nothing was kept.
    """
    middle = (alert.west + alert.east) / 2, (alert.south + alert.north) / 2
    return shift_at(context, pair.scan, middle, crs)


def alert_views(context: Context, session: Session, alert: AlertRow, side_px: int) -> AlertViews:
    """Cut both pictures of an alert for its evidence sheet.

    They are squares on the local zone of three degrees (Web Mercator's own where China has no zone), the earlier one
    moved onto the later one as the scan registered them.

    Args:
        context: where objects are.
        session: reads.
        alert: the alert.
        side_px: side of the pictures in pixels.

    Raises:
        ImageError: an image cannot be decoded.
    """
    from shapely import transform

    zone = zone_at((alert.west + alert.east) / 2)
    if zone is not None:
        crs, outline, stretched = zone.code, zone.project(alert.outline), 1.0
    else:
        crs = "EPSG:3857"
        outline = transform(alert.outline, lambda lonlat: np.array([mercator(*place) for place in lonlat]))
        stretched = 1 / math.cos(math.radians((alert.south + alert.north) / 2))
    west, south, east, north = outline.bounds
    side = max(_MARGIN * max(east - west, north - south), _LEAST_SHEET_M * stretched)
    x, y = (west + east) / 2, (south + north) / 2
    bounds = x - side / 2, y - side / 2, x + side / 2, y + side / 2
    pixel = side / side_px
    parts = getattr(outline, "geoms", [outline])
    rings = [
        np.array([((px - bounds[0]) / pixel, (bounds[3] - py) / pixel) for px, py, *_ in ring.coords], np.float64)
        for part in parts
        for ring in (part.exterior, *part.interiors)
    ]
    pair = latest_pair(session, alert.id)
    before = after = None
    if pair is not None:
        dx, dy = before_shift(context, alert, pair, crs)
        moved = bounds[0] + dx, bounds[1] + dy, bounds[2] + dx, bounds[3] + dy
        before = picture(context, pair.before, moved, crs, side_px)
        after = picture(context, pair.after, bounds, crs, side_px)
    return AlertViews(before, after, rings, pixel / stretched)


def picture(
    context: Context, scene: SceneRow, bounds: tuple[float, float, float, float], crs: str, side_px: int
) -> NDArray[np.uint8]:
    """A square of a scene as uint8 H×W×3, grey where it shows nothing.

    Args:
        context: where objects are.
        scene: which.
        bounds: west, south, east, north in metres of ``crs``.
        crs: like ``EPSG:4528``.
        side_px: side in pixels.
    """
    found = read_box(context, scene, bounds, crs, (side_px, side_px))
    return np.where(found.valid[..., None], found.rgb, np.array(_NOTHING, np.uint8))
