"""The map page and its data: areas, scenes by date, scans, alerts, imported layers, and coordinate search."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
import shapely
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from configs.texts import text as text_of
from configs.texts import translate
from enforcement.change_types import read_change_types
from enforcement.position_uncertainty import ellipse_outline
from enforcement.states import read_states
from store.areas.layers import list_layers
from store.review.outline_edits import may_edit
from store.search.alert_filter import AlertFilter, Box
from store.search.alert_search import alert_outlines, alerts_on_map
from store.views.map_layers import areas_on_map, layer_by_id, layer_on_map, scans_on_map, visible_bounds
from store.views.map_scenes import scenes_in_box
from web.api.parameters import parse_bbox_parameter
from web.auth.authentication import CurrentUser, Service
from web.http_errors import InvalidInput, NotFound
from web.maps.coordinates import CoordinateError, in_zone, parse_coordinates
from web.page import language_of, named, page
from web.row_ids import Id

router = APIRouter(include_in_schema=False)

CHINA: Box = (73.5, 18.0, 135.0, 53.5)
OUTLINES_FROM = 15.0
"""Minimum zoom at which alerts are drawn with their outlines."""

_TOLERANCE_PX = 1.0  # of simplified outlines
_MAX_ALERTS, _MAX_OUTLINES, _MAX_FEATURES = 600, 300, 1500

Zoom = Annotated[float, Query(ge=0, le=30)]
Bbox = Annotated[str, Query(max_length=200)]


@router.get("/map")
def map_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the map page; the fragment of its URL describes what it shows."""
    with context.database.read() as session:
        extent = visible_bounds(session, viewer) or CHINA
        layers = [
            {"id": layer.id, "name": layer.name, "kind": layer.kind, "dated": layer.dated and layer.dated.isoformat()}
            for layer, _ in list_layers(session)
        ]
    states, types = read_states(), read_change_types()
    language = language_of(request)
    wmts = context.settings.web.map
    settings = {
        "extent": extent,
        "layers": layers,
        "kinds": {key: named(types.kinds, key, language) for key in types.kinds},
        "states": {
            key: {"name": named(states.states, key, language), "category": state.category}
            for key, state in states.states.items()
        },
        "outlines_from": OUTLINES_FROM,
        "wmts": wmts.model_dump() if wmts.wmts_url else None,
    }
    return page(
        request,
        "map.html",
        settings=settings,
        layers=layers,
        kinds=settings["kinds"],
        wmts=settings["wmts"],
        may_draw=may_edit(viewer),
    )


