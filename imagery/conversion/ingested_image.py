"""Record of an ingested image."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

import shapely
from shapely.geometry.base import BaseGeometry

from errors import Reason


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
        date, date_source: day of acquisition or None, and "tag NAME", "file name", "given", "folder name" or "unknown".
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
    date: dt.date | None
    date_source: str
    valid_share: float
    remarks: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON."""
        date = self.date and self.date.isoformat()
        remarks = [[remark, remark.to_json()] for remark in self.remarks]
        return self.__dict__ | {
            "footprint": shapely.to_wkb(self.footprint, hex=True),
            "date": date,
            "remarks": remarks,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what :meth:`to_json` returned."""
        date = data["date"] and dt.date.fromisoformat(data["date"])
        outline = shapely.from_wkb(data["footprint"])
        remarks = tuple(Reason.from_json(words, told) for words, told in data["remarks"])
        return cls(**data | {"footprint": outline, "date": date, "remarks": remarks})
