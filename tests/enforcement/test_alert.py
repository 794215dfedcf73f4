"""An alert as others receive it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
import shapely
from pyproj import Geod
from shapely.geometry import MultiPolygon, Point, Polygon, box, shape

from enforcement.alert import Alert, AlertArea, AlertImage, Evidence, Sight, alert_feature
from imagery.error_ellipse import ErrorEllipse

SQUARE = box(120.0123456789, 30.0, 120.0133456789, 30.001)


def _alert(**other: Any) -> Alert:
    alert = Alert(
        number="330106W2026110001",
        source="drone",
        kind="construction",
        kind_names=("新增建筑/建设", "New construction"),
        change_type="",
        change_type_names=None,
        state="new",
        state_reason="",
        works=None,
        outline=SQUARE,
        detected={"crs": "EPSG:4547", "wkt": "POLYGON ((0 0, 1 0, 1 1, 0 0))"},
        area_m2=2000.0,
        score=0.87654321,
        earlier=AlertImage(dt.date(2026, 5, 1), "satellite", 0.5, "a" * 64),
        later=AlertImage(dt.date(2026, 11, 30), "drone", 0.05, "b" * 64),
        village=AlertArea("330106005201", "东穆坞村"),
        township=AlertArea("330106005", "留下街道"),
        county=AlertArea("330106", "西湖区"),
        also_in=(),
        overlaps=({"layer": "耕地2025", "kind": "cultivated", "dated": "2025-12-31", "share": 0.8, "number": ""},),
        sights=(
            Sight(dt.date(2026, 10, 1), "satellite", 1500.0, 0.7),
            Sight(dt.date(2026, 11, 1), "satellite", 1800.0, 0.8),
            Sight(dt.date(2026, 11, 30), "drone", 2000.0, 0.9),
        ),
        week="2026-W49",
        rank=3,
        over_cap=False,
        legal_weight=5,
        weights_sha256="c" * 64,
        settings_sha256="d" * 64,
        residual_px=0.61,
        residual_m=0.305,
        evidence=(Evidence("before", "evidence/1/before.jpg"), Evidence("after", "evidence/1/after.jpg")),
    )
    return dataclasses.replace(alert, **other)


def _properties(**other: Any) -> dict[str, Any]:
    properties: dict[str, Any] = alert_feature(_alert(**other))["properties"]
    return properties


def test_an_alert_says_that_it_is_a_suspicion_and_never_more() -> None:
    text = json.dumps(alert_feature(_alert()), ensure_ascii=False)
    assert "疑似变化" in text
    assert "to be checked on the ground" in text
    assert not [word for word in ("illegal", "unlawful", "violation", "违法", "违建") if word in text.lower()]


def test_an_alert_carries_what_the_field_asks_for() -> None:
    told = _properties()
    asked = (
        "number source kind type earlier_image later_image centre area_m2 area_mu overlaps village township county "
        "score times_seen sources_seen growth_m2 state_of_works model_sha256 settings_sha256 registration_residual_px "
        "detected evidence state statement"
    )
    assert [name for name in asked.split() if name not in told] == []


def test_areas_are_told_in_both_units() -> None:
    told = _properties(area_m2=2000.0)
    assert (told["area_m2"], told["area_mu"]) == (2000.0, 3.0)


def test_positions_are_longitude_and_latitude_to_eight_decimals() -> None:
    feature = alert_feature(_alert())
    ring = feature["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert {lon for lon, _ in ring} == {120.01234568, 120.01334568}
    assert {lat for _, lat in ring} == {30.0, 30.001}
    assert feature["bbox"] == [120.01234568, 30.0, 120.01334568, 30.001]


def test_rings_turn_as_rfc_7946_says() -> None:
    holed = Polygon(SQUARE.exterior.coords[::-1], [box(120.0126, 30.0004, 120.0130, 30.0006).exterior.coords])
    turned = shape(alert_feature(_alert(outline=holed))["geometry"])
    assert turned.exterior.is_ccw
    assert [ring.is_ccw for ring in turned.interiors] == [False]


def test_rounding_keeps_the_area() -> None:
    place = Point(120.01, 30.01).buffer(0.0005)
    geod = Geod(ellps="GRS80")
    exact, _ = geod.geometry_area_perimeter(place)
    told, _ = geod.geometry_area_perimeter(shape(alert_feature(_alert(outline=place))["geometry"]))
    assert abs(told) == pytest.approx(abs(exact), rel=1e-4)


def test_a_place_of_two_parts_stays_one_alert() -> None:
    parts = MultiPolygon([box(120, 30, 120.001, 30.001), box(120.002, 30, 120.003, 30.001)])
    told = shape(alert_feature(_alert(outline=parts))["geometry"])
    assert told.geom_type == "MultiPolygon"
    assert len(told.geoms) == 2


def test_the_centre_lies_within_an_l_shaped_place() -> None:
    corner = shapely.union_all([box(120, 30, 120.01, 30.0005), box(120, 30, 120.0005, 30.01)])
    centre = _properties(outline=corner)["centre"]
    assert corner.contains(Point(centre["lon"], centre["lat"]))


def test_growth_and_independent_sources_are_told_over_time() -> None:
    told = _properties()
    assert (told["times_seen"], told["sources_seen"], told["growth_m2"]) == (3, 2, 500.0)
    assert (told["first_seen"], told["last_seen"]) == ("2026-10-01", "2026-11-30")
    assert [sight["area_m2"] for sight in told["sights"]] == [1500.0, 1800.0, 2000.0]


def test_what_is_not_known_is_null_and_not_left_out() -> None:
    told = _properties(earlier=None, village=None, residual_px=None, residual_m=None, rank=None, sights=())
    unknown = ("type", "state_of_works", "earlier_image", "village", "registration_residual_px", "rank", "page")
    assert {name: told[name] for name in unknown} == dict.fromkeys(unknown)
    assert (told["times_seen"], told["first_seen"]) == (0, None)


def test_the_error_of_a_position_is_told_in_metres() -> None:
    told = _properties(error=ErrorEllipse(12.5, 3.0, 40.0))
    assert told["position_error"] == {"major_m": 12.5, "minor_m": 3.0, "direction_deg": 40.0}


def test_an_area_seen_from_the_side_is_no_growth() -> None:
    above, beside = Sight(None, "drone", 400, 0.9), Sight(None, "camera", 900, 0.9, ErrorEllipse(10, 2, 0))
    told = _properties(sights=(beside, above, Sight(None, "drone", 450, 0.9), beside))
    assert (told["growth_m2"], told["times_seen"], told["sources_seen"]) == (50, 4, 2)


def test_a_type_that_a_person_set_is_told_with_its_names() -> None:
    told = _properties(change_type="enclosure_wall", change_type_names=("新增围墙", "New enclosure wall"))
    assert (told["type"], told["type_name"]["zh"]) == ("enclosure_wall", "新增围墙")
