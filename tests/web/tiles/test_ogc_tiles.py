"""OGC API - Tiles: links go from the landing page to each tile, and each user sees the own area."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pyogrio
from PIL import Image
from starlette.testclient import TestClient

from service.context import Context
from tests.web.conftest import ORIGIN
from tests.web.two_villages import NUMBERS, Villages, api_client
from web.api.tile_relations import TILESETS_MAP, TILESETS_VECTOR, TILING_SCHEME
from web.app import make_app
from web.maps.tiles import mercator

ZOOM = 16


def follow(client: TestClient, address: str, *relations: str) -> Any:
    """Follow links by their relations; return the last document."""
    document = client.get(address).json()
    for relation in relations:
        (href,) = {one["href"] for one in document["links"] if one["rel"] == relation}
        document = client.get(href.removeprefix(ORIGIN)).json()
    return document


def address_of_tile(tileset: Any, lon: float, lat: float, media_type: str) -> str:
    (template,) = (one["href"] for one in tileset["links"] if one["rel"] == "item" and one["type"] == media_type)
    x, y = mercator(lon, lat)
    half = math.pi * 6378137.0
    column, row = int((x + half) / (2 * half) * 2**ZOOM), int((half - y) / (2 * half) * 2**ZOOM)
    filled = template.replace("{tileMatrix}", str(ZOOM)).replace("{tileRow}", str(row))
    return str(filled.replace("{tileCol}", str(column)))


def test_vector_tiles_of_alerts_are_found_by_links_and_contain_the_own_area(
    service: Context, villages: Villages, tmp_path: Path
) -> None:
    app = make_app(service)
    for village, other in (("a", "b"), ("b", "a")):
        client = api_client(service, app, f"village_{village}")
        item = client.get(f"/api/ogc/collections/alerts/items/{NUMBERS[village]}").json()
        lists = follow(client, "/api/ogc/collections/alerts", TILESETS_VECTOR)
        assert [one["dataType"] for one in lists["tilesets"]] == ["vector"]
        tileset = client.get(lists["tilesets"][0]["links"][0]["href"].removeprefix(ORIGIN)).json()
        west, south, east, north = item["bbox"]
        href = address_of_tile(tileset, (west + east) / 2, (south + north) / 2, "application/vnd.mapbox-vector-tile")
        answer = client.get(href.removeprefix(ORIGIN))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vnd.mapbox-vector-tile")
        assert NUMBERS[other].encode() not in answer.content
        (tmp_path / f"{village}.mvt").write_bytes(answer.content)
        meta, _, _, columns = pyogrio.raw.read(tmp_path / f"{village}.mvt", layer="alerts")
        assert dict(zip(meta["fields"], (column[0] for column in columns), strict=True))["number"] == NUMBERS[village]
        foreign = client.get(href.removeprefix(ORIGIN) + "&states=closed")
        assert (foreign.status_code, foreign.content) == (204, b"")


def test_map_tiles_have_the_format_that_is_asked_for(service: Context, villages: Villages) -> None:
    client = api_client(service, make_app(service), "village_a")
    tileset = follow(client, "/api/ogc/map/tiles", "self")["tilesets"][0]
    tileset = client.get(tileset["links"][0]["href"].removeprefix(ORIGIN)).json()
    west, south, east, north = (*tileset["boundingBox"]["lowerLeft"], *tileset["boundingBox"]["upperRight"])
    lon, lat = (west + east) / 2, (south + north) / 2
    for media_type in ("image/png", "image/webp", "image/jpeg"):
        address = address_of_tile(tileset, lon, lat, media_type).removeprefix(ORIGIN)
        for answer in (
            client.get(address),
            client.get(address.partition("?")[0], headers={"accept": f"{media_type},*/*;q=0.1"}),
        ):
            assert answer.headers["content-type"] == media_type
            assert Image.open(io.BytesIO(answer.content)).size == (256, 256)
    links = client.get("/api/ogc").json()["links"]
    assert [one["href"] for one in links if one["rel"] == TILESETS_MAP] == [f"{ORIGIN}/api/ogc/map/tiles"]


def test_the_matrix_set_is_the_usual_one(service: Context) -> None:
    client = api_client(service, make_app(service), "county")
    (entry,) = client.get("/api/ogc/tileMatrixSets").json()["tileMatrixSets"]
    assert entry["links"][0]["rel"] == TILING_SCHEME
    found = client.get(entry["links"][0]["href"].removeprefix(ORIGIN)).json()
    assert (found["id"], found["tileMatrices"][0]["scaleDenominator"]) == ("WebMercatorQuad", 559082264.0287178)
    assert client.get("/api/ogc/tileMatrixSets/WorldCRS84Quad").status_code == 404
    conforms = client.get("/api/ogc/conformance").json()["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core" in conforms
