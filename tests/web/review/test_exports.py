"""Files of alerts: what the filter asks for, in each format, and nothing of others."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pyogrio
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from service.context import Context
from store.schema.user_tables import Action
from tests.web.two_villages import CODES, NUMBERS, Villages, program
from web.app import make_app

EXPORT = "/api/alerts/export"


def test_each_format_holds_the_alerts_that_the_filter_asks_for(county: TestClient, tmp_path: Path) -> None:
    told = county.get(EXPORT, params={"format": "geojson", "place": CODES["b"]}).json()
    assert [feature["id"] for feature in told["features"]] == [NUMBERS["b"]]

    package = tmp_path / "alerts.gpkg"
    package.write_bytes(county.get(EXPORT, params={"format": "gpkg"}).content)
    assert pyogrio.read_info(package)["features"] == 2

    table = county.get(EXPORT, params={"format": "xlsx", "language": "zh"})
    book = openpyxl.load_workbook(io.BytesIO(table.content))
    assert NUMBERS["a"] in [cell.value for row in book.worksheets[0].iter_rows() for cell in row]


def test_a_shapefile_may_be_in_the_local_zone(county: TestClient, tmp_path: Path) -> None:
    for crs, expected in (("4490", "EPSG:4490"), ("zone", "EPSG:4526")):
        answer = county.get(EXPORT, params={"format": "shp", "crs": crs})
        assert answer.headers["content-type"] == "application/zip"
        assert ("zone 38" in answer.headers.get("x-remarks", "")) == (crs == "zone")
        folder = tmp_path / crs
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder)
        assert pyogrio.read_info(folder / "tuban.shp")["crs"] == expected


@pytest.mark.parametrize("query", ["", "?format=dwg", "?format=gpkg&crs=zone", "?format=shp&crs=3857",
                                   "?format=shp&states=lost"])  # fmt: skip
def test_what_is_not_offered_is_refused(county: TestClient, query: str) -> None:
    assert county.get(f"{EXPORT}{query}").status_code == 422


def test_a_village_gets_its_own_alerts_and_the_log_tells_of_it(service: Context, villages: Villages) -> None:
    village = program(service, make_app(service), "village_a")
    told = village.get(EXPORT, params={"format": "geojson"}).json()
    assert [feature["id"] for feature in told["features"]] == [NUMBERS["a"]]
    assert village.get(EXPORT, params={"format": "geojson", "place": CODES["b"]}).json()["features"] == []
    with service.database.read() as session:
        noted = session.scalars(select(Action).order_by(Action.id)).all()
    assert [(action.what, action.who, action.code, action.detail["alerts"]) for action in noted] == [
        ("exported", "village_a", CODES["a"], 1),
        ("exported", "village_a", CODES["a"], 0),
    ]
