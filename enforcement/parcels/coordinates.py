"""Coordinate systems of parcel TXT files: datum, zone width and zone, from the header and from the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from errors import Reason
from imagery.datum import datum_remark, lonlat_transformation

_EPSG = {  # (datum, width of the zones in degrees) → EPSG code of the first zone, first and last zone
    ("cgcs2000", 3): (4513, 25, 45),
    ("cgcs2000", 6): (4491, 13, 23),
    ("xian80", 3): (2349, 25, 45),
    ("xian80", 6): (2327, 13, 23),
    ("beijing54", 3): (2401, 25, 45),
    ("beijing54", 6): (21413, 13, 23),
}
_DATUMS = {
    "cgcs2000": ("2000", "CGCS", "大地2000"),
    "xian80": ("80", "西安"),
    "beijing54": ("54", "北京"),
}
_GEOGRAPHIC = {"cgcs2000": 4490, "xian80": 4610, "beijing54": 4214}
_ZONE = 1_000_000  # factor of the zone number in an easting
_LEAST_NORTHING, _MOST_NORTHING = 300_000.0, 6_200_000.0  # of China, 3° to 54° north
_LEAST_EASTING, _MOST_EASTING = 100_000.0, 900_000.0  # without zone


class ParcelError(ValueError):
    """A parcel or file that cannot be used; its argument is a :class:`errors.Reason`."""


@dataclass(frozen=True)
class ParcelSystem:
    """What the header of a parcel TXT says about its coordinates.

    Attributes:
        datum: cgcs2000, xian80 or beijing54.
        degrees: width of the zones: 3 or 6; None: not stated.
        zone: number of the zone; None: not stated, then the eastings contain it.
    """

    datum: str = "cgcs2000"
    degrees: int | None = None
    zone: int | None = None

    @classmethod
    def of_header(cls, header: dict[str, str]) -> ParcelSystem:
        """Return the system of ``[属性描述]``.

        Raises:
            ParcelError: it names an unknown coordinate system, zone width or unit.
        """
        named = header.get("坐标系", "").replace(" ", "")
        datum = next((d for d, signs in _DATUMS.items() if any(sign in named.upper() for sign in signs)), None)
        if named and datum is None:
            message = f"the coordinate system {named!r} is unknown; expected 2000国家大地坐标系, 西安80 or 北京54"
            raise ParcelError(Reason(message, "parcel.system", system=named))
        unit = header.get("计量单位", "").strip()
        if unit not in ("", "米", "m", "M", "度"):
            raise ParcelError(Reason(f"the unit is {unit!r}; expected 米 or 度", "parcel.unit", unit=unit))
        degrees, zone = (_number(header.get(key, "")) for key in ("几度分带", "带号"))
        if degrees not in (None, 3, 6):
            message = f"the zones are {degrees} degrees wide; expected 3 or 6"
            raise ParcelError(Reason(message, "parcel.degrees", degrees=degrees))
        return cls(datum or "cgcs2000", degrees, zone)

    def to_lonlat(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
        """Transform the two numbers of each point to longitude and latitude.

        Args:
            points: (n, 2) in the order of the file, usually northing, easting.

        Returns:
            (n, 2) longitude, latitude, and remarks.

        Raises:
            ParcelError: the numbers are no coordinates in China, or their zone is unknown.
        """
        remarks: list[str] = []
        first, second = points[:, 0], points[:, 1]
        if (np.abs(points) <= 180).all():
            lon, lat = (first, second) if first.min() > 60 else (second, first)
            source = CRS.from_epsg(_GEOGRAPHIC[self.datum])
            return self._transformed(source, lon, lat, remarks), remarks
        if _is_easting(first) and _is_northing(second):
            remarks.append(Reason("the easting comes first; it was read so", "parcel.swapped"))
            first, second = second, first
        if not (_is_northing(first) and _is_easting(second)):
            message = f"{points[0, 0]:.3f}, {points[0, 1]:.3f} are not northing and easting of a place in China"
            raise ParcelError(
                Reason(message, "parcel.numbers", first=f"{points[0, 0]:.3f}", second=f"{points[0, 1]:.3f}")
            )
        easting = second
        zones = set((easting // _ZONE).astype(int).tolist())
        if len(zones) > 1:
            raise ParcelError(Reason("its points lie in several zones", "parcel.zones"))
        zone = zones.pop() or self.zone
        if not zone:
            message = "neither the easting nor the header has a zone number (带号)"
            raise ParcelError(Reason(message, "parcel.no_zone"))
        if self.zone and zone != self.zone:
            message = f"the eastings are of zone {zone}, the header says {self.zone}; the eastings were believed"
            remarks.append(Reason(message, "parcel.other_zone", found=zone, stated=self.zone))
        degrees = 3 if zone >= 25 else 6
        code, lowest, highest = _EPSG[self.datum, degrees]
        if not lowest <= zone <= highest:
            message = f"zone {zone} does not exist in China; expected 25 to 45 (3°) or 13 to 23 (6°)"
            raise ParcelError(Reason(message, "parcel.zone", zone=zone))
        source = CRS.from_epsg(code + zone - lowest)
        return self._transformed(source, zone * _ZONE + easting % _ZONE, first, remarks), remarks

    def _transformed(
        self, source: CRS, x: NDArray[np.float64], y: NDArray[np.float64], remarks: list[str]
    ) -> NDArray[np.float64]:
        if remark := datum_remark(source):
            remarks.append(remark)
        return np.column_stack(lonlat_transformation(source)(x, y))


def _number(text: str) -> int | None:
    digits = text.strip().rstrip("度带").strip()
    return int(float(digits)) if digits.replace(".", "", 1).isdigit() and float(digits) else None


def _is_northing(values: NDArray[np.float64]) -> bool:
    return bool((values >= _LEAST_NORTHING).all() and (values <= _MOST_NORTHING).all())


def _is_easting(values: NDArray[np.float64]) -> bool:
    within = values % _ZONE
    zones = values // _ZONE
    numbered = ((zones >= 13) & (zones <= 45)) | (zones == 0)
    return bool(numbered.all() and (within >= _LEAST_EASTING).all() and (within <= _MOST_EASTING).all())
