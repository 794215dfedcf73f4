"""Parsing of coordinates in all notations that are used in a bureau."""

from __future__ import annotations

import pytest

from web.maps.coordinates import CoordinateError, in_zone, parse_coordinates

LON, LAT = 113.896405, 30.934372
CODE, EAST, NORTH = in_zone(LON, LAT) or ("", 0.0, 0.0)
WITHOUT = EAST - 38e6


@pytest.mark.parametrize(
    ("text", "system"),
    [
        (f"{LON}, {LAT}", "EPSG:4490"),
        (f"{LAT} {LON}", "EPSG:4490"),
        (f"{LON},{LAT}", "EPSG:4490"),
        (f"({LON}； {LAT})", "EPSG:4490"),
        (f"{LON}°E {LAT}°N", "EPSG:4490"),
        (f"N{LAT} E{LON}", "EPSG:4490"),
        (f"东经{LON}度，北纬{LAT}度", "EPSG:4490"),
        (f"纬度：{LAT} 经度：{LON}", "EPSG:4490"),
        (f"lat={LAT}, lon={LON}", "EPSG:4490"),
        (f"EPSG:4490 {LON} {LAT}", "EPSG:4490"),
        (f"CGCS2000 {LON} {LAT}", "EPSG:4490"),
        (f"WGS84: {LAT}, {LON}", "EPSG:4490"),
        ("113°53′47.058″E 30°56′3.739″N", "EPSG:4490"),
        ("30°56'3.739\"N, 113°53'47.058\"E", "EPSG:4490"),
        ("东经113度53分47.058秒 北纬30度56分3.739秒", "EPSG:4490"),
        ("N30°56.06232' E113°53.7843'", "EPSG:4490"),
        ("113º53’47.058”, 30º56’3.739”", "EPSG:4490"),
        (f"{EAST:.2f}, {NORTH:.2f}", "EPSG:4526"),
        (f"{NORTH:.2f} {EAST:.2f}", "EPSG:4526"),
        (f"X={NORTH:.2f} Y={EAST:.2f}", "EPSG:4526"),
        (f"EPSG:4526 {EAST:.2f} {NORTH:.2f}", "EPSG:4526"),
        (f"CGCS2000 / 3-degree Gauss-Kruger zone 38 {EAST:.2f} {NORTH:.2f}", "EPSG:4526"),
        (f"EPSG:4547 {WITHOUT:.2f} {NORTH:.2f}", "EPSG:4547"),
        (f"{NORTH:.2f}，{WITHOUT:.2f} 38带", "EPSG:4547"),
        (f"3度带 第38带 {WITHOUT:.2f} {NORTH:.2f}", "EPSG:4547"),
        (f"中央经线114° {WITHOUT:.2f} {NORTH:.2f}", "EPSG:4547"),
        (f"{WITHOUT:.2f}m {NORTH:.2f}m CM 114E", "EPSG:4547"),
    ],
)
def test_coordinates_are_parsed_in_every_system(text: str, system: str) -> None:
    place = parse_coordinates(text)
    assert (place.lon, place.lat) == pytest.approx((LON, LAT), abs=2e-6)
    assert (place.system, place.assumed) == (system, False)


def test_a_missing_zone_is_assumed_from_the_map() -> None:
    place = parse_coordinates(f"{WITHOUT:.2f} {NORTH:.2f}", near_lon=113.2)
    assert (place.lon, place.lat) == pytest.approx((LON, LAT), abs=2e-6)
    assert (place.system, place.assumed) == ("EPSG:4547", True)
    with pytest.raises(CoordinateError) as refused:
        parse_coordinates(f"{WITHOUT:.2f} {NORTH:.2f}")
    assert refused.value.key == "map.goto_no_zone"


def test_coordinates_of_every_zone_round_trip() -> None:
    for number in range(25, 46):
        lon = number * 3 + 0.4
        _, east, north = in_zone(lon, 31.0) or ("", 0.0, 0.0)
        assert int(east // 1e6) == number
        for text in (f"{east} {north}", f"EPSG:{4513 + number - 25} {north} {east}"):
            assert parse_coordinates(text).lon == pytest.approx(lon, abs=1e-7)
        place = parse_coordinates(f"EPSG:{4534 + number - 25} {east % 1e6} {north}")
        assert place.lon == pytest.approx(lon, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "map.goto_empty"),
        ("1" * 300, "map.goto_empty"),
        (f"GCJ-02 {LON} {LAT}", "map.goto_gcj"),
        (f"高德坐标 {LON},{LAT}", "map.goto_gcj"),
        (f"BD09 {LON},{LAT}", "map.goto_gcj"),
        ("村委会东边", "map.goto_unreadable"),
        ("113.9", "map.goto_unreadable"),
        ("113.9 30.9 12", "map.goto_unreadable"),
        ("113.9; drop 30.9", "map.goto_unreadable"),
        ("190.0, 95.0", "map.goto_unreadable"),
        ("113°71′0″ 30°1′0″", "map.goto_unreadable"),
        ("nan inf", "map.goto_unreadable"),
        ("EPSG:3857 12678900 3627000", "map.goto_system"),
        (f"EPSG:4525 {EAST:.2f} {NORTH:.2f}", "map.goto_zones"),
        (f"20490105.2 {NORTH:.2f}", "map.goto_metres"),
        ("500000 99999999", "map.goto_metres"),
        ("99带 490105 3423704", "map.goto_zone"),
    ],
)
def test_invalid_coordinates_are_rejected_with_the_reason(text: str, key: str) -> None:
    with pytest.raises(CoordinateError) as refused:
        parse_coordinates(text)
    assert refused.value.key == key


def test_ambiguous_axes_are_rejected() -> None:
    with pytest.raises(CoordinateError) as refused:
        parse_coordinates("EPSG:4547 490105 480000")
    assert refused.value.key == "map.goto_axes"
    assert parse_coordinates("EPSG:4547 X=480000 Y=490105").lat == pytest.approx(4.34, abs=0.01)
