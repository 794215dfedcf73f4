"""Vector tiles as GDAL's own reader understands them."""

from __future__ import annotations

from pathlib import Path

import pyogrio
import pytest
import shapely
from shapely import Polygon, box

from web.maps.tiles import tile_bounds
from web.tiles.vector_tile import EXTENT, vector_tile

Z, X, Y = 14, 13653, 6773
WEST, SOUTH, EAST, NORTH = tile_bounds(Z, X, Y)
UNIT = (EAST - WEST) / EXTENT
VALUES = {"number": "330106U2026110001", "area_m2": 1600.25, "weight": 3, "below": -7, "over_cap": True, "zh": "图斑"}


def read(content: bytes, folder: Path) -> tuple[list[dict[str, object]], list[Polygon]]:
    path = folder / str(Z) / str(X) / f"{Y}.mvt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    meta, _, shapes, columns = pyogrio.raw.read(path, layer="alerts", CLIP="NO")
    assert meta["crs"] == "EPSG:3857"
    names = list(meta["fields"])
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)], list(shapely.from_wkb(shapes))


def test_gdal_reads_outlines_and_values(tmp_path: Path) -> None:
    outer = box(WEST + 400 * UNIT, SOUTH + 400 * UNIT, WEST + 1400 * UNIT, SOUTH + 1400 * UNIT)
    with_hole = outer.difference(outer.buffer(-200 * UNIT))
    two = shapely.union_all([outer, box(WEST + 2000 * UNIT, SOUTH, EAST - 9 * UNIT, SOUTH + 50 * UNIT)])
    content = vector_tile("alerts", [(with_hole, VALUES), (two, {"number": "x"})], (WEST, SOUTH, EAST, NORTH))
    rows, shapes = read(content, tmp_path)
    assert {name: rows[0][name] for name in VALUES} == VALUES
    assert rows[1]["number"] == "x"
    for found, outline in zip(shapes, (with_hole, two), strict=True):
        assert found.is_valid
        assert found.area == pytest.approx(outline.area, rel=0.01)
        assert found.hausdorff_distance(outline) < UNIT
    assert sum(len(part.interiors) for part in shapely.get_parts(shapes[0])) == 1


def test_outlines_are_cut_a_little_beyond_the_tile(tmp_path: Path) -> None:
    around = box(WEST - 10_000, SOUTH - 10_000, EAST + 10_000, NORTH + 10_000)
    _, (found,) = read(vector_tile("alerts", [(around, {"number": "x"})], (WEST, SOUTH, EAST, NORTH)), tmp_path)
    assert found.contains(box(WEST, SOUTH, EAST, NORTH))
    assert found.bounds[2] - EAST == pytest.approx(64 * UNIT, rel=0.01)


def test_a_tile_without_visible_outlines_is_empty() -> None:
    elsewhere, tiny = box(EAST + 5000, NORTH, EAST + 5100, NORTH + 100), box(WEST, SOUTH, WEST + 1e-3, SOUTH + 1e-3)
    assert vector_tile("alerts", [(elsewhere, {}), (tiny, {})], (WEST, SOUTH, EAST, NORTH)) == b""
