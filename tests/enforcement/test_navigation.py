"""Positions for map apps: the published shift within centimetres, and links in the coordinates of each app."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from pyproj import Geod

from enforcement.map_apps.coordinates import System, display_position
from enforcement.map_apps.links import navigation_links

BOUND_M = 0.05
"""Distance to the values of two independent implementations, which differ by two centimetres among themselves."""

_GEOD = Geod(ellps="WGS84")


@pytest.mark.parametrize(
    ("place", "system", "expected"),
    [
        ((121.5272106, 31.1774276), "gcj02", (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), "gcj02", (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), "gcj02", (116.38404722455657, 39.91334545536069)),
        ((120.15507, 30.27415), "bd09", (120.16632839038736, 30.277649726481364)),
        ((116.397128, 39.916527), "bd09", (116.40973944282139, 39.92426931744047)),
        ((104.06573, 30.65946), "bd09", (104.07473198379101, 30.663068772941227)),
        ((120.15507, 30.27415), "wgs84", (120.15507, 30.27415)),
        ((139.767, 35.681), "gcj02", (139.767, 35.681)),  # outside of China nothing is shifted
    ],
)
def test_known_positions(place: tuple[float, float], system: System, expected: tuple[float, float]) -> None:
    found = display_position(*place, system)
    assert _GEOD.inv(*found, *expected)[2] < BOUND_M


def test_each_app_gets_its_own_coordinates_and_the_name_cannot_break_the_address() -> None:
    links = {link.app: link.address for link in navigation_links(120.15507, 30.27415, "图斑 1&x=<y>")}
    amap = parse_qs(urlsplit(links["amap"]).query)
    assert [round(float(part), 4) for part in amap["position"][0].split(",")] == [120.1598, 30.2718]
    assert (amap["coordinate"], amap["name"]) == (["gaode"], ["图斑 1&x=<y>"])
    baidu = parse_qs(urlsplit(links["baidu"]).query)
    assert [round(float(part), 4) for part in baidu["location"][0].split(",")] == [30.2777, 120.1663]
    assert baidu["coord_type"] == ["bd09ll"]
    assert links["other"].startswith("geo:30.274150,120.155070?")
