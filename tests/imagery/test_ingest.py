"""An ingested image keeps the pixels, colours, georeference and date of the received one, and nothing else."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio._env import get_gdal_config
from rasterio.enums import ColorInterp

from configs.texts import translate
from errors import ImageError, OutputError
from imagery import Limits, Scene, open_scene
from imagery.conversion.given_metadata import GivenMetadata
from imagery.conversion.ingest import ingest_image, ingest_sandboxed
from imagery.conversion.ingested_image import IngestedImage
from imagery.files.formats import TIFF
from imagery.files.header_limits import RasterLayout
from imagery.files.rewrite import rewrite, sandbox_failure
from imagery.files.tiff_layout import check_written
from imagery.files.tiled_copy import write_tiled_copy
from imagery.sandbox import Cause, ResourceLimits, SandboxError, run_sandboxed
from tests.store.conftest import small_disk

__all__ = ["small_disk"]
Save = Callable[..., Path]
Ingest = Callable[..., tuple[IngestedImage, Path]]
TODAY = dt.date(2026, 11, 23)


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Ingest a file under its own name; return its record and the COG."""

    def run(path: Path, name: str = "", **options: Any) -> tuple[IngestedImage, Path]:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        out = work / "out.tif"
        arguments: dict[str, Any] = {"limits": Limits(), "today": TODAY} | options
        image = ingest_image(path, name or path.name, out, workdir=work, **arguments)
        assert list(work.iterdir()) == [out]
        return image, out

    return run


def open_both(original: Path, copy: Path) -> tuple[Scene, Scene]:
    return open_scene(original, today=TODAY), open_scene(copy, today=TODAY)


