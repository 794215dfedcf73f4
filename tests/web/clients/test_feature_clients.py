"""OGC API - Features as OWSLib and GDAL read it, compared with the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import shapely
from owslib.ogcapi.features import Features
from shapely.geometry import shape
from sqlalchemy import select

from service.context import Context
from store.schema.tables import AlertRow
from tests.web.clients.conftest import Address


@pytest.fixture
def stored(service: Context) -> dict[str, AlertRow]:
    with service.database.read() as session:
        return {row.number: row for row in session.scalars(select(AlertRow))}


def test_owslib_reads_all_alerts(running: Address, stored: dict[str, AlertRow]) -> None:
    client = Features(f"{running.url}/api/ogc", headers=running.headers)
    assert client.feature_collections() == ["alerts"]
    assert client.conformance()["conformsTo"]
    assert client.api()["openapi"].startswith("3.")
    items = client.collection_items("alerts", limit=1000)["features"]
    assert {item["id"] for item in items} == stored.keys()
    for item in items:
        assert shape(item["geometry"]).equals(stored[item["id"]].outline)
        assert client.collection_item("alerts", item["id"])["properties"] == item["properties"]
    west, south, east, north = items[0]["bbox"]
    inside = client.collection_items("alerts", bbox=[west, south, east, north])["features"]
    assert [item["id"] for item in inside] == [items[0]["id"]]


def test_gdal_reads_all_alerts(running: Address, stored: dict[str, AlertRow]) -> None:
    script = Path(__file__).with_name("read_with_gdal.py")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_", "OGR_"))}
    done = subprocess.run(
        [sys.executable, script, f"{running.url}/api/ogc", running.key],
        capture_output=True,
        text=True,
        env=clean,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    layers, found, inside, _ = json.loads(done.stdout)
    assert layers == ["alerts"]
    assert found.keys() == stored.keys()
    for number, (outline, kind, area_m2) in found.items():
        alert = stored[number]
        assert shapely.from_wkb(outline).equals(alert.outline)
        assert (kind, area_m2) == (alert.kind, pytest.approx(alert.area_m2, abs=0.01))
    assert inside == [next(iter(found))]
