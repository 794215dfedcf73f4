"""Zip files: members become files of the batch, and interrupted unpacking resumes."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import CRS

from service.context import Context, JobRun
from service.job_registry import ReleaseJob
from store.scenes.batches import unfinished_jobs
from tests.workers.ingest.batches import ingest, report_of, states, submit
from tests.workers.ingest.images import NORTH, WEST, write_image
from workers.ingest.images import ingest_zip
from workers.runtime.run_batch import run_batch


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
    files = ingest(context, folder)
    assert states(files) == {
        "broken.zip": "failed",
        "航飞.zip": "used",
        "航飞.zip/../b.tif": "failed",
        "航飞.zip/inner.zip": "failed",
        "航飞.zip/2024-05-01/a.tif": "placed",
        "航飞.zip/c.txt": "ignored",
    }
    assert files["航飞.zip"].reason == "unpacked: 4 files"
    assert files["航飞.zip/2024-05-01/a.tif"].date == dt.date(2024, 5, 1)
    assert "broken.zip is damaged" in files["broken.zip"].reason
    assert files["航飞.zip/c.txt"].reason == "a document, not an image"


def test_world_files_in_a_zip_file_are_read(context: Context, folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(1, 250, (3, 64, 64), np.uint8)
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="PNG", width=64, height=64, count=3, dtype="uint8") as image:
            image.write(pixels)
        png = memory.read()
    prj = CRS.from_epsg(4547).to_wkt("WKT1_ESRI").encode()
    world = f"0.5\n0\n0\n-0.5\n{WEST + 1000}\n{NORTH - 1000}\n".encode()
    zipped(folder / "z.zip", **{"a/a.png": png, "a/a.pgw": world, "a/a.prj": prj})
    assert states(ingest(context, folder / "z.zip")) == {
        "z.zip": "used", "z.zip/a/a.png": "placed", "z.zip/a/a.pgw": "used", "z.zip/a/a.prj": "used",
    }  # fmt: skip


def test_interrupted_unpacking_resumes(context: Context, folder: Path, tmp_path: Path) -> None:
    images = {f"{n}.tif": write_image(tmp_path / f"{n}.tif", n).read_bytes() for n in range(3)}
    batch = submit(context, zipped(folder / "z.zip", **images))
    with context.database.read() as session:
        [job] = unfinished_jobs(session, batch)
    progress: list[float] = []
    with pytest.raises(ReleaseJob):
        ingest_zip(context, JobRun(job.id, job.payload, 1, progress.append, lambda: len(progress) == 2))
    assert [file.name for file in report_of(context, batch).files] == ["z.zip", "z.zip/0.tif"]
    report = run_batch(context, batch)
    assert [file.state for file in report.files] == ["used", "placed", "placed", "placed"]