@router.get("/map/areas")
def areas(context: Service, viewer: CurrentUser, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Return areas as GeoJSON: counties at low zoom, villages at high zoom."""
    levels = ["county", *(["township"] if zoom >= 9 else []), *(["village"] if zoom >= 11.5 else [])]
    with context.database.read() as session:
        found = areas_on_map(session, viewer, parse_bbox_parameter(bbox), levels, _tolerance(zoom))
    return JSONResponse(
        _collection(_feature(area.outline, zoom, code=area.code, name=area.name, level=area.level) for area in found)
    )


@router.get("/map/scenes")
def scenes(context: Service, viewer: CurrentUser, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Return scenes with their footprints as GeoJSON, latest first."""
    with context.database.read() as session:
        found = scenes_in_box(session, viewer, parse_bbox_parameter(bbox))
    return JSONResponse(
        _collection(
            _feature(
                shapely.simplify(scene.outline, _tolerance(zoom)),
                zoom,
                id=scene.id,
                name=scene.name,
                source=scene.source,
                date=scene.date and scene.date.isoformat(),
                gsd_m=round(scene.gsd_m, 3),
                bounds=[scene.west, scene.south, scene.east, scene.north],
            )
            for scene in found
        )
    )


@router.get("/map/scans")
def scans(request: Request, context: Service, viewer: CurrentUser, bbox: Bbox) -> list[dict[str, Any]]:
    """Return the compared dates with their results, latest first."""
    with context.database.read() as session:
        return [
            {
                **scan._asdict(),
                "reason": translate(scan.reason, language_of(request)),
                "before_date": scan.before_date and scan.before_date.isoformat(),
                "after_date": scan.after_date and scan.after_date.isoformat(),
            }
            for scan in scans_on_map(session, viewer, parse_bbox_parameter(bbox))
        ]


@router.get("/map/alerts")
def alerts(request: Request, context: Service, viewer: CurrentUser, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Return alerts as clusters and points, and at high zoom their outlines and error ellipses.

    Filters are those of the list of alerts.
    """
    query = {name: request.query_params.getlist(name) for name in request.query_params if name != "bbox"}
    alert_filter, box = AlertFilter.from_query(query, context.settings.zone), parse_bbox_parameter(bbox)
    with context.database.read() as session:
        marks = alerts_on_map(session, viewer, alert_filter, box, zoom, _MAX_ALERTS)
        outlined = alert_outlines(session, viewer, alert_filter, box, _MAX_OUTLINES) if zoom >= OUTLINES_FROM else []
    data = {
        "marks": [
            {
                "lon": mark.lon,
                "lat": mark.lat,
                "count": mark.count,
                "kind": mark.kind,
                "state": mark.state,
                "legal_weight": mark.legal_weight,
                "number": getattr(mark, "number", ""),
            }
            for mark in marks
        ],
        "outlines": _collection(
            _feature(
                alert.outline,
                zoom,
                number=alert.number,
                kind=alert.kind,
                state=alert.state,
                score=round(alert.score, 3),
                area_m2=alert.area_m2,
                legal_weight=alert.legal_weight,
            )
            for alert in outlined
        ),
        "ellipses": _collection(
            _feature(
                ellipse_outline(alert.outline, alert.position_error, context.settings.alerts.sigmas),
                zoom,
                number=alert.number,
            )
            for alert in outlined
            if alert.position_error is not None
        ),
    }
    return JSONResponse(data)


@router.get("/map/layers/{layer_id}")
def layer(context: Service, viewer: CurrentUser, layer_id: Id, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Return the polygons of an imported layer as GeoJSON."""
    with context.database.read() as session:
        if layer_by_id(session, layer_id) is None:
            raise NotFound
        found = layer_on_map(session, viewer, layer_id, parse_bbox_parameter(bbox), _tolerance(zoom), _MAX_FEATURES)
        collection = _collection(
            _feature(
                outline,
                zoom,
                id=polygon.id,
                number=polygon.number,
                valid_from=polygon.valid_from and polygon.valid_from.isoformat(),
                valid_to=polygon.valid_to and polygon.valid_to.isoformat(),
            )
            for polygon, outline in found
        )
    return JSONResponse({**collection, "cut": len(found) == _MAX_FEATURES})


@router.get("/map/goto")
def go_to(
    request: Request,
    viewer: CurrentUser,
    text: Annotated[str, Query(max_length=1000)],
    lon: Annotated[float | None, Query(ge=-180, le=180)] = None,
) -> dict[str, Any]:
    """Parse typed coordinates; ``lon`` is the map's centre, which determines the zone of eastings without one."""
    try:
        place = parse_coordinates(text, lon)
    except CoordinateError as error:
        raise InvalidInput(text_of(error.key, language_of(request), **error.values)) from None
    zone = in_zone(place.lon, place.lat)
    return {
        "lon": place.lon,
        "lat": place.lat,
        "system": place.system,
        "assumed": place.assumed,
        "zone": None if zone is None else {"code": zone[0], "east": round(zone[1], 2), "north": round(zone[2], 2)},
    }


def _tolerance(zoom: float) -> float:
    """Return the size of a map pixel in degrees."""
    return _TOLERANCE_PX * 360 / 256 / 2**zoom


def _feature(outline: Any, zoom: float, **properties: Any) -> dict[str, Any]:
    digits = min(8, max(3, math.ceil(zoom * 0.302) + 1))  # a tenth of a pixel
    return {
        "type": "Feature",
        "geometry": shapely.geometry.mapping(shapely.transform(outline, lambda places: np.round(places, digits))),
        "properties": properties,
    }


def _collection(features: Any) -> dict[str, Any]:
    """Return a plain dictionary for JSONResponse, because validation by FastAPI would visit every coordinate."""
    return {"type": "FeatureCollection", "features": list(features)}
