"""Photos of a batch: where each lies, and how well that is known."""

from __future__ import annotations

from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Path

from store.views.batch_view import batch_progress
from store.views.photo_view import photos_of_batch
from web.api.batch_schemas import Footprints
from web.api.schemas import NOT_THEIRS, REFUSED
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound

router = APIRouter()
_LARGEST_ID = 2**62


@router.get(
    "/api/batches/{batch_id}/photos", tags=["batches"], responses=REFUSED | NOT_THEIRS, response_model=Footprints
)
def photos(viewer: CurrentUser, context: Service, batch_id: Annotated[int, Path(ge=1, le=_LARGEST_ID)]) -> dict[str, Any]:
    """The ground that each raw photo of a drone shows: GeoJSON, longitude and latitude.

    ``tied`` says by what it was placed (``reference`` image, ``neighbours``, ``nothing`` but its sensors, ``not yet``),
    ``error_m`` how far its ground may lie off, ``residual_m`` how well it fits what it was tied to.
    """
    with context.database.read() as session:
        if batch_progress(session, viewer, batch_id) is None:
            raise NotFound
        features = [
            {
                "type": "Feature",
                "id": photo.id,
                "geometry": shapely.geometry.mapping(photo.outline),
                "properties": {
                    "name": photo.name,
                    "state": photo.state,
                    "tied": photo.tied,
                    "error_m": photo.error_m,
                    "residual_m": photo.residual_m,
                    "taken": photo.taken,
                    "camera": photo.camera,
                    "scene": photo.scene_id,
                },
            }
            for photo in photos_of_batch(session, viewer, batch_id)
        ]
    return {"type": "FeatureCollection", "features": features}
