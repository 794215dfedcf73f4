"""Write outlines as parcel TXT, as bureaus' programs read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import shapely
from shapely.geometry.base import BaseGeometry

from enforcement.overlap_ratio import area_m2
from enforcement.projection_zones import Zone, majority_zone
from errors import Reason, SettingsError

Encoding = Literal["gb18030", "utf-8"]
AreaUnit = Literal["ha", "m2"]


@dataclass(frozen=True)
class ParcelOutline:
    """An outline to be written.

    Attributes:
        number: 地块编号.
        name: 地块名称.
        outline: longitude, latitude; polygon or multipolygon.
        use: 地块用途.
    """

    number: str
    name: str
    outline: BaseGeometry
    use: str = ""


def write_parcels(
    parcels: Sequence[ParcelOutline],
    *,
    made_by: str,
    made_on: dt.date,
    area_unit: AreaUnit = "ha",
    encoding: Encoding = "gb18030",
) -> tuple[bytes, tuple[str, ...]]:
    """Return the file in CGCS2000, zones of three degrees, with remarks.

    Coordinates are northing, easting in metres to the millimetre, the easting with the zone number; all parcels are in
    the most frequent zone, because the header names one. Each ring ends with its first point. Holes and further parts
    are further rings (圈号).

    Args:
        parcels: the outlines.
        made_by: bureau, 数据产生单位.
        made_on: 数据产生日期.
        area_unit: unit of 地块面积: hectares to four decimals, or m² to two.
        encoding: of the text; GBK is what older programs expect.

    Raises:
        SettingsError: no parcel lies in a zone (25 to 45).
    """
    zone, counts = majority_zone(float(parcel.outline.centroid.x) for parcel in parcels)
    if zone is None:
        raise SettingsError(
            "No alert lies in a zone of three degrees (25 to 45): export in degrees instead.", "export.zone"
        )
    lines = [
        "[属性描述]",
        "格式版本号=1.01",
        f"数据产生单位={_plain(made_by)}",
        f"数据产生日期={made_on.isoformat()}",
        "坐标系=2000国家大地坐标系",
        "几度分带=3",
        "投影类型=高斯克吕格",
        "计量单位=米",
        f"带号={zone.number}",
        "精度=0.001",
        "转换参数=,,,,,,",
        "[地块坐标]",
    ]
    for parcel in parcels:
        lines += _parcel_lines(parcel, zone, area_unit)
    remarks: tuple[str, ...] = ()
    if others := len(parcels) - counts[zone.number]:
        message = f"{others} of {len(parcels)} parcels lie in other zones, projected to zone {zone.number}."
        remarks = (Reason(message, "parcel.projected", others=others, parcels=len(parcels), zone=zone.number),)
    return ("\r\n".join(lines) + "\r\n").encode(encoding), remarks


def _parcel_lines(parcel: ParcelOutline, zone: Zone, area_unit: AreaUnit) -> Iterator[str]:
    square = area_m2(parcel.outline)
    area = f"{square / 10_000:.4f}" if area_unit == "ha" else f"{square:.2f}"
    rings = [
        ring
        for polygon in shapely.get_parts(zone.project(shapely.orient_polygons(parcel.outline, exterior_cw=True)))
        for ring in (polygon.exterior, *polygon.interiors)
    ]
    points = sum(len(ring.coords) for ring in rings)
    yield f"{points},{area},{_plain(parcel.number)},{_plain(parcel.name)},面,,{_plain(parcel.use)},,@"
    number = 0
    for ring_number, ring in enumerate(rings, 1):
        corners = list(ring.coords)[:-1]
        for index, (easting, northing) in enumerate([*corners, corners[0]]):
            name = number + 1 + index if index < len(corners) else number + 1  # the last point is the first one
            yield f"J{name},{ring_number},{northing:.3f},{easting:.3f}"
        number += len(corners)


def _plain(text: str) -> str:
    """Replace the separators of the format."""
    return text.replace(",", "，").replace("@", "＠").replace("\n", " ").replace("\r", " ")
