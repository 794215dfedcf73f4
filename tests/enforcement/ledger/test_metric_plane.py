"""Outlines of alerts are polygons, whatever set operations and repairs leave beside them."""

from __future__ import annotations

from shapely.geometry import GeometryCollection, LineString, Point, box

from enforcement.ledger.metric_plane import MetricPlane, polygons_of

PLANE = MetricPlane([box(119.067, 30.034, 119.068, 30.036)])


def test_lines_beside_polygons_do_not_become_part_of_an_outline() -> None:
    house, line = box(0, 0, 10, 20), LineString([(10, 5), (30, 5)])
    assert PLANE.degrees(GeometryCollection([house, line])).geom_type == "Polygon"
    two = PLANE.degrees(GeometryCollection([house, box(20, 0, 30, 20), Point(40, 0)]))
    assert (two.geom_type, len(two.geoms)) == ("MultiPolygon", 2)
    assert polygons_of(GeometryCollection([house, line])).equals(house)
