"""API route for the positions of the drone photos of a batch, with their accuracy."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from store.views.batch_view import batch_progress
from store.views.photo_view import photos_of_batch
from web.api.batch_schemas import Footprints
from web.api.geojson import geojson_geometry
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound

router = APIRouter()
_MAX_BATCH_ID = 2**62


@router.get(
    "/api/batches/{batch_id}/photos", tags=["batches"], responses=COMMON_ERRORS | NOT_FOUND, response_model=Footprints
)
def photos(
    viewer: CurrentUser, context: Service, batch_id: Annotated[int, Path(ge=1, le=_MAX_BATCH_ID)]
) -> dict[str, Any]:
    """Return the footprint of each raw drone photo of a batch: GeoJSON, longitude and latitude.

    ``tied`` says how it was georeferenced (``reference`` image, ``neighbours``, ``nothing``: by its sensors only,
    ``not yet``), ``error_m`` is the expected position error, ``residual_m`` the residual of the adjustment.
    """
    with context.database.read() as session:
        if batch_progress(session, viewer, batch_id) is None:
            raise NotFound
        features = [
            {
                "type": "Feature",
                "id": photo.id,
                "geometry": geojson_geometry(photo.outline),
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
