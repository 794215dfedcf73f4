"""All objects in an S3-compatible store: ingest a batch, scan it, and display the results."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from PIL import Image

from configs.service import ServiceSettings
from service.batch_intake import receive_files
from store.access.users import add_user
from store.backup.backup import backup, restore
from store.objects.factory import open_object_store
from store.schema.tables import AlertRow, SceneRow
from tests.inference.scenes import ORIGIN, write_image
from tests.web.two_villages import api_client
from tests.workers.scan_service import AUTUMN, SPRING, VILLAGE, ScanService, after_image, before_image
from training.synthetic.drone_flight import Camera, lawnmower, write_flight
from web.app import make_app
from workers.runtime.run_batch import run_batch

CRS = "EPSG:32650"


def test_a_batch_is_ingested_scanned_and_displayed_without_a_local_folder(tmp_path: Path, s3_endpoint: str) -> None:
    service = ScanService(
        tmp_path, objects="s3://tuban/office", s3_endpoint=s3_endpoint, web={"allowed_hosts": ["tuban.test"]}
    )
    context = service.context
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    write_image(incoming / f"a_{SPRING:%Y%m%d}.tif", before_image(), crs=CRS)
    write_image(incoming / f"b_{AUTUMN:%Y%m%d}.tif", after_image(), crs=CRS)
    with zipfile.ZipFile(tmp_path / "incoming.zip", "w") as archive:
        for path in sorted(incoming.iterdir()):
            archive.write(path, path.name)
    place = Affine(0.5, 0, ORIGIN[0], 0, -0.5, ORIGIN[1])
    stations = lawnmower(ORIGIN[0] + 150, ORIGIN[1] - 120, 1, 3, 0.0, 40.0, 100.0)
    rng = np.random.default_rng(5)
    photos = write_flight(tmp_path / "DCIM", after_image(), place, CRS, Camera(240, 180, 200.0), stations, rng)

    for paths, states in (([tmp_path / "incoming.zip"], {"placed", "used"}), (photos, {"placed"})):
        report = run_batch(context, receive_files(context, paths, VILLAGE, "drone", "command", "wang", "autumn"))
        assert {file.state for file in report.files} == states, report
        if paths != photos:
            assert service.run_night().state == "done"

    assert not (context.settings.home / "objects").exists()
    keys = set(context.objects.keys(""))
    assert {key.partition("/")[0] for key in keys} >= {"scenes", "scans"}
    assert not [key for key in keys if key.startswith("received/")]
    [alert, *_] = service.rows(AlertRow)
    [scene] = [row for row in service.rows(SceneRow) if row.date == AUTUMN]

    with context.database.write() as session:
        add_user(session, login="town", name="town", role="county", code="330199", now=context.clock())
    shutil.rmtree(context.settings.home / "cache")  # copies of objects are only copies
    pages = api_client(context, make_app(context), "town")
    for when in ("before", "after"):
        seen = pages.get(f"/alerts/{alert.number}/evidence/{when}")
        assert Image.open(io.BytesIO(seen.content)).size == (512, 546)
    with zipfile.ZipFile(io.BytesIO(pages.get(f"/alerts/{alert.number}/bundle.zip").content)) as archive:
        assert len(archive.read("sheet_zh.pdf")) > 100_000, "both pictures are in it"
    with rasterio.MemoryFile(pages.get(f"/api/scenes/{scene.id}/image.tif").content) as file, file.open() as image:
        assert image.shape == (600, 700)
    assert pages.get(f"/scenes/{scene.id}/preview").headers["content-type"] == "image/webp"

    other = ServiceSettings(home=tmp_path / "other", objects="s3://tuban/restored", s3_endpoint=s3_endpoint)
    backup(context.settings, tmp_path / "backup.zip", now=context.clock())
    restore(other, tmp_path / "backup.zip", now=context.clock())
    assert set(open_object_store(other).keys("")) == set(context.objects.keys(""))
