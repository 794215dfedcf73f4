"""Record of an ingested image."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

import shapely
from shapely.geometry.base import BaseGeometry

from errors import Reason
from imagery.raster_kind import RasterKind


@dataclass(frozen=True)
class IngestedImage:
    """An image that was rewritten as a COG.

    Attributes:
        sha256: of the received file.
        object_sha256: of the COG.
        width, height: in pixels.
        gsd_m: true metres per pixel.
        crs: "EPSG:…", or WKT if it has no code.
        footprint: outline of the valid pixels; longitude, latitude.
        bands: numbers of the red, green and blue band in the received file, from 1.
        date, date_source: day of acquisition or None, and its source, see :class:`imagery.dates.AcquisitionDate`.
        moment: time of acquisition in ISO 8601 as the file states it, with a time zone only if it states that; "": only
            the day is known.
        transform: from column and row to coordinates of ``crs``: a, b, c, d, e, f.
        kind: what it holds, one of :data:`imagery.raster_kind.COMPARED_KINDS`.
        valid_share: share of its pixels that is valid, 0…1.
        remarks: notes for the user, each a sentence without its full stop.
    """

    sha256: str
    object_sha256: str
    width: int
    height: int
    gsd_m: float
    crs: str
    footprint: BaseGeometry
    bands: tuple[int, int, int]
    date: dt.date | None
    date_source: str
    valid_share: float
    remarks: tuple[Reason, ...]
    kind: RasterKind = "picture"
    moment: str = ""
    transform: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON."""
        date = self.date and self.date.isoformat()
        remarks = [[remark, remark.to_json()] for remark in self.remarks]
        return self.__dict__ | {
            "footprint": shapely.to_wkb(self.footprint, hex=True),
            "bands": list(self.bands),
            "transform": list(self.transform),
            "date": date,
            "remarks": remarks,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what :meth:`to_json` returned."""
        date = data["date"] and dt.date.fromisoformat(data["date"])
        outline = shapely.from_wkb(data["footprint"])
        remarks = tuple(Reason.from_json(words, told) for words, told in data["remarks"])
        red, green, blue = data["bands"]
        return cls(
            **data
            | {
                "footprint": outline,
                "bands": (red, green, blue),
                "date": date,
                "remarks": remarks,
                "transform": tuple(data.get("transform", ())),
            }
        )
