"""Parcel TXT as outlines: what a bureau sent as coordinates is put on the map or into a drawing."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Request, UploadFile
from shapely.geometry import mapping

from configs.texts import translate
from enforcement.overlap_ratio import area_m2
from enforcement.parcels.coordinates import ParcelError
from enforcement.parcels.read import read_parcels
from errors import Reason
from web.api.schemas import COMMON_ERRORS
from web.auth.authentication import CurrentUser
from web.http_errors import InvalidInput
from web.page import language_of

router = APIRouter(prefix="/api/parcels", tags=["parcels"], responses=COMMON_ERRORS)


@router.post("/outlines")
def outlines(request: Request, viewer: CurrentUser, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    """Return the parcels of a coordinate file (坐标 TXT) as GeoJSON in longitude and latitude; nothing is stored.

    Parcels that cannot be used have no geometry, and the reason as `fault`.
    """
    language = language_of(request)
    try:
        parcels = read_parcels(file.file.read())
    except ParcelError as error:
        why = error.args[0]
        name = (file.filename or "TXT")[:200]
        message = f"{name} cannot be read as parcel TXT: {why}"
        raise InvalidInput(
            Reason(message, "polygons.unreadable", file=name, kind=Reason("parcel TXT", "parcel.txt"), why=why)
        ) from error
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": None if parcel.outline is None else mapping(parcel.outline),
                "properties": {
                    "number": parcel.number,
                    "name": parcel.name,
                    "use": parcel.use,
                    "land_class": parcel.land_class,
                    "area_m2": None if parcel.outline is None else round(area_m2(parcel.outline), 2),
                    "stated_m2": parcel.stated_m2,
                    "fault": translate(parcel.fault, language) if isinstance(parcel.fault, Reason) else parcel.fault,
                    "remarks": [
                        translate(remark, language) if isinstance(remark, Reason) else remark
                        for remark in parcel.remarks
                    ],
                },
            }
            for parcel in parcels
        ],
    }
