"""Scene files: GeoTIFFs with date, georeference and overviews, and a truth that matches their pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Geod, Transformer
from rasterio.features import geometry_mask
from shapely.geometry import shape

from errors import OutputError
from training.synthetic import RenderedPair, SceneSpec, render_scene, write_scene


@pytest.fixture(scope="module")
def pair() -> RenderedPair:
    return render_scene(SceneSpec(seed=17, width=300, height=220, gsd_m=1.0))


@pytest.fixture(scope="module")
def folder(pair: RenderedPair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = tmp_path_factory.mktemp("scene")
    write_scene(pair, scene)
    return scene


def test_images_have_georeference_date_tiles_and_overviews(pair: RenderedPair, folder: Path) -> None:
    for name, image, date in (("before", pair.before, "2025:03:02"), ("after", pair.after, "2025:10:26")):
        with rasterio.open(folder / f"{name}.tif") as file:
            assert file.driver == "GTiff"
            assert file.crs.to_epsg() == 4547
            assert file.transform == pair.spec.transform
            assert file.tags()["TIFFTAG_DATETIME"].startswith(date)
            assert file.block_shapes[0] == (256, 256)
            assert file.compression.value.lower() == "deflate"
            assert file.overviews(1) == [2]
            assert np.array_equal(file.read().transpose(1, 2, 0), image)


def test_the_truth_in_degrees_matches_the_masks(pair: RenderedPair, folder: Path) -> None:
    features = json.loads((folder / "truth.geojson").read_text(encoding="utf-8"))["features"]
    with rasterio.open(folder / "after.tif") as file:
        transform, crs = file.transform, file.crs
    to_metres = Transformer.from_crs(4326, crs, always_xy=True).transform
    ground = [
        shapely.transform(shape(f["geometry"]), to_metres, interleaved=False)
        for f in features
        if f["properties"]["kind"] == "ground"
    ]
    assert ground
    inside = geometry_mask(ground, pair.ground.shape, transform, invert=True)
    both = np.count_nonzero(inside & (pair.ground > 0))
    assert both / np.count_nonzero(inside | (pair.ground > 0)) > 0.99


def test_the_truth_follows_rfc_7946(pair: RenderedPair, folder: Path) -> None:
    collection = json.loads((folder / "truth.geojson").read_text(encoding="utf-8"))
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    assert len(collection["features"]) == len(pair.truth)
    for feature in collection["features"]:
        outline = shape(feature["geometry"])
        longitude, latitude = outline.representative_point().coords[0]
        assert 113 < longitude < 115
        assert 30 < latitude < 32
        assert outline.exterior.is_ccw
        area, _ = Geod(ellps="WGS84").geometry_area_perimeter(outline)
        assert area == pytest.approx(feature["properties"]["area_m2"], rel=0.01, abs=0.2)


def test_writing_twice_gives_the_same_bytes(pair: RenderedPair, folder: Path, tmp_path: Path) -> None:
    for path in write_scene(pair, tmp_path / "again"):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_a_folder_that_cannot_be_created_is_an_output_error(pair: RenderedPair, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        write_scene(pair, tmp_path / "taken")
