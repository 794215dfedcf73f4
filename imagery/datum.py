"""Geodetic datums other than CGCS2000: recognize them, and shift coordinates where the parameters are known.

PROJ knows no shift from Xi'an 80 or Beijing 54 to CGCS2000 and silently applies none, an error of up to 200 m. Counties
have parameters of their own, which are read from ``configs/datum_shifts.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, ValidationError
from pyproj import CRS, Transformer

from configs import FOLDER, format_validation_errors, read_yaml
from errors import Reason, SettingsError

Float64 = NDArray[np.float64]
ToLonLat = Callable[[Any, Any], tuple[Any, Any]]

_SEMI_MAJOR_M = 6_378_137.0
"""Of CGCS2000 and WGS 84, whose axes agree within centimetres."""

_XIAN_80_M, _BEIJING_54_M = 6_378_140.0, 6_378_245.0  # semi-major axes
_OTHER_BEIJING = "New Beijing"  # a later datum on the ellipsoid of Beijing 1954
_GRID_POINTS = 9  # along each side of an image, to fit its shifted grid


class DatumShift(BaseModel):
    """Similarity transformation of geocentric coordinates to CGCS2000."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x_m: float
    y_m: float
    z_m: float
    x_arcsec: float = 0.0
    y_arcsec: float = 0.0
    z_arcsec: float = 0.0
    scale_ppm: float = 0.0
    convention: Literal["position_vector", "coordinate_frame"] = "position_vector"


class DatumShifts(BaseModel):
    """Known shifts by datum; None: unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    xian_80: DatumShift | None = None
    beijing_54: DatumShift | None = None


@cache
def datum_shifts(path: Path = FOLDER / "datum_shifts.yaml") -> DatumShifts:
    """Read and validate ``configs/datum_shifts.yaml``.

    Raises:
        SettingsError: names or values in it are invalid; the message lists each.
    """
    try:
        return DatumShifts.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"The settings file {path} cannot be used: {format_validation_errors(error)}") from error


def known_shift(crs: CRS) -> DatumShift | None:
    """Return the shift of a coordinate system's datum to CGCS2000; None if it is unknown or there is none."""
    axis = crs.ellipsoid.semi_major_metre if crs.ellipsoid else 0.0
    if abs(axis - _XIAN_80_M) < 1:
        return datum_shifts().xian_80
    is_beijing = abs(axis - _BEIJING_54_M) < 1 and _OTHER_BEIJING not in str(crs.geodetic_crs and crs.geodetic_crs.name)
    return datum_shifts().beijing_54 if is_beijing else None


def datum_remark(crs: CRS) -> Reason | None:
    """Return a remark on a datum that is shifted to CGCS2000, or that should be and is not; None: CGCS2000 or alike."""
    if crs.ellipsoid is not None and abs(crs.ellipsoid.semi_major_metre - _SEMI_MAJOR_M) <= 1:
        return None
    if known_shift(crs) is not None:
        return Reason(
            f"{crs.name} was shifted to CGCS2000 by the parameters in configs/datum_shifts.yaml",
            "place.shifted",
            system=crs.name,
        )
    return Reason(
        f"{crs.name} is used as CGCS2000 without a datum shift, an error of up to 200 m: enter the parameters of your "
        "surveying office in configs/datum_shifts.yaml, or convert the file with them first",
        "place.unshifted",
        system=crs.name,
    )


def lonlat_transformation(crs: CRS) -> ToLonLat:
    """Return the function from x and y of a coordinate system to longitude and latitude (EPSG:4490).

    Raises:
        pyproj.exceptions.CRSError: there is no transformation.
    """
    shift = known_shift(crs)
    if shift is None or crs.geodetic_crs is None or crs.ellipsoid is None:
        return Transformer.from_crs(crs, "EPSG:4490", always_xy=True).transform
    own_lonlat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    helmert = Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad "
        f"+step +proj=cart +a={crs.ellipsoid.semi_major_metre} +rf={crs.ellipsoid.inverse_flattening} "
        f"+step +proj=helmert +x={shift.x_m} +y={shift.y_m} +z={shift.z_m} +rx={shift.x_arcsec} +ry={shift.y_arcsec} "
        f"+rz={shift.z_arcsec} +s={shift.scale_ppm} +convention={shift.convention} "
        "+step +inv +proj=cart +a=6378137 +rf=298.257222101 +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )

    def transform(x: Any, y: Any) -> tuple[Any, Any]:
        lon, lat = own_lonlat.transform(x, y)
        lon, lat, _ = helmert.transform(lon, lat, np.zeros_like(lon))
        return lon, lat

    return transform


def shifted_grid(geobox: GeoBox, crs: CRS) -> tuple[GeoBox, CRS]:
    """Return the grid of an image and its system in CGCS2000, if the shift is known; else both unchanged.

    The shifted grid is an affine fit to points all over the image: the two projections differ by millimetres over the
    extent of an image, apart from shift, rotation and scale.
    """
    if known_shift(crs) is None:
        return geobox, crs
    target = _in_cgcs2000(crs)
    rows, columns = geobox.shape
    column, row = (
        part.ravel() for part in np.meshgrid(*(np.linspace(0, side, _GRID_POINTS) for side in (columns, rows)))
    )
    x, y = geobox.affine @ (column, row)
    lonlat = lonlat_transformation(crs)(x, y)
    shifted = np.column_stack(Transformer.from_crs("EPSG:4490", target, always_xy=True).transform(*lonlat))
    design = np.column_stack([column, row, np.ones_like(column)])
    (a, d), (b, e), (c, f) = np.linalg.lstsq(design, shifted, rcond=None)[0]
    code = target.to_epsg(min_confidence=100)
    fitted = Affine(float(a), float(b), float(c), float(d), float(e), float(f))
    return GeoBox(geobox.shape, fitted, f"EPSG:{code}" if code else target.to_wkt()), target


def _in_cgcs2000(crs: CRS) -> CRS:
    """Return the same projection based on CGCS2000, or CGCS2000 itself for longitude and latitude."""
    cgcs2000 = CRS.from_epsg(4490)
    if not crs.is_projected:
        return cgcs2000
    definition = crs.to_json_dict()
    definition["base_crs"] = {name: value for name, value in cgcs2000.to_json_dict().items() if name != "$schema"}
    definition.pop("id", None)
    for name in ("Xian 1980", "Beijing 1954"):
        definition["name"] = definition["name"].replace(name, "CGCS2000")
    shifted = CRS.from_json_dict(definition)
    code = shifted.to_epsg(min_confidence=50)
    return CRS.from_epsg(code) if code else shifted
