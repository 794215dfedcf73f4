"""The drop folder: complete files, written once, readable by any GIS."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyogrio
import pytest
import shapely
from shapely.geometry import box, mapping

from workers.delivery.delivery_errors import DeliveryRejected
from workers.delivery.drop_folder import drop_event

ZONE = ZoneInfo("Asia/Shanghai")
PLACE = box(120.01, 30.01, 120.011, 30.011)
DAY = "20261202.gpkg"


def _event(index: int = 1, time: str = "2026-12-01T18:30:00.000Z", **other: Any) -> dict[str, Any]:
    properties = {
        "number": "330106W2026110001",
        "statement": {"zh": "疑似变化线索，须经实地核查", "en": "Suspected change, to be checked on the ground"},
        "kind": "construction",
        "kind_name": {"zh": "新增建筑/建设", "en": "New construction"},
        "type": None,
        "state": "new",
        "source": "drone",
        "score": 0.87,
        "area_m2": 1234.5,
        "area_mu": 1.8518,
        "centre": {"lon": 120.0105, "lat": 30.0105},
        "village": {"code": "330106005201", "name": "东穆坞村"},
        "earlier_image": None,
        "overlaps": [{"layer": "耕地2025", "share": 0.8}],
        "rank": None,
    }
    event = {
        "specversion": "1.0",
        "id": f"{index:08x}-0000-4000-8000-000000000000",
        "type": "tuban.alert.created",
        "subject": "330106W2026110001",
        "time": time,
        "sequence": str(index),
        "data": {
            "type": "Feature",
            "id": "330106W2026110001",
            "geometry": mapping(PLACE),
            "properties": properties,
        },
    }
    return event | other


def _rows(path: Path, layer: str = "events") -> list[dict[str, Any]]:
    meta, _, shapes, columns = pyogrio.raw.read(path, layer=layer)
    assert meta["crs"] == "EPSG:4490"
    names = [str(name) for name in meta["fields"]]
    return [
        dict(zip(names, row, strict=True)) | {"shape": shapely.from_wkb(bytes(outline))}
        for outline, *row in zip(shapes, *columns, strict=True)
    ]


def test_an_event_is_one_geojson_file_named_after_its_alert_and_local_month(tmp_path: Path) -> None:
    drop_event(_event(2), tmp_path, ZONE)
    (path,) = tmp_path.glob("*/*")
    assert path.relative_to(tmp_path).as_posix() == "202612/330106W2026110001_2_00000002.geojson"
    feature = json.loads(path.read_text("utf-8"))
    assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "Polygon")
    assert feature["properties"]["village"]["name"] == "东穆坞村"
    assert (feature["properties"]["event_type"], feature["properties"]["sequence"]) == ("tuban.alert.created", 2)


def test_gdal_reads_the_geojson_file(tmp_path: Path) -> None:
    drop_event(_event(), tmp_path, ZONE)
    (path,) = tmp_path.glob("*/*.geojson")
    meta, _, shapes, columns = pyogrio.raw.read(path)
    assert shapely.from_wkb(bytes(shapes[0])).equals(PLACE)
    assert columns[list(meta["fields"]).index("area_m2")][0] == 1234.5


def test_all_events_of_a_local_day_are_in_one_geopackage(tmp_path: Path) -> None:
    drop_event(_event(1, "2026-12-01T16:00:00.000Z"), tmp_path, ZONE)
    drop_event(_event(2, "2026-12-02T15:59:59.000Z"), tmp_path, ZONE)
    drop_event(_event(3, "2026-12-02T16:00:00.000Z"), tmp_path, ZONE)
    assert [row["sequence"] for row in _rows(tmp_path / DAY)] == [1, 2]
    assert [row["sequence"] for row in _rows(tmp_path / "20261203.gpkg")] == [3]


def test_a_layer_of_the_geopackage_has_one_row_per_alert_as_of_its_last_event(tmp_path: Path) -> None:
    first, second, late, other = _event(1), _event(3), _event(2), _event(4)
    second["data"]["properties"] |= {"state": "published"}
    late["data"]["properties"] |= {"state": "triaged"}  # delivered again after a failure
    other["data"]["properties"] |= {"number": "330106W2026110002"}
    for event in (first, second, late, other):
        drop_event(event, tmp_path, ZONE)
    rows = [(row["number"], row["state"], row["sequence"]) for row in _rows(tmp_path / DAY, "alerts")]
    assert sorted(rows) == [("330106W2026110001", "published", 3), ("330106W2026110002", "new", 4)]
    assert len(_rows(tmp_path / DAY)) == 4


def test_a_geopackage_of_an_earlier_version_is_kept_beside(tmp_path: Path) -> None:
    drop_event(_event(1), tmp_path, ZONE)
    with sqlite3.connect(tmp_path / DAY) as connection:  # that version had no layer of events
        connection.execute("DELETE FROM gpkg_contents WHERE table_name = 'events'")
    drop_event(_event(2), tmp_path, ZONE)
    assert [row["sequence"] for row in _rows(tmp_path / DAY)] == [2]
    assert (tmp_path / "20261202-earlier-version.gpkg").exists()


def test_the_geopackage_has_readable_columns(tmp_path: Path) -> None:
    drop_event(_event(), tmp_path, ZONE)
    (row,) = _rows(tmp_path / DAY)
    assert (row["number"], row["kind_zh"], row["village"]) == ("330106W2026110001", "新增建筑/建设", "东穆坞村")
    assert (row["area_m2"], row["area_mu"], row["lon"]) == (1234.5, 1.8518, 120.0105)
    assert json.loads(row["overlaps"]) == [{"layer": "耕地2025", "share": 0.8}]
    assert row["statement_zh"].startswith("疑似变化")
    assert row["shape"].equals(PLACE)
    assert row["earlier_date"] is None


def test_writing_an_event_again_changes_nothing(tmp_path: Path) -> None:
    drop_event(_event(1), tmp_path, ZONE)
    drop_event(_event(2), tmp_path, ZONE)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    drop_event(_event(1), tmp_path, ZONE)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_multipolygon_is_kept(tmp_path: Path) -> None:
    parts = shapely.MultiPolygon([PLACE, shapely.affinity.translate(PLACE, 0.01)])
    event = _event()
    event["data"]["geometry"] = mapping(parts)
    drop_event(event, tmp_path, ZONE)
    assert _rows(tmp_path / DAY)[0]["shape"].equals(parts)


def test_concurrent_workers_lose_no_event(tmp_path: Path) -> None:
    start = threading.Barrier(4)

    def drop(worker: int) -> None:
        start.wait()
        for index in range(4):
            drop_event(_event(1 + 4 * worker + index), tmp_path, ZONE)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(drop, range(4)))
    assert sorted(row["sequence"] for row in _rows(tmp_path / DAY)) == list(range(1, 17))
    assert len(list(tmp_path.glob("202612/*.geojson"))) == 16


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    """A file size limit of 2 KiB simulates a full disk."""
    program = f"""
