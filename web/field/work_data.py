"""What a phone takes along of an alert: facts, outline, surroundings, pictures, and tiles of its offline map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from shapely.geometry import mapping

from configs.texts import LANGUAGES, catalogue, text
from enforcement.chain_settings import ChainValues
from enforcement.change_types import read_change_types
from enforcement.map_apps.links import NavigationLink, navigation_links
from enforcement.settings import BilingualName
from enforcement.states import read_states
from enforcement.units import mu
from service.context import Context
from store.access.rights import Viewer, may_see_scene
from store.alerts.alert_geometry import areas_around
from store.alerts.image_pairs import ImagePair
from store.areas.areas import area_names
from store.schema.database import Session
from store.schema.tables import AlertRow, SceneRow
from web.maps.tiles import MercatorBox, mercator, scene_box, tile_bounds
from web.review.alert_pictures import alert_window
from web.review.review_data import picture_url

_LOWEST_ZOOM, _LOWEST_AROUND, _HIGHEST_AROUND = 15, 14, 17
_TILE_BYTES = 14_000
"""Mean size of a tile of 256 pixels (WebP, quality 85), for the size that is told before it is taken along."""

_EQUATOR_M = 2 * math.pi * 6378137.0
_AREA_TOLERANCE = 4e-5


def listed_alert(context: Context, session: Session, viewer: Viewer, alert: AlertRow) -> dict[str, Any]:
    """Return an alert of the work list, in both languages."""
    states, kinds = read_states().states, read_change_types().kinds
    today = context.clock().astimezone(context.settings.zone).date()
    codes = [code for code in (alert.township_code, alert.grid_code) if code]
    names = area_names(session, set(codes))
    return {
        "number": alert.number,
        "state": alert.state,
        "state_name": _both(states, alert.state),
        "kind": alert.kind,
        "kind_name": _both(kinds, alert.kind),
        "area_m2": round(alert.area_m2, 1),
        "mu": round(mu(alert.area_m2), 2),
        "place": " ".join(names.get(code) or code for code in codes),
        "due_on": alert.due_on.isoformat() if alert.due_on else None,
        "overdue": bool(alert.due_on and alert.due_on < today),
        "mine": alert.assignee == viewer.login,
        "why": alert.state_reason if alert.state == "returned" else "",
        "centre": [round((alert.west + alert.east) / 2, 7), round((alert.south + alert.north) / 2, 7)],
        "navigation": [{"name": _names(link.name), "address": link.address} for link in _map_apps(alert)],
        "changed_at": alert.changed_at.isoformat(),
    }


def tile_layers(
    context: Context, session: Session, viewer: Viewer, alert: AlertRow, pair: ImagePair | None, values: ChainValues
) -> list[dict[str, Any]]:
    """Return the layers of the offline map: earlier and later image of the alert, and the later one around it.

    Each has ``name``, ``template`` (an address with {z}/{x}/{y}), ``tiles`` as [z, x, y], lowest and highest zoom.
    """
    if pair is None:
        return []
    root, number = context.settings.path_prefix, quote(alert.number, safe="")
    latitude, most = (alert.south + alert.north) / 2, values.whole("field.zoom_most")
    window = alert_window(alert)
    layers = []
    for name, scene in (("before", pair.before), ("after", pair.after)):
        zooms = range(_LOWEST_ZOOM, _image_zoom(scene, latitude, most) + 1)
        template = f"{root}/tiles/alerts/{number}/{name}/{{z}}/{{x}}/{{y}}"
        layers.append(_layer(name, template, _clip(window, scene_box(scene)), zooms))
    if may_see_scene(session, viewer, pair.after):
        x, y = mercator((alert.west + alert.east) / 2, latitude)
        radius = values.whole("field.map_radius_m") / math.cos(math.radians(latitude))
        box = _clip((x - radius, y - radius, x + radius, y + radius), scene_box(pair.after))
        highest = min(_HIGHEST_AROUND, _image_zoom(pair.after, latitude, most))
        template = f"{root}/tiles/scenes/{pair.after.id}/{{z}}/{{x}}/{{y}}"
        layers.append(_layer("around", template, box, range(_LOWEST_AROUND, highest + 1)))
    return [layer for layer in layers if layer["tiles"]]


def estimated_bytes(layers: list[dict[str, Any]]) -> int:
    """Return the approximate size of the tiles of all layers."""
    return sum(len(layer["tiles"]) for layer in layers) * _TILE_BYTES


def taken_alert(
    context: Context, session: Session, viewer: Viewer, alert: AlertRow, pair: ImagePair | None, values: ChainValues
) -> dict[str, Any]:
    """Return all data of an alert that a phone needs without a network."""
    root = context.settings.path_prefix
    layers = tile_layers(context, session, viewer, alert, pair, values)
    pictures = {when: picture_url(alert.number, alert.evidence, when) for when in ("before", "after")}
    around = areas_around(session, viewer, alert, tolerance=_AREA_TOLERANCE, limit=12)
    return {
        **listed_alert(context, session, viewer, alert),
        "outline": mapping(alert.outline),
        "areas": [{"name": area.name, "level": area.level, "outline": mapping(area.outline)} for area in around],
        "overlaps": [_overlap(overlap) for overlap in alert.overlaps],
        "images": {
            when: {"date": scene.date.isoformat() if scene.date else None, "gsd_m": scene.gsd_m}
            for when, scene in (("before", pair.before), ("after", pair.after))
        }
        if pair
        else {},
        "pictures": {when: f"{root}{path}" for when, path in pictures.items() if path},
        "layers": layers,
        "bytes": estimated_bytes(layers),
    }


def _map_apps(alert: AlertRow) -> list[NavigationLink]:
    point = alert.outline.representative_point()
    return navigation_links(point.x, point.y, alert.number)


def _names(name: BilingualName) -> dict[str, str]:
    return {language: str(getattr(name, language)) for language in LANGUAGES}


def _both(table: Any, key: str) -> dict[str, str]:
    found = table.get(key)
    return {language: getattr(found, language) if found else key for language in LANGUAGES}


def _overlap(overlap: dict[str, Any]) -> dict[str, Any]:
    key = f"layer.{overlap.get('kind', '')}"
    name = {language: text(key, language) if key in catalogue() else "" for language in LANGUAGES}
    return {"name": name, "layer": str(overlap.get("layer", "")), "share": overlap.get("share")}


def _image_zoom(scene: SceneRow, latitude: float, most: int) -> int:
    """Return the lowest zoom whose pixels are not larger than the image's, at most ``most``."""
    pixel_at_zero = _EQUATOR_M / 256 * math.cos(math.radians(latitude))
    return min(most, max(_LOWEST_ZOOM, math.ceil(math.log2(pixel_at_zero / max(scene.gsd_m, 0.01)))))


def _clip(one: MercatorBox, other: MercatorBox) -> MercatorBox:
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def _layer(name: str, template: str, box: MercatorBox, zooms: range) -> dict[str, Any]:
    tiles = [list(tile) for zoom in zooms for tile in _tiles(box, zoom)]
    return {"name": name, "template": template, "tiles": tiles, "min_zoom": zooms.start, "max_zoom": zooms.stop - 1}


def _tiles(box: MercatorBox, zoom: int) -> Iterator[tuple[int, int, int]]:
    """Yield the tiles of a zoom that overlap a box; none for an empty box."""
    west, south, east, north = box
    if west >= east or south >= north:
        return
    left, _, right, top = tile_bounds(zoom, 0, 0)
    side = right - left
    last = 2**zoom - 1
    for y in range(max(0, int((top - north) // side)), min(last, int((top - south) // side)) + 1):
        for x in range(max(0, int((west - left) // side)), min(last, int((east - left) // side)) + 1):
            yield zoom, x, y
