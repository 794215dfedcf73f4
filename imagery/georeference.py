"""Georeference of an image: coordinate reference system, geotransform and ground sample distance."""

from __future__ import annotations

import math

from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from errors import ImageError

_MIN_SINE = 1e-3  # axes of a geotransform closer than 0.06° are collinear


class NotGeoreferenced(ImageError):  # noqa: N818  (a state that callers handle, not a malfunction)
    """A valid image without a usable georeference.

    Attributes:
        problem: the message without its advice.
    """

    def __init__(self, problem: str, advice: str, code: str, name: str) -> None:
        """Join problem and advice to the message; ``code`` and ``name``: see :class:`errors.Reason`."""
        super().__init__(f"{problem} {advice}", code, name=name)
        self.problem = problem


def crs_from_argument(text: str) -> CRS:
    """Parse "EPSG:4547" or WKT, and nothing else, so that no file or URL is opened.

    Raises:
        ImageError: it is neither.
    """
    try:
        if text.upper().startswith("EPSG:"):
            return CRS.from_epsg(int(text[5:]))
        return CRS.from_wkt(text)
    except (CRSError, ValueError):
        raise ImageError(f"{text[:60]!r} is not a known coordinate system. Give one like EPSG:4547.") from None


def usable_crs(crs: CRS | None) -> CRS | None:
    """Return the horizontal part of a CRS, or None for a local or geocentric one, which cannot be put on a map."""
    if crs is None:
        return None
    if crs.is_compound:
        crs = next((part for part in crs.sub_crs_list if part.is_projected or part.is_geographic), crs)
    return crs if crs.is_projected or (crs.is_geographic and not crs.is_geocentric) else None


def check_transform(transform: Affine, name: str) -> None:
    """Raise ImageError for a geotransform that is not finite or maps the image onto a point or a line."""
    across, down = math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)
    finite = all(math.isfinite(value) for value in transform[:6])
    if (
        not finite
        or across == 0
        or down == 0
        or abs(transform.a * transform.e - transform.b * transform.d) < _MIN_SINE * across * down
    ):
        raise ImageError(
            f"{name} has a degenerate geotransform {tuple(transform[:6])}: its pixels have no area on the ground. "
            "Georeference it again, or remove the geotransform and give the ground sample distance.",
            "place.degenerate",
            name=name,
        )


def ground_sample_distance(geobox: GeoBox, name: str) -> float:
    """Return the metres on the ground per pixel at the centre of a grid, measured on the ellipsoid: mean of both axes.

    Raises:
        ImageError: the grid is outside the area of its CRS.
    """
    crs = CRS.from_wkt(geobox.crs.to_wkt())
    rows, columns = geobox.shape
    column, row = columns / 2, rows / 2
    ends = [(column - 0.5, row), (column + 0.5, row), (column, row - 0.5), (column, row + 0.5)]
    x, y = zip(*(geobox.affine @ end for end in ends), strict=True)
    geod = crs.get_geod()
    if geod is None or crs.geodetic_crs is None:
        raise ImageError(
            f"{name} is in {crs.name}, which has no ellipsoid. Save it with an EPSG code.",
            "place.no_ellipsoid",
            name=name,
            system=crs.name,
        )
    try:
        lon, lat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(x, y)
        lengths = [
            geod.inv(lon[i], lat[i], lon[i + 1], lat[i + 1])[2] if math.isfinite(lon[i] + lat[i]) else math.nan
            for i in (0, 2)
        ]
    except ProjError:
        lengths = [math.nan]
    mean = sum(lengths) / len(lengths)
    if not math.isfinite(mean) or mean <= 0 or any(abs(v) > 90.0 + 1e-6 for v in lat):
        raise ImageError(
            f"{name} has its centre at {x[0]:g}, {y[0]:g}, which is not a valid position in {crs.name}. "
            "Check that it was saved with the right coordinate system.",
            "place.outside",
            name=name,
            x=float(x[0]),
            y=float(y[0]),
            system=crs.name,
        )
    return float(mean)