import json, resource, signal, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from workers.delivery.drop_folder import drop_event
from workers.delivery.delivery_errors import DeliveryRejected
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
try:
    drop_event(json.load(sys.stdin), Path({str(tmp_path)!r}), ZoneInfo("Asia/Shanghai"))
except DeliveryRejected as error:
    print("rejected:", error)
"""
    completed = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(_event()), capture_output=True, text=True, check=True
    )
    assert completed.stdout.startswith("rejected:")
    remaining = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert [name for name in remaining if ".gpkg" in name or ".writing" in name] == []


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(DeliveryRejected, match="cannot be written"):
        drop_event(_event(), tmp_path / "occupied", ZONE)


def test_a_damaged_geopackage_is_reported_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / DAY).write_bytes(b"no database" * 100)
    with pytest.raises(DeliveryRejected, match="Move it away"):
        drop_event(_event(), tmp_path, ZONE)
    assert (tmp_path / DAY).read_bytes() == b"no database" * 100


def test_a_subject_cannot_escape_the_folder(tmp_path: Path) -> None:
    drop_event(_event(subject="../../etc/x"), tmp_path / "drop", ZONE)
    assert [path.name for path in tmp_path.iterdir()] == ["drop"]
    assert (tmp_path / "drop/202612/------etc-x_1_00000001.geojson").exists()


def test_the_geopackage_is_intact_without_journal_files(tmp_path: Path) -> None:
    drop_event(_event(), tmp_path, ZONE)
    drop_event(_event(2), tmp_path, ZONE)
    assert sorted(os.listdir(tmp_path)) == [".lock", "202612", DAY]  # noqa: PTH208
    with sqlite3.connect(tmp_path / DAY) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_partial_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / "202612").mkdir()
    for partial in (
        tmp_path / ".writing-1.gpkg",
        tmp_path / ".writing-1.gpkg-journal",
        tmp_path / "202612/.writing-2.geojson",
    ):
        partial.write_bytes(b"half")
    drop_event(_event(), tmp_path, ZONE)
    assert [path.name for path in tmp_path.rglob(".writing*")] == []
