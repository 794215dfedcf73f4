"""Lists as JSON: the declared fields and no others, numbers as numbers, moments with their offset."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from shapely import box

from cli.administration.areas import AREAS
from cli.administration.camera import CAMERAS
from cli.administration.images import IMAGES
from cli.administration.jobs import JOBS
from cli.administration.layers import LAYERS, VERSIONS
from cli.administration.night import NIGHTS
from cli.administration.people import PEOPLE
from cli.administration.weights import WEIGHTS
from cli.listing import Field, Listing, listing_json
from cli.main import main
from cli.reporting.alerts import ALERTS
from store.access.users import add_user
from store.jobs.queue import add_job
from store.schema.camera_tables import CameraRow
from store.schema.database import Database
from store.schema.tables import Area, Night, SceneRow
from tests.databases import embedded_database
from tests.store.sample_rows import add_scan
from tests.web.two_villages import add_alert

NOW = dt.datetime(2026, 11, 20, 18, 30, tzinfo=dt.UTC)
EMPTY_SUMMARY = {"scans": 0, "states": {}, "looked_at_m2": 0.0, "changes": 0, "alerts": {}, "uncompared": []}
SORTS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "day": (str,),
    "moment": (str,),
    "list": (list,),
    "object": (dict,),
}


def matches(field: Field, value: Any) -> bool:
    if value is None:
        return field.optional
    if field.kind == "moment":
        assert dt.datetime.fromisoformat(value).tzinfo is not None
    if field.kind == "day":
        dt.date.fromisoformat(value)
    return isinstance(value, SORTS[field.kind]) and not (isinstance(value, bool) and field.kind != "boolean")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home: Path = tmp_path_factory.mktemp("home")
    database = embedded_database(home / "tuban.db")
    with database.write() as session:
        add_user(session, login="wang", name="王某", role="county", code="330106", administrator=False, now=NOW)
        add_job(session, kind="audit", queue="scan", payload={"alert": 3}, unique_key="a", now=NOW)
        session.add(Night(day=NOW.date(), state="done", begun_at=NOW, finished_at=None, summary=EMPTY_SUMMARY))
        place = {"outline": box(120, 30, 120.1, 30.1), "west": 120.0, "south": 30.0, "east": 120.1, "north": 30.1}
        session.add(Area(code="330106", name="西湖区", level="county", loaded_at=NOW, **place))
        session.add(
            SceneRow(
                area_code="330106", sha256="a" * 64, name="[b].tif", source="drone", date=NOW.date(), gsd_m=0.25,
                crs="EPSG:4547", width=10, height=10, bands=[1, 2, 3], object_key="k", object_sha256="b" * 64,
                created_at=NOW, **place,
            )
        )  # fmt: skip
        session.add(
            CameraRow(
                name="mast", area_code="330106", kind="folder", host="h", secret="", times=["09:00"], created_at=NOW
            )
        )
    database.close()
    return home


def run(home: Path, *arguments: str, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    patch.setenv("TUBAN_HOME", str(home))
    patch.setattr(sys, "argv", ["tuban", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        main()
    assert exit_info.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("listing", "rows"),
    [(PEOPLE, 1), (JOBS, 1), (NIGHTS, 1), (AREAS, 1), (IMAGES, 1), (CAMERAS, 1), (WEIGHTS, 1), (LAYERS, 0)],
    ids=lambda value: value.command if isinstance(value, Listing) else "",
)
def test_lists_are_json_arrays_with_the_declared_fields(
    listing: Listing, rows: int, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(run(home, *listing.command.split(), "--json", patch=monkeypatch, capsys=capsys))
    assert len(found) == rows
    for row in found:
        assert list(row) == [field.name for field in listing.fields]
        assert [field.name for field in listing.fields if not matches(field, row[field.name])] == []


def test_the_table_shows_the_same_rows(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    printed = run(home, "images", "list", patch=monkeypatch, capsys=capsys)
    assert "[b].tif" in printed
    assert "\x1b" not in printed  # no colours where it is not a terminal


def test_moments_have_the_offset_of_the_service() -> None:
    row = dict.fromkeys((field.name for field in VERSIONS.fields), "x") | {"loaded_at": NOW, "dated": NOW.date()}
    (found,) = json.loads(listing_json(VERSIONS, [row], ZoneInfo("Asia/Shanghai")))
    assert (found["loaded_at"], found["dated"]) == ("2026-11-21T02:30:00+08:00", "2026-11-20")


def test_alerts_are_listed_by_the_conditions_of_the_page(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(f"sqlite:///{home / 'tuban.db'}")
    with database.write() as session:
        scene = session.query(SceneRow).one()
        scan = add_scan(session, scene, scene).id
        add_alert(session, "330106U2026110001", "a", scan)
    database.close()
    conditions = ("alerts", "list", "--kind", "construction", "--where", "min_area_m2=100")
    (row,) = json.loads(run(home, *conditions, "--json", patch=monkeypatch, capsys=capsys))
    assert [field.name for field in ALERTS.fields if not matches(field, row[field.name])] == []
    assert (row["number"], row["area_m2"], row["area_mu"]) == ("330106U2026110001", 1600.0, 2.4)
    out = home / "alerts.csv"
    run(home, "alerts", "export", "--format", "csv", "--out", str(out), patch=monkeypatch, capsys=capsys)
    assert "330106U2026110001" in out.read_text("utf-8-sig")
