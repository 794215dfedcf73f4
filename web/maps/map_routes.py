"""The map: areas, scenes by date, scans, alerts, layers of the bureau, and going to coordinates."""

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
from enforcement.states import read_states
from store.areas.layers import list_layers
from store.search.alert_filter import AlertFilter, Box
from store.search.alert_search import alert_outlines, alerts_on_map
from store.views.map_layers import areas_on_map, layer_by_id, layer_on_map, scans_on_map, visible_bounds
from store.views.map_scenes import scenes_in_box
from web.api.parameters import read_box
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Invalid, NotFound
from web.maps.coordinates import NotCoordinates, in_zone, read_place
from web.page import language_of, named, page

router = APIRouter(include_in_schema=False)

CHINA: Box = (73.5, 18.0, 135.0, 53.5)
OUTLINES_FROM = 15.0
"""Zoom from which alerts are drawn with their outlines."""

_PIXELS = 1.0  # of an outline's simplification
_MOST_ALERTS, _MOST_OUTLINES, _MOST_FEATURES = 600, 300, 1500

Zoom = Annotated[float, Query(ge=0, le=30)]
Bbox = Annotated[str, Query(max_length=200)]


@router.get("/map")
def map_page(request: Request, context: Service, person: CurrentUser) -> HTMLResponse:
    """The page; what it shows stands behind the ``#`` of its address."""
    with context.database.read() as session:
        extent = visible_bounds(session, person) or CHINA
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
            key: {"name": named(states.states, key, language), "means": state.means}
            for key, state in states.states.items()
        },
        "outlines_from": OUTLINES_FROM,
        "wmts": wmts.model_dump() if wmts.wmts_url else None,
    }
    return page(request, "map.html", settings=settings, layers=layers, kinds=settings["kinds"], wmts=settings["wmts"])


@router.get("/map/areas")
def areas(context: Service, person: CurrentUser, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Areas as GeoJSON: counties from afar, villages near by."""
    levels = ["county", *(["township"] if zoom >= 9 else []), *(["village"] if zoom >= 11.5 else [])]
    with context.database.read() as session:
        shown = areas_on_map(session, person, read_box(bbox), levels, _tolerance(zoom))
    return JSONResponse(
        _collection(_feature(area.outline, zoom, code=area.code, name=area.name, level=area.level) for area in shown)
    )


@router.get("/map/scenes")
def scenes(context: Service, person: CurrentUser, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Scenes with their footprints as GeoJSON, the latest first."""
    with context.database.read() as session:
        shown = scenes_in_box(session, person, read_box(bbox))
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
            for scene in shown
        )
    )


@router.get("/map/scans")
def scans(request: Request, context: Service, person: CurrentUser, bbox: Bbox) -> list[dict[str, Any]]:
    """Which dates were compared, and how that ended; the latest first."""
    with context.database.read() as session:
        return [
            {
                **scan._asdict(),
                "reason": translate(scan.reason, language_of(request)),
                "before_date": scan.before_date and scan.before_date.isoformat(),
                "after_date": scan.after_date and scan.after_date.isoformat(),
            }
            for scan in scans_on_map(session, person, read_box(bbox))
        ]


@router.get("/map/alerts")
def alerts(request: Request, context: Service, person: CurrentUser, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Alerts: clusters and points, and near by their outlines; filters are parameters of the review's list."""
    query = {name: request.query_params.getlist(name) for name in request.query_params if name != "bbox"}
    wanted, box = AlertFilter.from_query(query, context.settings.zone), read_box(bbox)
    with context.database.read() as session:
        marks = alerts_on_map(session, person, wanted, box, zoom, _MOST_ALERTS)
        near = alert_outlines(session, person, wanted, box, _MOST_OUTLINES) if zoom >= OUTLINES_FROM else []
    told = {
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
                one.outline,
                zoom,
                number=one.number,
                kind=one.kind,
                state=one.state,
                score=round(one.score, 3),
                area_m2=one.area_m2,
                legal_weight=one.legal_weight,
            )
            for one in near
        ),
    }
    return JSONResponse(told)


@router.get("/map/layers/{layer_id}")
def layer(context: Service, person: CurrentUser, layer_id: int, bbox: Bbox, zoom: Zoom) -> JSONResponse:
    """Polygons of one of the bureau's layers, as GeoJSON."""
    with context.database.read() as session:
        if layer_by_id(session, layer_id) is None:
            raise NotFound
        shown = layer_on_map(session, person, layer_id, read_box(bbox), _tolerance(zoom), _MOST_FEATURES)
        collection = _collection(
            _feature(
                outline,
                zoom,
                id=one.id,
                number=one.number,
                valid_from=one.valid_from and one.valid_from.isoformat(),
                valid_to=one.valid_to and one.valid_to.isoformat(),
            )
            for one, outline in shown
        )
    return JSONResponse({**collection, "cut": len(shown) == _MOST_FEATURES})


@router.get("/map/goto")
def go_to(
    request: Request,
    person: CurrentUser,
    text: Annotated[str, Query(max_length=1000)],
    lon: Annotated[float | None, Query(ge=-180, le=180)] = None,
) -> dict[str, Any]:
    """The place of typed coordinates; ``lon`` is where the map is, for eastings that do not tell their zone."""
    try:
        place = read_place(text, lon)
    except NotCoordinates as fault:
        raise Invalid(text_of(fault.key, language_of(request), **fault.values)) from None
    zone = in_zone(place.lon, place.lat)
    return {
        "lon": place.lon,
        "lat": place.lat,
        "system": place.system,
        "assumed": place.assumed,
        "zone": None if zone is None else {"code": zone[0], "east": round(zone[1], 2), "north": round(zone[2], 2)},
    }


def _tolerance(zoom: float) -> float:
    """Degrees of a pixel on the map."""
    return _PIXELS * 360 / 256 / 2**zoom


def _feature(outline: Any, zoom: float, **properties: Any) -> dict[str, Any]:
    digits = min(8, max(3, math.ceil(zoom * 0.302) + 1))  # a tenth of a pixel
    return {
        "type": "Feature",
        "geometry": shapely.geometry.mapping(shapely.transform(outline, lambda places: np.round(places, digits))),
        "properties": properties,
    }


def _collection(features: Any) -> dict[str, Any]:
    """As JSON knows it: answered as it is, where a framework would first walk through each coordinate."""
    return {"type": "FeatureCollection", "features": list(features)}
