"""Data of the map and the pages of nights, limited to the user's area."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import pytest
from shapely.geometry import shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.texts import catalogue
from service.context import Context
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Feature, Layer, Night
from tests.store.sample_rows import add_approval, add_area, add_scan, add_scene, ground
from tests.web.conftest import NOW, Browser, SignIn
from tests.web.maps.test_tiles import TOWN, VILLAGE_A, VILLAGE_B, put_alert

OWN, OTHER = "330199W2026110001", "330199W2026110002"


@pytest.fixture
def county(service: Context) -> dict[str, Any]:
    """Two adjacent villages, each with a scene, a scan, an alert, an uncompared area and a layer polygon."""
    with service.database.write() as session:
        add_area(session, "330199", ground(0, 0, 1000, 1000))
        add_area(session, TOWN, ground(0, 0, 1000, 1000))
        add_area(session, VILLAGE_A, ground(0, 0, 490, 1000))
        add_area(session, VILLAGE_B, ground(510, 0, 1000, 1000))
        night = Night(day=dt.date(2026, 11, 23), state="done", begun_at=NOW, finished_at=NOW, summary={})
        session.add(night)
        session.flush()
        ids = {
            name: _village(session, night.id, code, west)
            for name, code, west in (("a", VILLAGE_A, 0), ("b", VILLAGE_B, 510))
        }
        put_alert(session, OWN, VILLAGE_A, 100, 100, ids["a"]["scan"])
        put_alert(session, OTHER, VILLAGE_B, 700, 100, ids["b"]["scan"])
        add_approval(session, ground(50, 50, 150, 150))
        layer = session.query(Layer).one()
        session.add(Feature(layer_id=layer.id, number="A-18", attributes={}, **bounds_of(ground(700, 50, 800, 150))))
    west, south, east, north = ground(-100, -100, 1100, 1100).bounds
    return {"bbox": f"{west},{south},{east},{north}", "layer": layer.id, **ids}


def _village(session: Session, night_id: int, code: str, west: float) -> dict[str, int]:
    from store.scans.nights import add_uncompared_ground

    outline = ground(west, 0, west + 480, 1000)
    before = add_scene(session, dt.date(2026, 5, 1), outline, area_code=code)
    after = add_scene(session, dt.date(2026, 11, 20), outline, area_code=code)
    result = {"looked_at": {"area_m2": 480_000.0}, "alerts": {"new": 1}}
    scan = add_scan(session, before, after, state="done", night_id=night_id, changes=1, result=result)
    reason = "no usable earlier image: the other images of this ground are newer"
    add_uncompared_ground(
        session, night_id, scene_id=before.id, area_code=code, outline=outline, area_m2=1000.0, reason=reason
    )
    return {"before": before.id, "after": after.id, "scan": scan.id}


def get_json(browser: Browser, address: str) -> Any:
    response = browser.get(address)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_village_gets_only_its_own_alerts_scenes_scans_areas_and_polygons(
    county: dict[str, Any], sign_in: SignIn
) -> None:
    browser, query = sign_in("village_a"), f"bbox={county['bbox']}&zoom=16"
    alerts = get_json(browser, f"/map/alerts?{query}")
    assert [mark["number"] for mark in alerts["marks"]] == [OWN]
    assert [one["properties"]["number"] for one in alerts["outlines"]["features"]] == [OWN]
    scenes = get_json(browser, f"/map/scenes?{query}")["features"]
    assert [one["properties"]["id"] for one in scenes] == [county["a"]["after"], county["a"]["before"]]
    assert [scan["id"] for scan in get_json(browser, f"/map/scans?{query}")] == [county["a"]["scan"]]
    areas = {one["properties"]["code"] for one in get_json(browser, f"/map/areas?{query}")["features"]}
    assert areas == {"330199", TOWN, VILLAGE_A}
    polygons = get_json(browser, f"/map/layers/{county['layer']}?{query}")["features"]
    assert [one["properties"]["number"] for one in polygons] == ["A-17"]


def test_the_county_gets_everything_in_view_and_nothing_beyond(county: dict[str, Any], sign_in: SignIn) -> None:
    browser, query = sign_in("county"), f"bbox={county['bbox']}&zoom=16"
    assert {mark["number"] for mark in get_json(browser, f"/map/alerts?{query}")["marks"]} == {OWN, OTHER}
    assert len(get_json(browser, f"/map/scenes?{query}")["features"]) == 4
    west, south, east, north = ground(50, 50, 300, 300).bounds
    near = f"bbox={west},{south},{east},{north}&zoom=17"
    assert {mark["number"] for mark in get_json(browser, f"/map/alerts?{near}")["marks"]} == {OWN}
    assert len(get_json(browser, f"/map/layers/{county['layer']}?{near}")["features"]) == 1


def test_at_low_zoom_alerts_are_clusters_without_outlines(county: dict[str, Any], sign_in: SignIn) -> None:
    response = get_json(sign_in("county"), f"/map/alerts?bbox={county['bbox']}&zoom=9")
    assert [mark["count"] for mark in response["marks"]] == [2]
    assert response["outlines"]["features"] == []


def test_the_error_ellipse_of_an_oblique_position_is_around_its_outline(
    county: dict[str, Any], sign_in: SignIn, service: Context
) -> None:
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == OWN)).one()
        alert.position_error = {"major_m": 9.0, "minor_m": 3.0, "direction_deg": 40.0}
    response = get_json(sign_in("county"), f"/map/alerts?bbox={county['bbox']}&zoom=17")
    (ellipse,) = response["ellipses"]["features"]
    (outline,) = [each for each in response["outlines"]["features"] if each["properties"]["number"] == OWN]
    assert ellipse["properties"] == {"number": OWN}
    assert shape(ellipse["geometry"]).contains(shape(outline["geometry"]).centroid)
    assert get_json(sign_in("county"), f"/map/alerts?bbox={county['bbox']}&zoom=12")["ellipses"]["features"] == []


def test_alerts_are_filtered_as_in_the_list(county: dict[str, Any], sign_in: SignIn, service: Context) -> None:
    with service.database.write() as session:
        session.query(AlertRow).filter_by(number=OTHER).one().state = "closed"
    browser, query = sign_in("county"), f"bbox={county['bbox']}&zoom=16"
    assert [mark["number"] for mark in get_json(browser, f"/map/alerts?{query}&states=closed")["marks"]] == [OTHER]
    assert get_json(browser, f"/map/alerts?{query}&kinds=demolition")["marks"] == []
    assert browser.get(f"/map/alerts?{query}&kinds=nonsense").status_code == 400


@pytest.mark.parametrize("what", ["alerts", "scenes", "scans", "areas", "layers/1"])
@pytest.mark.parametrize("bbox", ["", "1,2,3", "9,9,1,1", "a,b,c,d", "nan,nan,nan,nan", "-999,0,999,1"])
def test_an_invalid_bbox_is_rejected(county: dict[str, Any], sign_in: SignIn, what: str, bbox: str) -> None:
    assert sign_in("county").get(f"/map/{what}?bbox={bbox}&zoom=12").status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/map",
        "/map/alerts",
        "/map/scenes",
        "/map/scans",
        "/map/areas",
        "/map/layers/1",
        "/map/goto",
        "/nights",
        "/nights/2026-11-23",
    ],
)
def test_the_map_needs_authentication(anonymous: Browser, path: str) -> None:
    query = "?bbox=1,1,2,2&zoom=3&text=1"
    assert anonymous.get(path + query, headers={"accept": "application/json"}).status_code == 401


def test_an_unknown_layer_is_not_found(county: dict[str, Any], sign_in: SignIn) -> None:
    for layer, status in (("999", 404), ("0", 404), ("99999999999999999999999", 404)):
        assert sign_in("county").get(f"/map/layers/{layer}?bbox={county['bbox']}&zoom=9").status_code == status


def test_typed_coordinates_are_parsed_or_rejected_with_a_message(sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    place = browser.get("/map/goto", params={"text": "30.934372, 113.896405"}).json()
    assert (place["lon"], place["lat"], place["zone"]["code"]) == (113.896405, 30.934372, "EPSG:4526")
    refused = browser.get("/map/goto", params={"text": "高德 113.9,30.9"}, headers={"accept": "application/json"})
    assert refused.status_code == 400
    assert "GCJ-02" in refused.json()["detail"]


def test_the_page_lists_layers_and_has_no_inline_script(county: dict[str, Any], sign_in: SignIn) -> None:
    page = sign_in("village_a").get("/map").text
    settings = json.loads(re.findall(r'id="map-settings">(.*?)</script>', page, re.S)[0])
    assert settings["layers"][0]["kind"] == "approval"
    assert settings["extent"] == pytest.approx(ground(0, 0, 490, 1000).bounds, abs=1e-4)
    assert not re.search(r"<script(?![^>]*(\bsrc=|application/json))|\son\w+=|\sstyle=", page)


def test_a_night_is_summarized_for_the_users_area(county: dict[str, Any], sign_in: SignIn) -> None:
    village, whole = sign_in("village_a"), sign_in("county")
    assert "0.480 km²" in village.get("/nights").text
    assert "0.960 km²" in whole.get("/nights").text
    shown = village.get("/nights/2026-11-23").text
    assert shown.count("在地图上查看") == 1
    assert whole.get("/nights/2026-11-23").text.count("在地图上查看") == 2
    assert "不代表没有变化" in shown
    assert village.get("/nights/2026-11-22").status_code == 404
    assert village.get("/nights/yesterday").status_code == 404


def test_the_page_of_nights_can_be_empty(sign_in: SignIn) -> None:
    assert "还没有夜间比对记录" in sign_in("county").get("/nights").text


def test_every_state_of_a_scan_has_a_text() -> None:
    for state in ("waiting", "scanning", "merging", "not_comparable", "failed", "done"):
        assert f"nights.scan_{state}" in catalogue()
        assert f"map.scan_{state}" in catalogue() or state == "done"
