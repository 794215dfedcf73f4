"""Reference layers are loaded from polygon files, replaced by name, and found by position."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from shapely import Point, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from errors import SettingsError
from store.areas.layers import features_touching, list_layers, load_layer
from store.schema.database import Database
from store.schema.tables import Feature, Layer
from tests.store.areas.polygon_files import (
    COUNTY,
    TOWNSHIP,
    VILLAGE,
    geojson,
    write,
)

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=30)


def approvals(path: Path) -> Path:
    return write(
        path,
        [TOWNSHIP, VILLAGE],
        {
            "PWH": ["豫政土〔2025〕12号", "豫政土〔2026〕3号"],
            "FROM": ["2025-03-01", "20260110"],
            "TO": ["2027/2/28", "长期"],
            "MJ": [12.5, np.nan],
        },
    )


def test_a_layer_is_loaded_with_numbers_and_dates(database: Database, tmp_path: Path) -> None:
    loaded = load_layer(
        database,
        approvals(tmp_path / "approvals.gpkg"),
        name="批文",
        kind="approval",
        dated=dt.date(2026, 11, 1),
        number_field="PWH",
        from_field="FROM",
        to_field="TO",
        now=NOW,
    )
    assert (loaded.features, loaded.replaced, loaded.invalid) == (2, 0, [])
    with database.read() as session:
        ((layer, count),) = list_layers(session)
        assert (layer.name, layer.kind, layer.dated, layer.loaded_at, count) == (
            "批文", "approval", dt.date(2026, 11, 1), NOW, 2,
        )  # fmt: skip
        first, second = session.scalars(select(Feature).order_by(Feature.id))
    assert (first.number, first.valid_from, first.valid_to) == (
        "豫政土〔2025〕12号", dt.date(2025, 3, 1), dt.date(2027, 2, 28),
    )  # fmt: skip
    assert (second.valid_from, second.valid_to) == (dt.date(2026, 1, 10), None)
    assert first.attributes["MJ"] == 12.5
    assert second.attributes["MJ"] is None
    assert first.outline.equals(TOWNSHIP)


def test_loading_a_layer_again_replaces_all_its_polygons(database: Database, tmp_path: Path) -> None:
    load_layer(database, approvals(tmp_path / "a.gpkg"), name="批文", kind="approval", now=NOW)
    other = write(tmp_path / "b.gpkg", [COUNTY], {"PWH": ["1"]})
    loaded = load_layer(database, other, name="批文", kind="farm_facility", now=LATER)
    assert (loaded.features, loaded.replaced) == (1, 2)
    with database.read() as session:
        ((_, feature),) = features_touching(session, COUNTY)
        (layer,) = session.scalars(select(Layer))
    assert feature.outline.equals(COUNTY)
    assert (layer.kind, layer.loaded_at) == ("farm_facility", LATER)


def test_an_unreadable_validity_invalidates_the_feature_and_not_the_layer(sqlite: Database, tmp_path: Path) -> None:
    """Otherwise an expired approval would be valid for ever."""
    path = geojson(
        tmp_path / "a.geojson",
        (TOWNSHIP, {"from": "2026-01-01", "to": "next year"}),
        (TOWNSHIP, {"from": "2026-13-01", "to": None}),
        (TOWNSHIP, {"from": "2026年3月1日", "to": "2026.2.1"}),
        (VILLAGE, {"from": "2026-01-01T00:00:00", "to": 20261231}),
    )
    loaded = load_layer(sqlite, path, name="a", kind="approval", from_field="from", to_field="to", now=NOW)
    assert [b.reason for b in loaded.invalid] == [
        "'next year' is not a date; expected the form 2026-11-20",
        "'2026-13-01' is not a date; expected the form 2026-11-20",
        "its validity ends on 2026-02-01, before it begins on 2026-03-01",
    ]
    with sqlite.read() as session:
        (feature,) = session.scalars(select(Feature))
    assert (feature.valid_from, feature.valid_to) == (dt.date(2026, 1, 1), dt.date(2026, 12, 31))


def test_date_fields_are_read(sqlite: Database, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.gpkg",
        [TOWNSHIP, VILLAGE],
        {"from": list(np.array(["2026-01-01", "NaT"], "datetime64[D]")), "note": ["a\0b", None]},
    )
    load_layer(sqlite, path, name="a", kind="plan", from_field="from", now=NOW)
    with sqlite.read() as session:
        first, second = session.scalars(select(Feature).order_by(Feature.id))
    assert (first.valid_from, second.valid_from) == (dt.date(2026, 1, 1), None)
    assert first.attributes["from"] == "2026-01-01"


def test_an_unknown_kind_and_an_empty_name_are_rejected(sqlite: Database, tmp_path: Path) -> None:
    for name, kind, message in (("a", "swamp", "'swamp' is not a kind"), (" ", "plan", "1 to 200 characters")):
        with pytest.raises(SettingsError, match=message):
            load_layer(sqlite, tmp_path / "a.gpkg", name=name, kind=kind, now=NOW)


def test_features_are_found_by_position_and_kind(database: Database, tmp_path: Path) -> None:
    load_layer(database, approvals(tmp_path / "a.gpkg"), name="批文", kind="approval", number_field="PWH", now=NOW)
    plan = write(tmp_path / "b.gpkg", [COUNTY, box(115, 35, 116, 36)], {"A": ["1", "2"]})
    load_layer(database, plan, name="规划", kind="plan", now=NOW)
    with database.read() as session:

        def found(outline: BaseGeometry, kinds: tuple[str, ...] | None = None) -> list[tuple[str, str]]:
            return [(layer.name, f.number) for layer, f in features_touching(session, outline, kinds)]

        village = Point(114.03, 34.63)
        assert found(village) == [("批文", "豫政土〔2025〕12号"), ("批文", "豫政土〔2026〕3号"), ("规划", "")]
        assert found(village, ("plan", "cultivated")) == [("规划", "")]
        assert found(village, ()) == []
        assert found(Point(113, 34)) == []
