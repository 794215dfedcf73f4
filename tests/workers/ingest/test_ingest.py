"""Ingest of images: every file of a batch gets the right outcome."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import CRS

from configs.texts import translate
from errors import SettingsError
from imagery import open_scene
from imagery.conversion.given_metadata import GivenMetadata
from service.context import Context, JobRun
from store.scenes.batches import unfinished_jobs
from store.schema.database import Database
from tests.workers.embedded import context_in
from tests.workers.ingest.batches import ingest, report_of, scenes, states, submit
from tests.workers.ingest.images import CODE, NORTH, WEST, add_areas, ground, write_image
from workers.ingest.images import ingest_file


def test_an_image_becomes_a_scene(context: Context, folder: Path) -> None:
    image = write_image(folder / "村" / "正射_20240501.tif", 1)
    [file] = ingest(context, folder).values()
    assert (file.name, file.state, file.reason) == ("村/正射_20240501.tif", "placed", "")
    [scene] = scenes(context)
    assert (scene.name, scene.area_code, scene.source) == (file.name, CODE, "drone")
    assert (scene.date, scene.date_source, scene.gsd_m) == (dt.date(2024, 5, 1), "file name", pytest.approx(0.5, 1e-3))
    assert scene.sha256 == hashlib.sha256(image.read_bytes()).hexdigest()
    assert scene.outline.symmetric_difference(ground(1000, -1032, 1032, -1000)).area < 1e-3 * scene.outline.area
    with context.objects.local(scene.object_key) as cog, open_scene(cog) as copy, open_scene(image) as original:
        assert hashlib.sha256(cog.read_bytes()).hexdigest() == scene.object_sha256
        assert np.array_equal(copy.read(copy.geobox).rgb, original.read(original.geobox).rgb)
        assert copy.date == scene.date


def test_a_known_image_is_a_duplicate_under_any_name(context: Context, folder: Path) -> None:
    image = write_image(folder / "a_20240501.tif", 1)
    ingest(context, folder)
    other = folder.with_name("other")
    other.mkdir()
    shutil.copy(image, other / "b.tif")
    [file] = ingest(context, other).values()
    [scene] = scenes(context)
    assert (file.state, file.scene_id) == ("duplicate", scene.id)
    assert file.reason == f"the same content as a_20240501.tif of 2024-05-01 (scene {scene.id})"


def test_of_two_identical_files_in_a_batch_one_is_placed(context: Context, folder: Path) -> None:
    shutil.copy(write_image(folder / "a_20240501.tif", 1), folder / "b_20250501.tif")
    assert sorted(states(ingest(context, folder)).values()) == ["duplicate", "placed"]


def test_concurrent_workers_create_one_scene_of_identical_files(
    database: Database, tmp_path: Path, folder: Path
) -> None:
    context = context_in(tmp_path, database)
    add_areas(database)
    shutil.copy(write_image(folder / "a_20240501.tif", 1), folder / "b_20250501.tif")
    batch = submit(context, folder)
    with database.read() as session:
        jobs = unfinished_jobs(session, batch)
    # both handlers run before either result is written
    commits = [ingest_file(context, JobRun(job.id, job.payload, 1, lambda _: None, lambda: False)) for job in jobs]
    for commit in commits:
        assert commit is not None
        with database.write() as session:
            commit(session)
    report = report_of(context, batch)
    assert [file.state for file in report.files] == ["placed", "duplicate"]
    assert report.state == "done"
    [scene] = scenes(context)
    assert list(context.objects.keys("")) == [scene.object_key]  # the COG with the other date was deleted


def test_an_image_outside_the_area_fails_with_its_location(context: Context, folder: Path) -> None:
    write_image(folder / "far.tif", 1, east=14_000)
    write_image(folder / "edge.tif", 2, east=9_999)
    write_image(folder / "abroad.tif", 3, east=300_000)
    files = ingest(context, folder)
    assert states(files) == {"abroad.tif": "failed", "edge.tif": "placed", "far.tif": "failed"}
    centre = ground(14_000, -1032, 14_032, -1000).centroid
    assert files["far.tif"].reason == (
        f"It lies at {centre.x:.5f}, {centre.y:.5f} (longitude, latitude) in 330106 西湖区, 4.0 km from 330102 上城区. "
        "Submit it with the code of its own area."
    )
    assert "289.9 km from 330102" in files["abroad.tif"].reason
    assert [scene.name for scene in scenes(context)] == ["edge.tif"]


def test_an_image_much_larger_than_its_area_is_placed(context: Context, folder: Path) -> None:
    transform = rasterio.Affine(10_000, 0, WEST - 600_000, 0, -10_000, NORTH + 600_000)
    with rasterio.open(
        folder / "a.tif", "w", driver="GTiff", width=128, height=128, count=1, dtype="uint8", crs="EPSG:4547",
        transform=transform,
    ) as image:  # fmt: skip
        image.write(np.random.default_rng(0).integers(1, 250, (1, 128, 128), np.uint8))
    assert states(ingest(context, folder, source="satellite")) == {"a.tif": "placed"}


def test_an_unknown_area_is_refused_with_similar_codes(context: Context, folder: Path) -> None:
    write_image(folder / "a.tif", 1)
    with pytest.raises(SettingsError, match="330102 上城区, 330106 西湖区"):
        submit(context, folder, area_code="330109")
    with pytest.raises(SettingsError, match="6 digits"):
        submit(context, folder, area_code="village")


def test_without_areas_the_location_is_not_checked_and_a_remark_says_so(tmp_path: Path, folder: Path) -> None:
    write_image(folder / "a_20240501.tif", 1)
    [file] = ingest(context_in(tmp_path), folder).values()
    assert (file.state, file.reason) == ("placed", "no area of its code is loaded, so its place was not checked")


def test_world_files_are_read_with_their_image(context: Context, folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(1, 250, (3, 64, 64), np.uint8)
    for name in ("a.jpg", "b.jpg"):
        with rasterio.open(folder / name, "w", driver="JPEG", width=64, height=64, count=3, dtype="uint8") as image:
            image.write(pixels)
        pixels += 1
    (folder / "a.jgw").write_text(f"0.5\n0\n0\n-0.5\n{WEST + 1000}\n{NORTH - 1000}\n")
    (folder / "a.prj").write_text(CRS.from_epsg(4547).to_wkt("WKT1_ESRI"))
    (folder / "b.jpg.aux.xml").write_text("<PAMDataset/>")
    (folder / ".DS_Store").write_text("x")
    files = ingest(context, folder, given=GivenMetadata(date=dt.date(2024, 5, 1)))
    assert states(files) == {
        "a.jgw": "used", "a.jpg": "placed", "a.prj": "used", "b.jpg": "failed", "b.jpg.aux.xml": "used",
    }  # fmt: skip
    assert "b.jpg has no coordinates" in files["b.jpg"].reason
    assert (files["a.jpg"].date, files["a.jgw"].reason) == (dt.date(2024, 5, 1), "read with a.jpg")


def test_a_delivery_with_its_companions_fails_only_where_somebody_must_act(context: Context, folder: Path) -> None:
    image = write_image(folder / "ortho_20240501.tif", 1)
    with rasterio.open(image, "r+") as dataset:
        wkt = dataset.crs.to_wkt().replace('"', "&quot;")
        pixels, transform = dataset.read(), dataset.transform
    with rasterio.open(
        folder / "village_20240501.tif", "w", driver="GTiff", width=pixels.shape[2], height=pixels.shape[1], count=3,
        dtype="uint8", transform=transform,
    ) as dataset:  # fmt: skip
        dataset.write(pixels)
    (folder / "village_20240501.tif.aux.xml").write_text(f"<PAMDataset><SRS>{wkt}</SRS></PAMDataset>")
    for name in ("Timestamp.MRK", "report.pdf", "DJI_0001.MP4"):
        (folder / name).write_bytes(b"x")
    for name in ("rest.zip.001", "rest.zip.002"):
        (folder / name).write_bytes(b"PK\3\4")
    (folder / "overlay.kmz").write_bytes(b"PK\3\4")
    files = ingest(context, folder)
    assert states(files) == {
        "ortho_20240501.tif": "placed", "village_20240501.tif": "placed", "village_20240501.tif.aux.xml": "used",
        "Timestamp.MRK": "ignored", "report.pdf": "ignored", "DJI_0001.MP4": "ignored",
        "rest.zip.001": "failed", "rest.zip.002": "failed", "overlay.kmz": "failed",
    }  # fmt: skip
    assert "unpack the first one" in files["rest.zip.001"].reason
    assert "KMZ overlay of Google Earth" in files["overlay.kmz"].reason
    assert all(translate(file.reason, "zh") != file.reason for file in files.values() if file.reason)


def test_links_and_pipes_in_a_folder_are_not_followed(context: Context, folder: Path, tmp_path: Path) -> None:
    (folder / "link.tif").symlink_to(write_image(tmp_path / "elsewhere.tif", 1))
    os.mkfifo(folder / "pipe.tif")
    files = ingest(context, folder)
    assert states(files) == {"link.tif": "failed", "pipe.tif": "failed"}
    assert "is a link" in files["link.tif"].reason


def test_equal_names_from_two_folders_are_numbered(context: Context, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / folder.name
    write_image(folder / "a.tif", 1)
    write_image(other / "a.tif", 2)
    assert set(ingest(context, folder, other)) == {"flight/a.tif", "flight/a (2).tif"}


def test_missing_paths_and_too_many_files_are_refused(context: Context, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        submit(context, folder / "missing.tif")
    with pytest.raises(SettingsError, match="no files"):
        submit(context, folder)
    for number in range(3):
        (folder / f"{number}.tif").touch()
    few = context_in(tmp_path / "few", batch={"max_files": 2})
    with pytest.raises(SettingsError, match="more than 2 files"):
        submit(few, folder)


@pytest.mark.slow
def test_each_of_many_files_gets_its_outcome(context: Context, folder: Path) -> None:
    expected: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for number in range(35):
        name = f"{number % 7}/{number:03}_20240501.tif"
        write_image(folder / name, number, east=20.0 * number, size=64 + 3 * number % 65, tiled=number % 2 == 1)
        expected[name] = "placed"
    complete = (folder / "3" / "003_20240501.tif").read_bytes()
    vrt = b"<VRTDataset rasterXSize='9' rasterYSize='9'><SourceFilename>/etc/passwd</SourceFilename></VRTDataset>"
    bad = {
        "truncated": (complete[: len(complete) // 2], "failed", "truncated|damaged"),
        "hostile": (vrt, "failed", "only refer to images"),
        "empty": (b"", "failed", "an empty file"),
        "text": (b"not an image", "failed", "a text file"),
    }
    for number in range(4):
        for fault, (data, state, reason) in bad.items():
            name = f"bad/{fault}_{number}.tif"
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data[: len(data) - number])
            expected[name], reasons[name] = state, reason
    for number in range(5):
        name = f"copy_{number}.tif"
        shutil.copy(folder / f"{number}" / f"{number:03}_20240501.tif", folder / name)
        expected[name], reasons[name] = "duplicate", f"the same content as|{number:03}_20240501.tif"
    for number in range(4):
        name = f"elsewhere_{number}.tif"
        write_image(folder / name, 1000 + number, east=12_000)
        expected[name], reasons[name] = "failed", "in 330106"
    assert len(expected) == 60
    files = ingest(context, folder)
    twins = {frozenset((f"copy_{n}.tif", f"{n}/{n:03}_20240501.tif")) for n in range(5)}
    for twin in twins:  # either of the two may be placed
        assert sorted(files[name].state for name in twin) == ["duplicate", "placed"]
    others = {name: state for name, state in expected.items() if not any(name in twin for twin in twins)}
    assert {name: files[name].state for name in others} == others
    for name, reason in reasons.items():
        if name in others:
            assert any(part in files[name].reason for part in reason.split("|")), files[name].reason
    assert len(scenes(context)) == 35
    assert len(list(context.objects.keys(""))) == 35


def test_an_opendronemap_output_gives_its_orthophoto_with_its_date(context: Context, folder: Path) -> None:
    write_image(folder / "task" / "odm_orthophoto" / "odm_orthophoto.tif", 1)
    write_image(folder / "task" / "odm_dem" / "dsm.tif", 2)
    (folder / "task" / "images.json").write_text('[{"filename": "a.jpg", "utc_time": 1714521600000.0}]')
    packed = folder.with_name("all.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder / "task"))
    files = ingest(context, folder)
    assert states(files) == {
        "task/odm_orthophoto/odm_orthophoto.tif": "placed",
        "task/odm_dem/dsm.tif": "ignored",
        "task/images.json": "used",
    }
    [scene] = scenes(context)
    assert (scene.date, scene.date_source) == (dt.date(2024, 5, 1), "photos")
    in_zip = states(ingest(context, packed))
    assert in_zip["all.zip/odm_orthophoto/odm_orthophoto.tif"] == "duplicate"
    assert in_zip["all.zip/odm_dem/dsm.tif"] == "ignored"
