"""Exports of filtered alerts in each format, limited to the user's area."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pyogrio
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from enforcement.parcels.read import read_parcels
from service.context import Context
from store.schema.user_tables import Action
from tests.web.two_villages import CODES, NUMBERS, Villages, api_client
from web.app import make_app

EXPORT = "/api/alerts/export"


def test_each_format_contains_the_filtered_alerts(county: TestClient, tmp_path: Path) -> None:
    collection = county.get(EXPORT, params={"format": "geojson", "place": CODES["b"]}).json()
    assert [feature["id"] for feature in collection["features"]] == [NUMBERS["b"]]

    package = tmp_path / "alerts.gpkg"
    package.write_bytes(county.get(EXPORT, params={"format": "gpkg"}).content)
    assert pyogrio.read_info(package)["features"] == 2

    coordinates = county.get(EXPORT, params={"format": "txt"})
    assert [parcel.number for parcel in read_parcels(coordinates.content)] == sorted(NUMBERS.values())
    assert "坐标系=2000国家大地坐标系\r\n" in coordinates.content.decode("gb18030")
    sent = county.post("/api/parcels/outlines", files={"file": ("地块.txt", coordinates.content)}).json()
    assert [feature["properties"]["number"] for feature in sent["features"]] == sorted(NUMBERS.values())
    assert sent["features"][0]["geometry"]["type"] == "Polygon"
    refused = county.post("/api/parcels/outlines", files={"file": ("地块.txt", b"x")})
    assert refused.status_code in (400, 422)

    table = county.get(EXPORT, params={"format": "xlsx", "language": "zh"})
    book = openpyxl.load_workbook(io.BytesIO(table.content))
    assert NUMBERS["a"] in [cell.value for row in book.worksheets[0].iter_rows() for cell in row]


def test_a_shapefile_can_be_in_the_local_zone(county: TestClient, tmp_path: Path) -> None:
    for crs, expected in (("4490", "EPSG:4490"), ("zone", "EPSG:4526")):
        response = county.get(EXPORT, params={"format": "shp", "crs": crs})
        assert response.headers["content-type"] == "application/zip"
        assert ("zone 38" in response.headers.get("x-remarks", "")) == (crs == "zone")
        folder = tmp_path / crs
        zipfile.ZipFile(io.BytesIO(response.content)).extractall(folder)
        assert pyogrio.read_info(folder / "tuban.shp")["crs"] == expected


@pytest.mark.parametrize("query", ["", "?format=dwg", "?format=gpkg&crs=zone", "?format=shp&crs=3857",
                                   "?format=shp&states=lost"])  # fmt: skip
def test_unsupported_formats_and_systems_are_rejected(county: TestClient, query: str) -> None:
    assert county.get(f"{EXPORT}{query}").status_code == 400


def test_a_village_exports_its_own_alerts_and_that_is_logged(service: Context, villages: Villages) -> None:
    village = api_client(service, make_app(service), "village_a")
    collection = village.get(EXPORT, params={"format": "geojson"}).json()
    assert [feature["id"] for feature in collection["features"]] == [NUMBERS["a"]]
    assert village.get(EXPORT, params={"format": "geojson", "place": CODES["b"]}).json()["features"] == []
    with service.database.read() as session:
        actions = session.scalars(select(Action).order_by(Action.id)).all()
    assert [(action.what, action.who, action.code, action.detail["alerts"]) for action in actions] == [
        ("exported", "village_a", CODES["a"], 1),
        ("exported", "village_a", CODES["a"], 0),
    ]