def bands(count: int, dtype: str) -> NDArray[Any]:
    random = np.random.default_rng(3)
    if dtype == "float32":
        return random.random((count, 96, 128), np.float32)
    return random.integers(1, 250 if dtype == "uint8" else 9000, (count, 96, 128)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("count", [1, 3, 4, 8])
def test_the_copy_reads_as_the_same_image(
    save: Save, ingest: Ingest, utm50: dict[str, Any], count: int, dtype: str
) -> None:
    path = save("ortho_20240501.tif", bands(count, dtype), **utm50)
    image, cog = ingest(path)
    original, copy = open_both(path, cog)
    with original, copy:
        assert copy.geobox == original.geobox
        assert copy.stretch == original.stretch
        assert copy.date == original.date == image.date == dt.date(2024, 5, 1)
        assert (copy.dtype, copy.count) == (dtype, 1 if count == 1 else 3)
        expected, found = original.read(original.geobox), copy.read(copy.geobox)
    assert np.array_equal(expected.rgb, found.rgb)
    assert found.valid.all()


def invalid_by_nodata(data: NDArray[Any]) -> dict[str, Any]:
    data[:, :40, :40] = 0
    return {"nodata": 0}


def invalid_by_mask(data: NDArray[Any]) -> dict[str, Any]:
    mask = np.ones(data.shape[1:], np.bool_)
    mask[:40, :40] = False
    return {"mask": mask}


@pytest.mark.parametrize("marked", [invalid_by_nodata, invalid_by_mask])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_invalid_pixels_stay_invalid(
    save: Save,
    ingest: Ingest,
    utm50: dict[str, Any],
    marked: Callable[[NDArray[Any]], dict[str, Any]],
    dtype: str,
) -> None:
    data = bands(3, dtype)
    data[0, 60:70, 60:70] = 0  # one dark band is not nodata
    path = save("a.tif", data, **utm50, **marked(data))
    image, cog = ingest(path)
    original, copy = open_both(path, cog)
    with original, copy:
        expected, found = original.read(original.geobox), copy.read(copy.geobox)
    assert np.array_equal(expected.valid, found.valid)
    assert np.array_equal(expected.rgb, found.rgb)
    assert image.valid_share == found.valid.mean() == 1 - 1600 / (96 * 128)


def test_alpha_becomes_the_mask(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    data = bands(4, "uint8")
    data[3] = 255
    data[3, :, :64] = 0
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    image, cog = ingest(save("a.tif", data, colours=colours, **utm50))
    with open_scene(cog) as copy:
        assert (copy.count, copy.mask_source) == (3, "mask")
        assert np.array_equal(copy.read(copy.geobox).valid, data[3] > 0)
    assert image.valid_share == 0.5


def test_nan_is_not_valid_and_not_averaged(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    data = np.full((3, 1100, 700), 0.5, np.float32)
    data[:, ::7] = np.nan
    _, cog = ingest(save("a.tif", data, **utm50))
    with rasterio.open(cog, overview_level=0) as overview:
        assert np.allclose(overview.read(masked=True).compressed(), 0.5)


def test_a_palette_becomes_colours(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    index = np.random.default_rng(1).integers(0, 3, (64, 64)).astype(np.uint8)
    table = {0: (200, 30, 40, 255), 1: (10, 220, 60, 255), 2: (0, 0, 0, 255)}
    path = save("a.tif", index, colormap=table, nodata=2, **utm50)
    image, cog = ingest(path)
    original, copy = open_both(path, cog)
    with original, copy:
        expected, found = original.read(original.geobox), copy.read(copy.geobox)
    assert np.array_equal(expected.rgb, found.rgb)
    assert np.array_equal(found.valid, index < 2)
    assert image.remarks == ("its acquisition date is unknown",)


def test_the_copy_is_a_cog_with_averaged_overviews(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    data = np.zeros((3, 1200, 1500), np.uint8)
    data[:, :, ::2] = 200
    _, cog = ingest(save("a.tif", data, tiled=False, **utm50))
    with rasterio.open(cog) as image:
        assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert image.overviews(1) == [2, 4]
        assert (image.compression.name, image.block_shapes[0]) == ("deflate", (512, 512))
    with rasterio.open(cog, overview_level=0) as overview:
        assert (overview.read() == 100).all()


def test_other_tags_and_bands_are_dropped(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    path = save("a.tif", bands(8, "uint16"), tags={"SENSING_TIME": "2023-04-17", "OPERATOR": "Wang"}, **utm50)
    image, cog = ingest(path)
    with rasterio.open(cog) as copy:
        assert set(copy.tags()) == {"ACQUISITIONDATE", "AREA_OR_POINT", "RASTER_KIND"}
        assert copy.count == 3
    assert (image.date, image.date_source) == (dt.date(2023, 4, 17), "tag SENSING_TIME")
    assert image.remarks == ("bands 5, 3, 2 are used as red, green and blue, by the usual order of 8 bands",)


@pytest.mark.parametrize(
    ("name", "default", "expected"),
    [
        ("flight_2024-05-01/a_20240502.tif", dt.date(2024, 1, 1), (dt.date(2024, 5, 2), "file name")),
        ("flight_2024-05-01/a.tif", dt.date(2024, 1, 1), (dt.date(2024, 1, 1), "given")),
        ("2020-01-01/flight_2024-05-01/a.tif", None, (dt.date(2024, 5, 1), "folder name")),
        ("a.tif", None, (None, "unknown")),
        ("a_20270101.tif", None, (None, "unknown")),
    ],
)
def test_the_date_is_that_of_the_file_then_the_given_one_then_that_of_the_folder(
    save: Save, ingest: Ingest, utm50: dict[str, Any], name: str, default: dt.date | None, expected: tuple[Any, str]
) -> None:
    path = save("received", bands(3, "uint8"), **utm50)
    image, cog = ingest(path, name, given=GivenMetadata(date=default))
    assert (image.date, image.date_source) == expected
    with open_scene(cog) as copy:
        assert copy.date == expected[0]


def lonlat(crs: str, x: float, y: float) -> tuple[float, float]:
    return Transformer.from_crs(crs, "EPSG:4490", always_xy=True).transform(x, y)


def test_the_footprint_of_a_fully_valid_image_is_its_frame(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    image, _ = ingest(save("a.tif", bands(3, "uint8"), **utm50))
    west, north = lonlat("EPSG:32650", 500_000, 3_400_000)
    east, south = lonlat("EPSG:32650", 500_064, 3_399_952)
    assert image.footprint.is_valid
    assert image.footprint.bounds == pytest.approx((west, south, east, north), abs=1e-7)
    assert image.gsd_m == pytest.approx(0.5, rel=1e-3)


def test_the_footprint_follows_the_valid_pixels(save: Save, ingest: Ingest) -> None:
    rows, columns = np.mgrid[:2400, :2400]
    disc = np.hypot(rows - 1200, columns - 1200) < 1000
    data = np.where(disc, np.random.default_rng(0).integers(1, 250, disc.shape), 0).astype(np.uint8)
    data[1000, 1000:1003] = 0  # a roof as dark as nodata
    data[50, 50] = 7  # a speck
    transform = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)
    image, _ = ingest(save("a.tif", data, nodata=0, crs="EPSG:4547", transform=transform))
    true = shapely.transform(
        shapely.Point(500_600, 3_399_400).buffer(500, quad_segs=64),
        lambda c: np.column_stack(Transformer.from_crs(4547, 4490, always_xy=True).transform(c[:, 0], c[:, 1])),
    )
    union = image.footprint.union(true).area
    assert image.footprint.intersection(true).area / union > 0.99
    assert image.footprint.geom_type == "Polygon"
    assert not image.footprint.interiors
    assert shapely.get_num_coordinates(image.footprint) < 300


def test_speckled_validity_has_a_footprint_of_few_corners(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    data = np.random.default_rng(0).integers(0, 2, (1, 900, 900)).astype(np.uint8) * 90
    image, _ = ingest(save("a.tif", data, nodata=0, **utm50))
    assert image.footprint.is_valid
    assert shapely.get_num_coordinates(image.footprint) <= 1100


def test_a_jpeg_is_georeferenced_by_its_sidecar_files(
    tmp_path: Path, save: Save, ingest: Ingest, noise: NDArray[np.uint8]
) -> None:
    path = save("image.jpg", noise, driver="JPEG")
    path.with_suffix(".wld").write_text("0.5\n0\n0\n-0.5\n500000.25\n3399999.75\n")
    path.with_suffix(".prj").write_text(CRS.from_epsg(4547).to_wkt("WKT1_ESRI"))
    image, cog = ingest(path)
    original, copy = open_both(path, cog)
    with original, copy:
        assert np.array_equal(original.read(original.geobox).rgb, copy.read(copy.geobox).rgb)
        assert copy.geobox.affine.almost_equals(original.geobox.affine)
    assert image.footprint.bounds[0] == pytest.approx(lonlat("EPSG:4547", 500_000, 3_400_000)[0], abs=1e-6)


def test_a_rotated_grid_stays_rotated(save: Save, ingest: Ingest) -> None:
    rotated = rasterio.Affine.translation(500_000, 3_400_000) @ rasterio.Affine.rotation(30)
    path = save("a.tif", bands(3, "uint8"), crs="EPSG:4547", transform=rotated @ rasterio.Affine.scale(0.5, -0.5))
    image, cog = ingest(path)
    original, copy = open_both(path, cog)
    with original, copy:
        assert copy.geobox.affine.almost_equals(original.geobox.affine, 1e-6)
    assert image.footprint.area < 0.8 * image.footprint.envelope.area


def test_a_coordinate_system_without_a_code_is_kept(save: Save, ingest: Ingest) -> None:
    local = "+proj=tmerc +lat_0=0 +lon_0=119.5 +k=1 +x_0=40500000 +y_0=0 +ellps=GRS80 +units=m"
    transform = rasterio.Affine(0.5, 0, 40_500_000, 0, -0.5, 3_400_000)
    path = save("a.tif", bands(3, "uint8"), crs=local, transform=transform)
    image, cog = ingest(path)
    with open_scene(cog) as copy:
        assert "119.5" in copy.geobox.crs.to_wkt()
    assert "PROJC" in image.crs
    assert image.footprint.bounds[0] == pytest.approx(119.5, abs=1e-5)


@pytest.mark.parametrize(("name", "driver"), [("a.png", "PNG"), ("a.tif", "GTiff")])
def test_an_image_without_a_georeference_is_rejected_with_advice_for_batches(
    save: Save, ingest: Ingest, noise: NDArray[np.uint8], name: str, driver: str
) -> None:
    with pytest.raises(ImageError, match=r"no coordinates.*world file") as caught:
        ingest(save(name, noise, driver=driver))
    assert "--gsd" not in str(caught.value)


def test_the_message_contains_the_users_name_of_the_file(tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "0017").write_bytes(b"hello")
    with pytest.raises(ImageError, match=r"^正射影像\.tif is a text file"):
        ingest(tmp_path / "0017", "航飞/正射影像.tif")


def test_damaged_pixels_are_the_fault_of_the_image(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    path = save("a.tif", bands(3, "uint8"), compress="deflate", **utm50)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) * 2 // 3] = bytes(len(data) * 2 // 3 - len(data) // 3)
    path.write_bytes(bytes(data))
    with pytest.raises(ImageError, match="damaged"):
        ingest(path)


def test_a_full_disk_is_not_the_fault_of_the_image(
    tmp_path: Path, save: Save, utm50: dict[str, Any], small_disk: Path
) -> None:
    path = save("a.tif", np.random.default_rng(0).integers(0, 255, (3, 900, 900), np.uint8), **utm50)
    with pytest.raises(OutputError, match="room"):
        ingest_image(path, "a.tif", small_disk / "out.tif", limits=Limits(), today=TODAY, workdir=small_disk)
    assert not list(small_disk.iterdir())


@pytest.mark.parametrize(("rows", "sandboxed"), [(512, False), (700, False), (1500, False), (700, True), (1500, True)])
def test_a_copy_is_complete_or_a_full_disk_is_reported(
    save: Save, utm50: dict[str, Any], small_disk: Path, rows: int, sandboxed: bool
) -> None:
    path = save("a.tif", np.random.default_rng(0).integers(0, 255, (3, rows, 512), np.uint8), **utm50)
    limits = Limits(in_process_pixels=0) if sandboxed else Limits()
    layout = RasterLayout(512, rows, 3, 8, 512, 1, tiled=False)
    copy = small_disk / "tiled.tif"  # on a disk of a mebibyte
    if rows == 512:
        rewrite(path, TIFF, layout, copy, "a.tif", limits)
        check_written(copy)
    else:
        with pytest.raises(OutputError, match="room"):
            rewrite(path, TIFF, layout, copy, "a.tif", limits)


def test_a_disk_too_full_for_the_overviews_is_not_the_fault_of_the_image(
    save: Save, utm50: dict[str, Any], small_disk: Path
) -> None:
    path = save("a.tif", np.random.default_rng(0).integers(0, 255, (3, 1100, 300), np.uint8), **utm50)
    copy = small_disk / "tiled.tif"
    write_tiled_copy(str(path), "GTiff", str(copy), overviews=True)  # GDAL reports no error on closing
    with pytest.raises(OutputError, match="room"):
        check_written(copy)
    assert not copy.exists()


@pytest.mark.parametrize("sandboxed", [False, True])
def test_a_sandboxed_process_gives_the_same_result(
    save: Save, ingest: Ingest, utm50: dict[str, Any], sandboxed: bool
) -> None:
    path = save("a_20240501.tif", bands(4, "uint16"), nodata=0, **utm50)
    image, cog = ingest(path, sandboxed=sandboxed)
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert image.object_sha256 == hashlib.sha256(cog.read_bytes()).hexdigest()
    assert image == IngestedImage.from_json(image.to_json())
    assert (image.width, image.height, image.crs, image.valid_share) == (128, 96, "EPSG:32650", 1.0)
    assert cog.exists()


def test_large_images_and_jpeg_2000_are_sandboxed(
    save: Save, ingest: Ingest, utm50: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandboxed = []

    def spied(path: Path, *arguments: Any, **options: Any) -> IngestedImage:
        sandboxed.append(path.name)
        return ingest_sandboxed(path, *arguments, **options)

    monkeypatch.setattr("imagery.conversion.ingest.ingest_sandboxed", spied)
    small = save("small.tif", bands(3, "uint8"), **utm50)
    ingest(small)
    ingest(small, limits=replace(Limits(), in_process_pixels=128 * 96 - 1))
    with pytest.raises(ImageError, match="no coordinates"):
        ingest(save("a.jp2", bands(3, "uint8"), driver="JP2OpenJPEG"))
    assert sandboxed == ["small.tif", "a.jp2"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rewrite_memory_bytes": 20_000_000}, "the decoding process ended unexpectedly|needs more memory"),
        ({"rewrite_seconds": 0}, "could not be decoded within 0 s"),
    ],
    ids=["memory", "time"],
)
def test_an_exceeded_limit_is_an_image_error_that_names_it(
    save: Save, ingest: Ingest, utm50: dict[str, Any], changed: dict[str, int], message: str
) -> None:
    path = save("a.tif", bands(3, "uint8"), **utm50)
    with pytest.raises(ImageError, match=message):
        ingest(path, limits=replace(Limits(), **changed), sandboxed=True)


@pytest.mark.parametrize(("cause", "message"), [
    ("memory", "needs more memory"), ("file size", "copy would be larger"), ("time", "within 3,600 s"),
    ("crash", r"ended unexpectedly \(SIGSEGV\)"),
])  # fmt: skip
def test_every_way_in_which_decoding_ends_has_its_own_message(cause: Cause, message: str) -> None:
    error = SandboxError("ended", cause, "SIGSEGV")
    found = sandbox_failure("a.jp2", error, ResourceLimits(3600, 2**32))
    assert re.search(message, str(found))
    assert translate(found.reason, "zh") != str(found)


@pytest.mark.parametrize("hard_limit", [None, 2**30])
def test_jpeg_2000_is_ingested_where_the_process_may_not_raise_its_limits(
    save: Save, tmp_path: Path, utm50: dict[str, Any], hard_limit: int | None
) -> None:
    path = save("T50RKU_20240503T025601_TCI_10m.jp2", bands(3, "uint8"), driver="JP2OpenJPEG", **utm50)
    task = {"path": str(path), "out": str(tmp_path / "out.tif"), "workdir": str(tmp_path)}
    limits = ResourceLimits(120, 2**33, file_bytes=hard_limit)
    result = run_sandboxed("tests.imagery.sandbox_tasks:ingest_unprivileged", task, limits=limits, workdir=tmp_path)
    assert result == "2024-05-03"


def test_errors_of_a_sandboxed_process_are_raised(ingest: Ingest, save: Save) -> None:
    path = save("a.tif", bands(3, "uint8"))
    with pytest.raises(ImageError, match=r"a\.tif has no coordinates"):
        ingest(path, sandboxed=True)


def test_the_original_is_not_modified(save: Save, ingest: Ingest, utm50: dict[str, Any]) -> None:
    path = save("a.tif", bands(3, "uint8"), **utm50)
    path.chmod(0o444)
    before = path.stat()
    ingest(path)
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)


def test_rewriting_does_not_change_gdals_cache_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "strips.tif"
    with rasterio.open(source, "w", driver="GTiff", width=300, height=300, count=3, dtype="uint8") as image:
        image.write(np.full((3, 300, 300), 90, np.uint8))
    cache_size, seen, real_open = get_gdal_config("GDAL_CACHEMAX"), [], rasterio.open

    def spied(*arguments: Any, **options: Any) -> Any:
        seen.append(get_gdal_config("GDAL_CACHEMAX"))
        return real_open(*arguments, **options)

    monkeypatch.setattr(rasterio, "open", spied)
    write_tiled_copy(str(source), "GTiff", str(tmp_path / "tiled.tif"), overviews=True)
    assert set(seen) == {cache_size}  # all threads share it
