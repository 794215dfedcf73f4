"""A batch of files ends with each file's outcome right, whatever is in it and whatever dies meanwhile."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import CRS
from sqlalchemy import select

from errors import OutputError, SettingsError
from imagery import open_scene
from imagery.conversion.ingest import ingest_image
from service.batch_intake import receive_files
from service.context import Context, JobRun
from service.job_registry import ReleaseJob
from store.jobs.queue import list_jobs
from store.objects.object_store import ObjectStoreUnavailable
from store.scenes.batches import BatchReport, FileReport, batch_report, unfinished_jobs
from store.schema.database import Database
from store.schema.tables import Batch, SceneRow
from tests.workers.embedded import clock_of, context_in
from tests.workers.ingest.images import CODE, NORTH, WEST, add_areas, ground, write_image
from workers.ingest.images import ingest_file, ingest_zip
from workers.runtime.job_runner import run_job
from workers.runtime.run_batch import run_batch

HANDLERS = {"ingest.file": ingest_file, "ingest.zip": ingest_zip}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """An embedded service that knows two areas."""
    context = context_in(tmp_path, limits={"ingest_minutes": 5})
    add_areas(context.database)
    return context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a person brings."""
    folder = tmp_path / "flight"
    folder.mkdir()
    return folder


def received(context: Context, *paths: Path, **given: Any) -> int:
    given = {"area_code": CODE, "source": "drone", "origin": "command", "created_by": "wang", "name": "x"} | given
    return receive_files(context, list(paths), **given)


def ingested(context: Context, *paths: Path, **given: Any) -> dict[str, FileReport]:
    report = run_batch(context, received(context, *paths, **given))
    assert report.state == "done"
    assert list(context.objects.keys("received/")) == []
    assert list((context.settings.home / "work").glob("*")) == []
    return {file.name: file for file in report.files}


def states(files: dict[str, FileReport]) -> dict[str, str]:
    return {name: file.state for name, file in files.items()}


def scenes(context: Context) -> list[SceneRow]:
    with context.database.read() as session:
        return list(session.scalars(select(SceneRow).order_by(SceneRow.id)))


def report_of(context: Context, batch: int) -> BatchReport:
    with context.database.read() as session:
        report = batch_report(session, batch)
    assert report is not None
    return report


def test_an_image_becomes_a_scene(context: Context, folder: Path) -> None:
    image = write_image(folder / "村" / "正射_20240501.tif", 1)
    [file] = ingested(context, folder).values()
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


def test_what_was_ingested_is_known_under_any_name(context: Context, folder: Path) -> None:
    image = write_image(folder / "a_20240501.tif", 1)
    ingested(context, folder)
    other = folder.with_name("other")
    other.mkdir()
    shutil.copy(image, other / "b.tif")
    [file] = ingested(context, other).values()
    [scene] = scenes(context)
    assert (file.state, file.scene_id) == ("duplicate", scene.id)
    assert file.reason == f"the same content as a_20240501.tif of 2024-05-01 (scene {scene.id})"


def test_of_one_content_twice_in_a_batch_one_is_placed(context: Context, folder: Path) -> None:
    shutil.copy(write_image(folder / "a_20240501.tif", 1), folder / "b_20250501.tif")
    assert sorted(states(ingested(context, folder)).values()) == ["duplicate", "placed"]


def test_two_workers_with_one_content_at_once_make_one_scene(database: Database, tmp_path: Path, folder: Path) -> None:
    context = context_in(tmp_path, database)
    add_areas(database)
    shutil.copy(write_image(folder / "a_20240501.tif", 1), folder / "b_20250501.tif")
    batch = received(context, folder)
    with database.read() as session:
        jobs = unfinished_jobs(session, batch)
    # both have done their work before either writes it down
    commits = [ingest_file(context, JobRun(job.id, job.payload, 1, lambda _: None, lambda: False)) for job in jobs]
    for commit in commits:
        assert commit is not None
        with database.write() as session:
            commit(session)
    report = report_of(context, batch)
    assert [file.state for file in report.files] == ["placed", "duplicate"]
    assert report.state == "done"
    [scene] = scenes(context)
    assert list(context.objects.keys("")) == [scene.object_key]  # the other date's copy is gone


