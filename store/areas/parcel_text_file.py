"""Parcel TXT as a polygon file."""

from __future__ import annotations

from pathlib import Path

from enforcement.parcels.read import FIELDS, read_parcels
from errors import Reason
from store.areas.geojson_file import RawFeatures


def read_parcel_text(path: Path) -> RawFeatures:
    """Read the parcels with the fields of :data:`enforcement.parcels.read.FIELDS`.

    Raises:
        ParcelError: the file contains no parcels, or its header cannot be understood.
    """
    parcels = read_parcels(path.read_bytes())
    remarks = [
        Reason(f"parcel {p.number or p.line}: {remark}.", "parcel.remark", parcel=p.number or p.line, remark=remark)
        for p in parcels
        for remark in p.remarks
    ]
    return RawFeatures(
        FIELDS,
        "EPSG:4490",
        [p.outline if p.outline is not None else p.fault for p in parcels],
        [p.values for p in parcels],
        tuple(remarks),
    )
