"""A scene as STAC item: moment, grid, assets with checksums, so that programs load the right pixels unaided."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pystac
from pystac import MediaType

from store.schema.tables import SceneRow
from web.api.geojson import geojson_geometry
from web.api.links import GEOJSON, JSON, link

PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"  # identifiers; they are never fetched
EO = "https://stac-extensions.github.io/eo/v1.1.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"

_BANDS = ("red", "green", "blue")
_SHA256 = "1220"
"""Multihash prefix: SHA-256, 32 bytes."""


def item_of(scene: SceneRow, base: str, zone: dt.tzinfo) -> dict[str, Any]:
    """Return the STAC item of a scene.

    Args:
        scene: with its footprint.
        base: URL of the service.
        zone: in which days, and moments without a time zone, are meant.
    """
    moment, period = _time_of(scene, zone)
    properties: dict[str, Any] = {
        **period,
        "title": scene.name,
        "gsd": scene.gsd_m,
        "created": scene.created_at.isoformat(),
        "proj:shape": [scene.height, scene.width],
        "tuban:source": scene.source,
        "tuban:area_code": scene.area_code,
        "tuban:date_source": scene.date_source,
        "tuban:dated": scene.date is not None,  # false: the time is that of receipt
        "tuban:sha256": scene.sha256,
    }
    if scene.crs.startswith("EPSG:"):
        properties["proj:code"] = scene.crs
    else:
        properties["proj:code"], properties["proj:wkt2"] = None, scene.crs
    if scene.transform:
        properties["proj:transform"] = scene.transform
    item = pystac.Item(
        str(scene.id),
        geojson_geometry(scene.outline),
        [scene.west, scene.south, scene.east, scene.north],
        moment,
        properties,
        stac_extensions=[PROJECTION, EO, FILE],
        collection="scenes",
    )
    for name, asset in _assets(scene, base).items():
        item.add_asset(name, asset)
    here = f"{base}/api/stac"
    links = [
        link("self", f"{here}/collections/scenes/items/{scene.id}", GEOJSON),
        link("collection", f"{here}/collections/scenes"),
        link("parent", f"{here}/collections/scenes"),
        link("root", here, JSON),
    ]
    return as_json(item, links)


def as_json(stac_object: pystac.STACObject, links: list[dict[str, str]]) -> dict[str, Any]:
    """Return a STAC object as JSON with these links, instead of those that pystac creates for files."""
    stac_object.clear_links()
    return {**stac_object.to_dict(include_self_link=False, transform_hrefs=False), "links": links}


def midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    """Return the beginning of a local day, in UTC."""
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)


def _time_of(scene: SceneRow, zone: dt.tzinfo) -> tuple[dt.datetime | None, dict[str, str]]:
    """Return the moment taken; or None, and the beginning and end of the local day if only that is known."""
    if scene.date is None:
        return scene.created_at, {}
    if scene.moment:
        moment = dt.datetime.fromisoformat(scene.moment)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(dt.UTC), {}
    first = midnight(scene.date, zone)
    last = midnight(scene.date + dt.timedelta(days=1), zone) - dt.timedelta(seconds=1)
    return None, {"start_datetime": _text(first), "end_datetime": _text(last)}


def _text(time: dt.datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _assets(scene: SceneRow, base: str) -> dict[str, pystac.Asset]:
    bands = [{"name": name, "data_type": "uint8"} for name in _BANDS]
    former = [{"name": name, "common_name": name} for name in _BANDS]  # where clients look that know STAC 1.0
    image = pystac.Asset(
        f"{base}/api/scenes/{scene.id}/image.tif",
        title="Cloud-optimized GeoTIFF",
        media_type=MediaType.COG,
        roles=["data", "visual"],
        extra_fields={
            "file:checksum": _SHA256 + scene.object_sha256,
            "bands": bands,
            "eo:bands": former,
            "gsd": scene.gsd_m,
        },
    )
    thumbnail = pystac.Asset(
        f"{base}/scenes/{scene.id}/preview", title="Preview", media_type="image/webp", roles=["thumbnail", "overview"]
    )
    return {"image": image, "thumbnail": thumbnail}