def test_an_image_of_another_place_is_told_where_it_lies(context: Context, folder: Path) -> None:
    write_image(folder / "far.tif", 1, east=14_000)
    write_image(folder / "edge.tif", 2, east=9_999)
    write_image(folder / "abroad.tif", 3, east=300_000)
    files = ingested(context, folder)
    assert states(files) == {"abroad.tif": "failed", "edge.tif": "placed", "far.tif": "failed"}
    at = ground(14_000, -1032, 14_032, -1000).centroid
    assert files["far.tif"].reason == (
        f"It lies at {at.x:.5f}, {at.y:.5f} (longitude, latitude) in 330106 西湖区, 4.0 km from 330102 上城区. "
        "Submit it with the code of its own area."
    )
    assert "289.9 km from 330102" in files["abroad.tif"].reason
    assert [scene.name for scene in scenes(context)] == ["edge.tif"]


def test_an_image_much_larger_than_its_area_is_of_it(context: Context, folder: Path) -> None:
    place = rasterio.Affine(10_000, 0, WEST - 600_000, 0, -10_000, NORTH + 600_000)
    with rasterio.open(
        folder / "a.tif", "w", driver="GTiff", width=128, height=128, count=1, dtype="uint8", crs="EPSG:4547",
        transform=place,
    ) as image:  # fmt: skip
        image.write(np.random.default_rng(0).integers(1, 250, (1, 128, 128), np.uint8))
    assert states(ingested(context, folder, source="satellite")) == {"a.tif": "placed"}


def test_an_unknown_area_is_refused_with_those_that_are_like_it(context: Context, folder: Path) -> None:
    write_image(folder / "a.tif", 1)
    with pytest.raises(SettingsError, match="330102 上城区, 330106 西湖区"):
        received(context, folder, area_code="330109")
    with pytest.raises(SettingsError, match="6 digits"):
        received(context, folder, area_code="village")


def test_without_any_area_the_place_is_not_checked_and_that_is_told(tmp_path: Path, folder: Path) -> None:
    write_image(folder / "a_20240501.tif", 1)
    [file] = ingested(context_in(tmp_path), folder).values()
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
    files = ingested(context, folder, date=dt.date(2024, 5, 1))
    assert states(files) == {
        "a.jgw": "used", "a.jpg": "placed", "a.prj": "used", "b.jpg": "failed", "b.jpg.aux.xml": "ignored",
    }  # fmt: skip
    assert "b.jpg has no coordinates" in files["b.jpg"].reason
    assert (files["a.jpg"].date, files["a.jgw"].reason) == (dt.date(2024, 5, 1), "read with a.jpg")


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_a_zip_file_is_unpacked_into_the_batch(context: Context, folder: Path, tmp_path: Path) -> None:
    image = write_image(tmp_path / "made.tif", 1).read_bytes()
    zipped(
        folder / "航飞.zip",
        **{
            "2024-05-01/a.tif": image,
            "../b.tif": image,
            "c.txt": b"hello",
            "inner.zip": b"PK",
            "__MACOSX/._a.tif": b"x",
        },
    )
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    files = ingested(context, folder)
    assert states(files) == {
        "broken.zip": "failed",
        "航飞.zip": "used",
        "航飞.zip/../b.tif": "failed",
        "航飞.zip/inner.zip": "failed",
        "航飞.zip/2024-05-01/a.tif": "placed",
        "航飞.zip/c.txt": "failed",
    }
    assert files["航飞.zip"].reason == "unpacked: 4 files"
    assert files["航飞.zip/2024-05-01/a.tif"].date == dt.date(2024, 5, 1)
    assert "broken.zip is damaged" in files["broken.zip"].reason
    assert "c.txt is a text file" in files["航飞.zip/c.txt"].reason


def test_world_files_in_a_zip_file_are_read(context: Context, folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(1, 250, (3, 64, 64), np.uint8)
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="PNG", width=64, height=64, count=3, dtype="uint8") as image:
            image.write(pixels)
        png = memory.read()
    prj = CRS.from_epsg(4547).to_wkt("WKT1_ESRI").encode()
    world = f"0.5\n0\n0\n-0.5\n{WEST + 1000}\n{NORTH - 1000}\n".encode()
    zipped(folder / "z.zip", **{"a/a.png": png, "a/a.pgw": world, "a/a.prj": prj})
    assert states(ingested(context, folder / "z.zip")) == {
        "z.zip": "used", "z.zip/a/a.png": "placed", "z.zip/a/a.pgw": "used", "z.zip/a/a.prj": "used",
    }  # fmt: skip


