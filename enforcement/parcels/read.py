"""Read parcel TXT: ``[属性描述]``, ``[地块坐标]``, one line for each parcel that ends in @, and lines of its points.

Programs write it differently: encodings, separators, zone in the header or in the easting, area in hectares, square
metres or mu, rings closed or not, holes or parts as further rings. All of these are read; what was assumed is a remark.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from enforcement.overlap_ratio import area_m2
from enforcement.parcels.coordinates import ParcelError, ParcelSystem
from enforcement.units import MU_M2
from errors import Reason
from imagery.set_operations import make_valid

FIELDS = ("DKBH", "DKMC", "DKMJ", "TXSX", "TFH", "DKYT", "DLBM")
"""Names of a parcel's values as fields of a layer: number, name, area in hectares, figure, sheet, use, class."""

_SECTION = re.compile(r"\[\s*(.+?)\s*\]")
_UNITS = (("ha", 10_000.0), ("m2", 1.0), ("mu", MU_M2))
_SAME_AREA = 0.05  # relative difference up to which a stated area is taken for the computed one


@dataclass(frozen=True)
class Parcel:
    """A parcel of a file.

    Attributes:
        line: line of its heading, from 1.
        number: 地块编号, or "".
        name: 地块名称, or "".
        figure: 点, 线 or 面.
        sheet: 图幅号.
        use: 地块用途.
        land_class: 地类编码.
        outline: longitude, latitude; None: see ``fault``.
        stated_m2: stated area in m²; None: none is stated, or its unit is unclear.
        fault: why it cannot be used; "": it can.
        remarks: what was assumed.
    """

    line: int
    number: str
    name: str
    figure: str
    sheet: str
    use: str
    land_class: str
    outline: BaseGeometry | None
    stated_m2: float | None = None
    fault: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, object]:
        """Its values by :data:`FIELDS`."""
        hectares = None if self.stated_m2 is None else round(self.stated_m2 / 10_000, 6)
        return dict(
            zip(
                FIELDS,
                (self.number, self.name, hectares, self.figure, self.sheet, self.use, self.land_class),
                strict=True,
            )
        )


@dataclass
class _Draft:
    line: int
    parts: list[str]
    rings: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    points: int = 0
    fault: str = ""


def decode_parcel_text(content: bytes) -> str:
    """Decode UTF-8 with or without mark, UTF-16 with mark, or else GB 18030, which includes GBK.

    Raises:
        ParcelError: it is none of them.
    """
    encodings = ["utf-8-sig", "gb18030"]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ParcelError(Reason("its text is neither UTF-8 nor GBK", "parcel.encoding"))


def read_parcels(content: bytes) -> list[Parcel]:
    """Read the parcels of a TXT, in file order.

    Raises:
        ParcelError: it contains no parcels, or its header cannot be understood.
    """
    header: dict[str, str] = {}
    drafts: list[_Draft] = []
    for number, raw in enumerate(decode_parcel_text(content).splitlines(), 1):
        line = raw.strip().replace("，", ",").replace("\t", ",").strip("\0")
        if not line or line.startswith(("#", "//")) or _SECTION.fullmatch(line):
            continue
        if line.endswith("@") or line.count(",") >= 8:
            drafts.append(_Draft(number, [part.strip() for part in line.rstrip("@").rstrip(",").split(",")]))
        elif "=" in line.replace("＝", "="):
            key, _, value = line.replace("＝", "=").partition("=")
            header.setdefault(key.strip(), value.strip())
        elif drafts:
            _add_point(drafts[-1], number, line)
    if not drafts:
        message = "it contains no parcel: no line ends in @, as in 5,0.1234,1,地块一,面,,,,@"
        raise ParcelError(Reason(message, "parcel.none"))
    system = ParcelSystem.of_header(header)
    return [_parcel(draft, system) for draft in drafts]


def _add_point(draft: _Draft, number: int, line: str) -> None:
    parts = [part.strip() for part in line.rstrip(",").split(",")]
    try:
        if len(parts) < 3:
            raise ValueError
        first, second = float(parts[-2]), float(parts[-1])
        ring = parts[1] if len(parts) >= 4 else "1"
    except ValueError:
        if not draft.fault:
            message = f"line {number} is {line[:60]!r}; expected J1,1,northing,easting"
            draft.fault = Reason(message, "parcel.point", line=number, found=line[:60])
        return
    draft.points += 1
    draft.rings.setdefault(ring, []).append((first, second))


def _parcel(draft: _Draft, system: ParcelSystem) -> Parcel:
    stated, area, number, name, figure, sheet, use, land_class, *_ = [*draft.parts, *[""] * 8]
    known = (draft.line, number, name, figure, sheet, use, land_class)
    if draft.fault:
        return Parcel(*known, None, fault=draft.fault)
    if figure in ("点", "线"):
        return Parcel(*known, None, fault=Reason(f"it is a {figure}, not an area (面)", "parcel.figure", figure=figure))
    try:
        outline, remarks = _outline(draft, system)
    except ParcelError as error:
        return Parcel(*known, None, fault=error.args[0])
    if stated.isdigit() and int(stated) != draft.points:
        message = f"its heading states {stated} points; it has {draft.points}"
        remarks.append(Reason(message, "parcel.points", stated=stated, found=draft.points))
    stated_m2 = _stated_area(area, area_m2(outline), remarks)
    return Parcel(*known, outline, stated_m2, remarks=tuple(remarks))


def _outline(draft: _Draft, system: ParcelSystem) -> tuple[BaseGeometry, list[str]]:
    """Return the area within an odd number of rings: rings in a ring are holes, others are parts."""
    remarks: list[str] = []
    outline: BaseGeometry = shapely.Polygon()
    for ring in draft.rings.values():
        points, said = system.to_lonlat(np.array(ring, float))
        remarks += [remark for remark in said if remark not in remarks]
        if len(np.unique(points, axis=0)) < 3:
            raise ParcelError(Reason("a ring has fewer than three points", "parcel.ring"))
        area = shapely.Polygon(points)
        if not area.is_valid:
            why = shapely.is_valid_reason(area)
            remarks.append(Reason(f"outline repaired ({why})", "polygons.row_repaired", why=why))
            area = make_valid(area)
        outline = area if outline.is_empty else outline.symmetric_difference(area)
    if outline.is_empty or not outline.area:
        raise ParcelError(Reason("it has no points, or its points enclose no area", "parcel.empty"))
    return outline, remarks


def _stated_area(text: str, computed_m2: float, remarks: list[str]) -> float | None:
    """Return the stated area in m², by the unit that fits the computed area."""
    try:
        value = float(text)
    except ValueError:
        return None
    if value <= 0:
        return None
    fitting = next((m2 for _, m2 in _UNITS if abs(value * m2 / computed_m2 - 1) <= _SAME_AREA), None)
    if fitting is None:
        message = f"its stated area {text} does not fit the computed {computed_m2:,.0f} m² in ha, m² or mu"
        remarks.append(Reason(message, "parcel.area", stated=text, computed=f"{computed_m2:,.0f}"))
        return None
    return value * fitting
