"""Raw drone photos of a batch become one scene per flight; each photo gets its own outcome."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from PIL.TiffImagePlugin import IFDRational
from pyproj import Transformer
from sqlalchemy import select

from configs.service import PhotoSettings
from configs.texts import translate
from service.batch_intake import receive_files
from service.context import Context
from store.access.rights import Viewer
from store.jobs.queue import list_jobs
from store.scenes.batches import BatchReport, FileReport, batch_report
from store.schema.tables import PhotoRow, SceneRow
from store.views.photo_view import photos_of_batch
from tests.workers.embedded import clock_of
from tests.workers.ingest.images import CODE, NORTH, WEST
from training.synthetic.drone_flight import (
    Camera,
    PhotoMetadata,
    Station,
    lawnmower,
    render_photo,
    write_flight,
    write_photo,
)
from workers.runtime.job_runner import run_job
from workers.runtime.run_batch import run_batch

CRS = "EPSG:4547"
PLACE = rasterio.Affine(0.25, 0, WEST + 1000, 0, -0.25, NORTH - 1000)
CAMERA = Camera(240, 180, 200.0)
TAKEN = dt.datetime(2026, 11, 10, 10, 0)  # noqa: DTZ001  (by the camera's clock)


@pytest.fixture(scope="module")
def image() -> Any:
    """Ground of 100 × 100 m with distinctive texture everywhere."""
    rng = np.random.default_rng(3)
    coarse = cv2.resize(rng.uniform(0, 255, (50, 50, 3)).astype(np.float32), (400, 400), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.uniform(0, 255, (400, 400, 3)).astype(np.float32), (0, 0), 1.2)
    return np.clip(0.5 * coarse + 1.5 * (fine - 127) + 64, 0, 255).astype(np.uint8)


def ingest(context: Context, *paths: Path) -> BatchReport:
    batch = receive_files(context, list(paths), CODE, "drone", "command", "wang", "flight")
    return run_batch(context, batch)


def flight(folder: Path, image: Any) -> list[Path]:
    stations = lawnmower(WEST + 1040, NORTH - 1035, 1, 3, 0.0, 20.0, 50.0)
    return write_flight(folder, image, PLACE, CRS, CAMERA, stations, np.random.default_rng(5), started=TAKEN)


def add_bad(folder: Path, image: Any) -> dict[str, str]:
    """Add unusable files; return a part of the expected reason by file name."""
    degrees = Transformer.from_crs(CRS, 4490, always_xy=True)
    station = Station(WEST + 1050, NORTH - 1050, 50.0, 0.0)
    pixels = render_photo(image, PLACE, CAMERA, station)

    def write(
        name: str, station: Station = station, metadata: PhotoMetadata | None = None, pixels: Any = pixels
    ) -> None:
        write_photo(folder / name, pixels, station, CAMERA, degrees, TAKEN, metadata)

    write("no_position.jpg", metadata=PhotoMetadata(position=False))
    write("no_number.jpg", metadata=PhotoMetadata(latitude=(IFDRational(30), IFDRational(0, 0), IFDRational(1))))
    write("oblique.jpg", Station(station.x, station.y, 50.0, 0.0, tilt_ahead=60.0))
    write("panorama.jpg", pixels=np.ascontiguousarray(pixels[:, :60]))
    write("elsewhere.jpg", Station(WEST + 15_000, station.y, 50.0, 0.0))
    return {
        "no_position.jpg": "no position",
        "no_number.jpg": "zero denominator",
        "oblique.jpg": "is oblique",
        "panorama.jpg": "vertical panorama",
        "elsewhere.jpg": "Submit it with the code of its own area",
    }


def test_photos_become_one_scene_and_unusable_files_get_a_reason(context: Context, tmp_path: Path, image: Any) -> None:
    earlier = tmp_path / "ortho_20251101.tif"
    profile = {"driver": "GTiff", "width": 400, "height": 400, "count": 3, "dtype": "uint8"}
    with rasterio.open(earlier, "w", crs=CRS, transform=PLACE, **profile) as written:
        written.write(np.moveaxis(image, -1, 0))
    ingest(context, earlier)
    photos = flight(tmp_path / "flight", image)
    bad = add_bad(tmp_path / "flight", image)
    far = Station(WEST + 5000, NORTH - 5000, 50.0, 0.0)  # another flight of a drone whose clock was never set
    degrees, unset_clock = Transformer.from_crs(CRS, 4490, always_xy=True), TAKEN.replace(year=1980)
    write_photo(
        tmp_path / "flight" / "far.jpg", render_photo(image, PLACE, CAMERA, far), far, CAMERA, degrees, unset_clock
    )

    heights = tmp_path / "heights.tif"  # covers the ground of the first flight only
    grid = rasterio.Affine(5, 0, WEST + 900, 0, -5, NORTH - 900)
    with rasterio.open(
        heights, "w", driver="GTiff", width=60, height=60, count=1, dtype="float32", crs=CRS, transform=grid
    ) as written:
        written.write(np.full((1, 60, 60), 12.5, np.float32))
    context.__dict__["settings"] = context.settings.model_copy(update={"photos": PhotoSettings(elevation=str(heights))})

    beside = {"DJI_0099.MP4": "a video", "DJI_Timestamp.MRK": "RTK", "DJI_PPKRAW.bin": "RTK"}
    for name in beside:
        (tmp_path / "flight" / name).write_bytes(b"\0\0\0\x18ftypmp42" + bytes(64))

    report = ingest(context, tmp_path / "flight")

    assert report.state == "done"
    files = {file.name: file for file in report.files}
    for name, reason in beside.items():
        assert files[name].state == "ignored"
        assert reason in files[name].reason
    for name, reason in bad.items():
        assert files[name].state == "failed"
        assert reason in files[name].reason
        assert translate(files[name].reason, "zh") != files[name].reason, "it is translated to Chinese"
    of_flight = [files[path.name] for path in photos]
    assert {file.state for file in of_flight} == {"placed"}
    assert all("placed by the reference image" in file.reason for file in of_flight)
    assert files["far.jpg"].state == "placed"
    assert "placed coarsely" in files["far.jpg"].reason
    assert "heights.tif covers 0% of the ground" in files["far.jpg"].reason
    assert not any("heights.tif" in file.reason for file in of_flight)
    assert "clock says 1980-11-10, which is impossible" in files["far.jpg"].reason
    assert "相机时钟为 1980-11-10，不可能" in translate(files["far.jpg"].reason, "zh")
    [scene_id] = {file.scene_id for file in of_flight}
    assert files["far.jpg"].scene_id != scene_id
    with context.database.read() as session:
        scene = session.get_one(SceneRow, scene_id)
        rows = session.scalars(select(PhotoRow).order_by(PhotoRow.id)).all()
        seen = photos_of_batch(session, Viewer("wang", "王", "county", CODE, False, 1), report.id)
    assert (scene.date, scene.source, scene.name) == (TAKEN.date(), "drone", "flight (1)")
    assert sorted(row.tied for row in rows) == ["nothing", "reference", "reference", "reference"]
    assert all((row.error_m or 9) < 1 for row in rows if row.tied == "reference")
    assert [photo.scene_id for photo in seen[:3]] == [scene_id] * 3
    assert list(context.objects.keys("received/")) == []
    assert list((context.settings.home / "work").glob("*")) == []
    with context.objects.local(scene.object_key) as cog, rasterio.open(cog) as mosaic:
        assert mosaic.crs.to_epsg() == 4547
        column, row = ~PLACE @ (mosaic.transform @ (mosaic.width / 2, mosaic.height / 2))
        assert 0 < column < 400
        assert 0 < row < 400

    again = ingest(context, tmp_path / "flight")
    states = {file.name: file.state for file in again.files}
    assert [states[path.name] for path in photos] == ["duplicate"] * 3


def test_the_mosaic_job_is_added_when_all_files_of_the_batch_are_checked(
    context: Context, tmp_path: Path, image: Any
) -> None:
    photos = flight(tmp_path / "flight", image)
    batch = receive_files(context, photos, CODE, "drone", "command", "wang", "flight", publish=False)
    with context.database.read() as session:
        jobs = [job.id for job in list_jobs(session)]
    for number, job in enumerate(sorted(jobs)):
        with context.database.read() as session:
            assert not [job for job in list_jobs(session) if job.kind == "ingest.mosaic"], number
        assert run_job(context, job) == "done"
    with context.database.read() as session:
        [mosaic] = [job for job in list_jobs(session) if job.kind == "ingest.mosaic"]
        waiting = batch_report(session, batch)
    assert waiting is not None
    assert {(file.state, file.job) for file in waiting.files} == {("waiting", "waiting")}
    assert all(file.reason.startswith("checked; waits") for file in waiting.files)
    clock_of(context).forward(1)
    assert run_job(context, mosaic.id) == "done"
    files: list[FileReport] = list(run_batch(context, batch).files)
    assert {file.state for file in files} == {"placed"}
    assert all("placed relative to its neighbours" in file.reason for file in files)
