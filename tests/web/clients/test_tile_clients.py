"""Tiles: WMTS as GDAL and OWSLib read it, TileJSON, formats and rights."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from owslib.wmts import WebMapTileService
from PIL import Image
from pyproj import Transformer
from starlette.testclient import TestClient

from service.context import Context
from store.schema.tables import SceneRow
from tests.web.clients.conftest import Address
from tests.web.two_villages import Villages, api_client
from web.app import make_app
from web.maps.tiles import read_box


def scene_bounds(service: Context, scene_id: int) -> tuple[SceneRow, tuple[float, float, float, float]]:
    with service.database.read() as session:
        scene = session.get_one(SceneRow, scene_id)
        session.expunge(scene)
    to_metres = Transformer.from_crs(4490, 3857, always_xy=True).transform
    west, south = to_metres(scene.west, scene.south)
    east, north = to_metres(scene.east, scene.north)
    inset = (east - west) / 4
    return scene, (west + inset, south + inset, east - inset, north - inset)


@pytest.mark.parametrize("layer", ["latest", "scene"])
def test_gdal_reads_the_pixels_of_a_scene_by_wmts(
    service: Context, running: Address, villages: Villages, layer: str
) -> None:
    scene, bounds = scene_bounds(service, villages.after["a"])
    name = layer if layer == "latest" else f"scene-{scene.id}"
    script = Path(__file__).with_name("read_wmts.py")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_", "OGR_"))}
    done = subprocess.run(
        [sys.executable, script, f"{running.url}/api/tiles/wmts", running.key, name, *map(str, bounds)],
        capture_output=True,
        text=True,
        env=clean,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    crs, count, pixels = json.loads(done.stdout)
    assert (crs, count) == ("EPSG:3857", 4)
    expected = read_box(service, scene, bounds, "EPSG:3857", (64, 64))
    difference = np.abs(np.moveaxis(np.array(pixels)[:3], 0, 2).astype(int) - expected.rgb)
    assert difference.mean() < 25, "random pixels of another place differ by 53"


def test_owslib_lists_the_layers(running: Address, villages: Villages) -> None:
    service = WebMapTileService(f"{running.url}/api/tiles/wmts", headers=running.headers)
    assert {"latest", f"scene-{villages.before['a']}", f"scene-{villages.after['b']}"} <= set(service.contents)
    layer = service.contents[f"scene-{villages.after['b']}"]
    assert layer.formats == ["image/png", "image/webp", "image/jpeg"]
    assert layer.boundingBoxWGS84[0] > 113


def test_tiles_in_every_format_of_a_day_and_by_rights(service: Context, county: TestClient, villages: Villages) -> None:
    described = county.get(f"/api/tiles/scenes/{villages.after['a']}/tile.json").json()
    assert described["tilejson"] == "3.0.0"
    west, south, east, north = described["bounds"]
    n = 2**18
    x = int((west + east + 360) / 720 * n)
    y = int((1 - np.arcsinh(np.tan(np.radians((south + north) / 2))) / np.pi) / 2 * n)

    def tile(client: TestClient, address: str, suffix: str = "png") -> Any:
        response = client.get(f"/api/tiles/{address}/18/{x}/{y}.{suffix}")
        assert response.status_code == 200, response.text
        return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA")).astype(int)

    own = tile(county, f"scenes/{villages.after['a']}")
    assert own.shape == (256, 256, 4)
    for suffix in ("webp", "jpg"):
        other = tile(county, f"scenes/{villages.after['a']}", suffix)
        assert np.abs(other - own)[own[..., 3] > 0][:, :3].mean() < 30
    assert (tile(county, "latest/latest") == own).all()
    with service.database.read() as session:
        before = session.get_one(SceneRow, villages.before["a"]).date
    assert before is not None
    former = tile(county, f"scenes/{villages.before['a']}")
    assert (tile(county, f"latest/{before}") == former).all()
    assert (tile(county, f"latest/{before - dt.timedelta(days=1)}")[..., 3] == 0).all()
    village_b = api_client(service, make_app(service), "village_b")
    assert (tile(village_b, "latest/latest")[..., 3] == 0).all()
    assert village_b.get(f"/api/tiles/scenes/{villages.after['a']}/18/{x}/{y}.png").status_code == 404
    assert village_b.get(f"/api/tiles/scenes/{villages.after['a']}/tile.json").status_code == 404
    assert f"scene-{villages.after['a']}<" not in village_b.get("/api/tiles/wmts").text
    first = county.get(f"/api/tiles/latest/latest/18/{x}/{y}.webp")
    again = county.get(f"/api/tiles/latest/latest/18/{x}/{y}.webp", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    for wrong in (f"25/{x}/{y}.png", f"2/{x}/{y}.png", f"18/{x}/{y}.gif", f"18/{x}/{y}"):
        assert county.get(f"/api/tiles/latest/latest/{wrong}").status_code == 404
    assert county.get(f"/api/tiles/latest/2026-02-30/18/{x}/{y}.png").status_code == 404


def test_the_operations_that_are_missing_are_named(running: Address, villages: Villages) -> None:
    asked = {"SERVICE": "WMTS", "REQUEST": "GetFeatureInfo"}
    response = httpx.get(f"{running.url}/api/tiles/wmts", params=asked, headers=running.headers)
    assert (response.status_code, response.json()["code"]) == (400, "query.wmts")
