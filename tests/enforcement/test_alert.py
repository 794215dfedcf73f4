"""GeoJSON features of alerts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
import shapely
from pyproj import Geod
from shapely.geometry import MultiPolygon, Point, Polygon, box, shape

from enforcement.alert import Alert, AlertArea, AlertImage, EvidencePicture, Sighting, alert_feature
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
        sightings=(
            Sighting(dt.date(2026, 10, 1), "satellite", 1500.0, 0.7),
            Sighting(dt.date(2026, 11, 1), "satellite", 1800.0, 0.8),
            Sighting(dt.date(2026, 11, 30), "drone", 2000.0, 0.9),
        ),
        week="2026-W49",
        rank=3,
        over_cap=False,
        legal_weight=5,
        weights_sha256="c" * 64,
        settings_sha256="d" * 64,
        residual_px=0.61,
        residual_m=0.305,
        evidence=(EvidencePicture("before", "evidence/1/before.jpg"), EvidencePicture("after", "evidence/1/after.jpg")),
    )
    return dataclasses.replace(alert, **other)


def _properties(**other: Any) -> dict[str, Any]:
    properties: dict[str, Any] = alert_feature(_alert(**other))["properties"]
    return properties


def test_feature_contains_the_statement_and_never_calls_an_alert_illegal() -> None:
    text = json.dumps(alert_feature(_alert()), ensure_ascii=False)
    assert "疑似变化" in text
    assert "to be checked on the ground" in text
    assert not [word for word in ("illegal", "unlawful", "violation", "违法", "违建") if word in text.lower()]


def test_feature_has_all_required_properties() -> None:
    properties = _properties()
    required = (
        "number source kind type earlier_image later_image centre area_m2 area_mu overlaps village township county "
        "score times_seen sources_seen growth_m2 state_of_works model_sha256 settings_sha256 registration_residual_px "
        "detected evidence state statement"
    )
    assert [name for name in required.split() if name not in properties] == []


def test_areas_are_in_square_metres_and_mu() -> None:
    properties = _properties(area_m2=2000.0)
    assert (properties["area_m2"], properties["area_mu"]) == (2000.0, 3.0)


def test_positions_are_longitude_and_latitude_to_eight_decimals() -> None:
    feature = alert_feature(_alert())
    ring = feature["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    assert {lon for lon, _ in ring} == {120.01234568, 120.01334568}
    assert {lat for _, lat in ring} == {30.0, 30.001}
    assert feature["bbox"] == [120.01234568, 30.0, 120.01334568, 30.001]


def test_rings_are_oriented_as_of_rfc_7946() -> None:
    holed = Polygon(SQUARE.exterior.coords[::-1], [box(120.0126, 30.0004, 120.0130, 30.0006).exterior.coords])
    turned = shape(alert_feature(_alert(outline=holed))["geometry"])
    assert turned.exterior.is_ccw
    assert [ring.is_ccw for ring in turned.interiors] == [False]


def test_rounding_preserves_the_area() -> None:
    place = Point(120.01, 30.01).buffer(0.0005)
    geod = Geod(ellps="GRS80")
    exact, _ = geod.geometry_area_perimeter(place)
    rounded, _ = geod.geometry_area_perimeter(shape(alert_feature(_alert(outline=place))["geometry"]))
    assert abs(rounded) == pytest.approx(abs(exact), rel=1e-4)


def test_multipolygon_stays_one_feature() -> None:
    parts = MultiPolygon([box(120, 30, 120.001, 30.001), box(120.002, 30, 120.003, 30.001)])
    outline = shape(alert_feature(_alert(outline=parts))["geometry"])
    assert outline.geom_type == "MultiPolygon"
    assert len(outline.geoms) == 2


def test_centre_lies_inside_an_l_shaped_outline() -> None:
    corner = shapely.union_all([box(120, 30, 120.01, 30.0005), box(120, 30, 120.0005, 30.01)])
    centre = _properties(outline=corner)["centre"]
    assert corner.contains(Point(centre["lon"], centre["lat"]))


def test_sighting_statistics_count_times_sources_and_growth() -> None:
    properties = _properties()
    assert (properties["times_seen"], properties["sources_seen"], properties["growth_m2"]) == (3, 2, 500.0)
    assert (properties["first_seen"], properties["last_seen"]) == ("2026-10-01", "2026-11-30")
    assert [sight["area_m2"] for sight in properties["sights"]] == [1500.0, 1800.0, 2000.0]


def test_unknown_properties_are_null() -> None:
    properties = _properties(earlier=None, village=None, residual_px=None, residual_m=None, rank=None, sightings=())
    unknown = ("type", "state_of_works", "earlier_image", "village", "registration_residual_px", "rank", "page")
    assert {name: properties[name] for name in unknown} == dict.fromkeys(unknown)
    assert (properties["times_seen"], properties["first_seen"]) == (0, None)


def test_a_comparison_by_coordinates_alone_is_told() -> None:
    properties = _properties(residual_px=None, registration_method="georeferencing", registration_accuracy_m=3.0)
    assert (properties["registration_method"], properties["registration_accuracy_m"]) == ("georeferencing", 3.0)


def test_position_error_is_in_metres() -> None:
    properties = _properties(error=ErrorEllipse(12.5, 3.0, 40.0))
    assert properties["position_error"] == {"major_m": 12.5, "minor_m": 3.0, "direction_deg": 40.0}


def test_oblique_areas_do_not_count_as_growth() -> None:
    orthophoto, oblique = Sighting(None, "drone", 400, 0.9), Sighting(None, "camera", 900, 0.9, ErrorEllipse(10, 2, 0))
    properties = _properties(sightings=(oblique, orthophoto, Sighting(None, "drone", 450, 0.9), oblique))
    assert (properties["growth_m2"], properties["times_seen"], properties["sources_seen"]) == (50, 4, 2)


def test_change_type_is_shown_with_its_names() -> None:
    properties = _properties(change_type="enclosure_wall", change_type_names=("新增围墙", "New enclosure wall"))
    assert (properties["type"], properties["type_name"]["zh"]) == ("enclosure_wall", "新增围墙")