def test_a_killed_unpacking_goes_on(context: Context, folder: Path, tmp_path: Path) -> None:
    images = {f"{n}.tif": write_image(tmp_path / f"{n}.tif", n).read_bytes() for n in range(3)}
    batch = received(context, zipped(folder / "z.zip", **images))
    with context.database.read() as session:
        [job] = unfinished_jobs(session, batch)
    told: list[float] = []
    with pytest.raises(ReleaseJob):
        ingest_zip(context, JobRun(job.id, job.payload, 1, told.append, lambda: len(told) == 2))
    assert [file.name for file in report_of(context, batch).files] == ["z.zip", "z.zip/0.tif"]
    report = run_batch(context, batch)
    assert [file.state for file in report.files] == ["used", "placed", "placed", "placed"]


def test_links_and_pipes_in_a_folder_are_not_followed(context: Context, folder: Path, tmp_path: Path) -> None:
    (folder / "link.tif").symlink_to(write_image(tmp_path / "elsewhere.tif", 1))
    os.mkfifo(folder / "pipe.tif")
    files = ingested(context, folder)
    assert states(files) == {"link.tif": "failed", "pipe.tif": "failed"}
    assert "is a link" in files["link.tif"].reason


def test_the_same_names_from_two_folders_are_told_apart(context: Context, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / folder.name
    write_image(folder / "a.tif", 1)
    write_image(other / "a.tif", 2)
    assert set(ingested(context, folder, other)) == {"flight/a.tif", "flight/a (2).tif"}


def test_nothing_at_a_path_and_too_many_files_are_told(context: Context, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        received(context, folder / "missing.tif")
    with pytest.raises(SettingsError, match="no files"):
        received(context, folder)
    for number in range(3):
        (folder / f"{number}.tif").touch()
    few = context_in(tmp_path / "few", batch={"max_files": 2})
    with pytest.raises(SettingsError, match="more than 2 files"):
        received(few, folder)


def test_a_receiving_that_was_killed_is_continued_by_the_same_call(context: Context, folder: Path) -> None:
    for number in range(3):
        write_image(folder / f"{number}.tif", number)

    def killed(name: str, done: int, total: int) -> None:
        if name == "2.tif":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        received(context, folder, progress=killed)
    with context.database.read() as session:
        [batch] = session.scalars(select(Batch))
    assert (batch.state, len(report_of(context, batch.id).files)) == ("receiving", 2)
    assert received(context, folder) == batch.id
    report = run_batch(context, batch.id)
    assert ([file.name for file in report.files], report.count("placed")) == (["0.tif", "1.tif", "2.tif"], 3)
    assert received(context, folder) != batch.id  # done: the same folder may be brought again


def test_a_store_that_cannot_write_stops_the_receiving_and_loses_nothing(
    context: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(folder / "a.tif", 1)

    def full(key: str, data: bytes | Path) -> None:
        raise ObjectStoreUnavailable("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(context.objects, "put", full)
        with pytest.raises(OutputError, match="full"):
            received(context, folder)
    assert states(ingested(context, folder)) == {"a.tif": "placed"}


def test_without_room_a_job_waits_and_is_tried_again(
    context: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(folder / "a.tif", 1)
    batch = received(context, folder)
    [job] = jobs(context)

    def full(*_: Any, **__: Any) -> None:
        raise OutputError("No room.")

    with monkeypatch.context() as broken:
        broken.setattr("workers.ingest.images.ingest_image", full)
        assert run_job(context, job) == "waiting"
    clock_of(context).forward(600)
    assert run_job(context, job) == "done"
    assert report_of(context, batch).count("placed") == 1


def jobs(context: Context) -> list[int]:
    with context.database.read() as session:
        return [job.id for job in list_jobs(session, kind="ingest.file")]


def test_a_second_attempt_is_made_in_a_process_of_its_own(
    context: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(folder / "a.tif", 1)
    received(context, folder)
    [job] = jobs(context)
    asked: list[bool] = []

    def spied(*given: Any, **named: Any) -> Any:
        asked.append(named["sandboxed"])
        if len(asked) == 1:
            raise RuntimeError("as a killed process")
        return ingest_image(*given, **named)

    monkeypatch.setattr("workers.ingest.images.ingest_image", spied)
    assert run_job(context, job) == "waiting"
    clock_of(context).forward(600)
    assert run_job(context, job) == "done"
    assert asked == [False, True]


def test_a_file_that_is_not_there_any_more_is_an_outcome(context: Context, folder: Path) -> None:
    write_image(folder / "a.tif", 1)
    batch = received(context, folder)
    for key in list(context.objects.keys("received/")):
        context.objects.delete(key)
    [file] = run_batch(context, batch).files
    assert (file.state, file.reason) == ("failed", "its received content no longer exists; submit the file again")


def test_a_worker_killed_in_the_middle_leaves_nothing_behind(context: Context, folder: Path, tmp_path: Path) -> None:
    """kill -9 while the COG is being written; the next attempt makes the scene."""
    write_image(folder / "a.tif", 1)
    batch = received(context, folder)
    [job] = jobs(context)
    program = f"""
        import os, signal
        from pathlib import Path
        import workers.ingest.images
        from configs.service import ServiceSettings
        from store.schema.database import Database
        from service.context import Context
        from workers.runtime.job_runner import run_job
        def killed(*_, **named):
            (named["workdir"] / "stage.tif").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        workers.ingest.images.ingest_image = killed
        settings = ServiceSettings(home=Path({str(context.settings.home)!r}), limits={{"free_disk_mib": 0}})
        context = Context(settings, Database(settings.database_url), clock=lambda: __import__("datetime").datetime(
            2026, 11, 20, 2, 30, tzinfo=__import__("datetime").UTC))
        run_job(context, {job})
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert killed.returncode == -9
    assert list((context.settings.home / "work").rglob("stage.tif"))
    clock_of(context).forward(600)
    assert run_job(context, job) == "done"
    report = report_of(context, batch)
    assert (report.state, report.count("placed")) == ("done", 1)
    assert list((context.settings.home / "work").iterdir()) == []


@pytest.mark.slow
def test_of_500_files_with_25_bad_ones_each_gets_its_outcome(context: Context, folder: Path) -> None:
    expected: dict[str, str] = {}
    said: dict[str, str] = {}
    for number in range(475):
        name = f"{number % 7}/{number:03}_20240501.tif"
        write_image(folder / name, number, east=20.0 * number, size=64 + number % 65, tiled=number % 2 == 1)
        expected[name] = "placed"
    whole = (folder / "3" / "003_20240501.tif").read_bytes()
    vrt = b"<VRTDataset rasterXSize='9' rasterYSize='9'><SourceFilename>/etc/passwd</SourceFilename></VRTDataset>"
    bad = {
        "truncated": (whole[: len(whole) // 2], "failed", "truncated|damaged"),
        "hostile": (vrt, "failed", "only points at images"),
        "empty": (b"", "failed", "an empty file"),
        "text": (b"not an image", "failed", "a text file"),
    }
    for number in range(4):
        for what, (data, state, why) in bad.items():
            name = f"bad/{what}_{number}.tif"
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data[: len(data) - number])
            expected[name], said[name] = state, why
    for number in range(5):
        name = f"copy_{number}.tif"
        shutil.copy(folder / f"{number}" / f"{number:03}_20240501.tif", folder / name)
        expected[name], said[name] = "duplicate", f"the same content as|{number:03}_20240501.tif"
    for number in range(4):
        name = f"elsewhere_{number}.tif"
        write_image(folder / name, 1000 + number, east=12_000)
        expected[name], said[name] = "failed", "in 330106"
    assert len(expected) == 500
    files = ingested(context, folder)
    twins = {frozenset((f"copy_{n}.tif", f"{n}/{n:03}_20240501.tif")) for n in range(5)}
    for twin in twins:  # which of the two comes first is of no account
        assert sorted(files[name].state for name in twin) == ["duplicate", "placed"]
    alone = {name: state for name, state in expected.items() if not any(name in twin for twin in twins)}
    assert {name: files[name].state for name in alone} == alone
    for name, why in said.items():
        if name in alone:
            assert any(part in files[name].reason for part in why.split("|")), files[name].reason
    assert len(scenes(context)) == 475
    assert len(list(context.objects.keys(""))) == 475


def test_an_output_of_opendronemap_gives_its_orthophoto_with_its_day(context: Context, folder: Path) -> None:
    write_image(folder / "task" / "odm_orthophoto" / "odm_orthophoto.tif", 1)
    write_image(folder / "task" / "odm_dem" / "dsm.tif", 2)
    (folder / "task" / "images.json").write_text('[{"filename": "a.jpg", "utc_time": 1714521600000.0}]')
    packed = folder.with_name("all.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, path.relative_to(folder / "task"))
    files = ingested(context, folder)
    assert states(files) == {
        "task/odm_orthophoto/odm_orthophoto.tif": "placed",
        "task/odm_dem/dsm.tif": "ignored",
        "task/images.json": "used",
    }
    [scene] = scenes(context)
    assert (scene.date, scene.date_source) == (dt.date(2024, 5, 1), "given")
    in_zip = states(ingested(context, packed))
    assert in_zip["all.zip/odm_orthophoto/odm_orthophoto.tif"] == "duplicate"
    assert in_zip["all.zip/odm_dem/dsm.tif"] == "ignored"
