"""Uploaded batches: submitted once, each file with its outcome, visible only in their area."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
from pathlib import Path

import httpx
import pytest
from pyproj import CRS
from sqlalchemy import select

from errors import Reason
from service.batch_writer import BatchWriter
from service.context import Context
from store.scenes.batches import add_file, file_names, finish_receiving, set_outcome
from store.schema.tables import BatchFile
from tests.imagery.test_untrusted_files import vrt_of
from tests.web.uploads.upload_service import (
    BYTES,
    client_of,
    complete_batch,
    create_batch,
    create_upload,
    send_file,
    serving,
    token_of,
)
from tests.workers.ingest.images import CODE, NEIGHBOUR, write_image
from web.uploads.batch_submission import ABANDONED_AFTER, INCOMPLETE, resume_submissions, submit_batch
from web.uploads.upload_files import add_upload, folder_of, mark_complete
from workers.runtime.run_batch import run_batch


def _outcomes(context: Context, client: httpx.Client, batch: int) -> dict[str, tuple[str, str]]:
    run_batch(context, batch)
    report = client.get(f"/api/batches/{batch}").json()
    assert report["state"] == "done"
    assert not folder_of(context.settings, batch).exists()
    assert list(context.objects.keys("received/")) == []
    return {file["name"]: (file["state"], file["reason"]) for file in report["files"]}


def test_images_with_sidecars_and_a_zip_are_georeferenced(context: Context, li: httpx.Client, tmp_path: Path) -> None:
    bare = write_image(tmp_path / "bare.png", 1, driver="PNG", crs=None, compress=None)
    archive = tmp_path / "flight.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(write_image(tmp_path / "in_20240502.tif", 2), "in_20240502.tif")
    batch = create_batch(li, date="2024-05-01")
    send_file(li, batch, "村/bare.png", bare.read_bytes())
    send_file(li, batch, "村/bare.pgw", b"0.5\n0\n0\n-0.5\n501000.25\n3398999.75\n")
    send_file(li, batch, "村/bare.prj", CRS(4547).to_wkt("WKT1_ESRI").encode())
    send_file(li, batch, "flight.zip", archive.read_bytes())
    complete_batch(li, batch)
    outcomes = _outcomes(context, li, batch)
    assert {name: state for name, (state, _) in outcomes.items()} == {
        "村/bare.png": "placed",
        "村/bare.pgw": "used",
        "村/bare.prj": "used",
        "flight.zip": "used",
        "flight.zip/in_20240502.tif": "placed",
    }
    days = {file["name"]: file["date"] for file in li.get(f"/api/batches/{batch}").json()["files"]}
    assert (days["村/bare.png"], days["flight.zip/in_20240502.tif"]) == ("2024-05-01", "2024-05-02")
    footprints = li.get(f"/api/batches/{batch}/footprints").json()["features"]
    assert len(footprints) == 2
    west, south = footprints[0]["geometry"]["coordinates"][0][0]
    assert 114 < west < 114.1
    assert 30 < south < 31


def test_no_hostile_file_becomes_a_scene_and_each_has_a_reason(
    context: Context, li: httpx.Client, tmp_path: Path
) -> None:
    good = write_image(tmp_path / "good_20240501.tif", 3)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.tif", bytes(50_000_000))
    climbing = tmp_path / "climbing.zip"
    with zipfile.ZipFile(climbing, "w") as file:
        file.writestr("../../evil.tif", good.read_bytes())
    hostile = {
        "vrt.tif": vrt_of("/etc/passwd"),
        "address.tif": b"\n " + vrt_of("/vsicurl/http://127.0.0.1:9/a.tif"),
        "cut.tif": good.read_bytes()[:200],
        "noise.jpg": os.urandom(3000),
        "empty.tif": b"",
        "page.html": b"<script>alert(1)</script>",
        "broken.zip": b"PK\x03\x04" + os.urandom(500),
        "bomb.zip": bomb.read_bytes(),
        "climbing.zip": climbing.read_bytes(),
    }
    batch = create_batch(li)
    for name, content in hostile.items():
        send_file(li, batch, name, content)
    send_file(li, batch, good.name, good.read_bytes())
    complete_batch(li, batch)
    outcomes = _outcomes(context, li, batch)
    assert outcomes[good.name][0] == "placed"
    inside = {name for name in outcomes if ".zip/" in name}
    assert len(inside) == 2
    for name in {*hostile, *inside} - {"climbing.zip", "bomb.zip"}:  # their members fail, not the archives
        state, reason = outcomes[name]
        # a document that accompanies images is never read
        assert state == ("ignored" if name == "page.html" else "failed"), f"{name} is {state}"
        assert len(reason) > 10
    assert not list(tmp_path.parent.rglob("evil.tif"))


def test_a_wrong_checksum_fails_the_file(context: Context, li: httpx.Client) -> None:
    batch, right = create_batch(li), hashlib.sha256(b"right").hexdigest()
    send_file(li, batch, "a.tif", b"right", sha256=right)
    send_file(li, batch, "b.tif", b"wrong", sha256=right)
    files = complete_batch(li, batch)
    assert (files["a.tif"]["state"], files["b.tif"]["state"]) == ("waiting", "failed")
    assert "damaged in transit" in files["b.tif"]["reason"]


def test_incomplete_files_keep_a_batch_open_unless_left_out(context: Context, li: httpx.Client) -> None:
    batch = create_batch(li)
    send_file(li, batch, "a.tif", b"whole")
    create_upload(li, batch, "b.tif", 100)
    response = li.post(f"/api/batches/{batch}/complete")
    assert (response.status_code, "b.tif" in response.json()["detail"]) == (409, True)
    files = complete_batch(li, batch, leave_out=True)
    assert files["a.tif"]["state"] == "waiting"
    assert (files["b.tif"]["state"], files["b.tif"]["reason"]) == ("failed", INCOMPLETE)


def test_a_completed_batch_accepts_no_more_data(li: httpx.Client) -> None:
    batch = create_batch(li)
    upload = create_upload(li, batch, "a.tif", 4)
    li.patch(upload, content=b"whol", headers=BYTES | {"upload-offset": "0"})
    complete_batch(li, batch)
    assert li.patch(upload, content=b"e", headers=BYTES | {"upload-offset": "4"}).status_code == 409
    assert li.post(f"/api/batches/{batch}/complete").status_code == 202


def test_an_interrupted_submission_resumes_after_a_restart(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [write_image(tmp_path / f"{number}_20240501.tif", number) for number in range(3)]
    with serving(context) as address, client_of(address, token_of(context, "li")) as li:
        batch = create_batch(li)
        for image in images:
            send_file(li, batch, image.name, image.read_bytes())
    mark_complete(context.settings, batch)
    real = BatchWriter.queue_file
    queued: list[str] = []

    def fail_after_two(self: BatchWriter, name: str, *rest: object) -> None:
        if len(queued) == 2:
            raise KeyboardInterrupt
        queued.append(name)
        real(self, name, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(BatchWriter, "queue_file", fail_after_two)
        with pytest.raises(KeyboardInterrupt):
            submit_batch(context, batch)
    with context.database.read() as session:
        assert len(file_names(session, batch)) == 2
    with serving(context) as address, client_of(address, token_of(context, "li")) as li:
        files = complete_batch(li, batch)
        assert len(files) == 3
        assert {state for state, _ in _outcomes(context, li, batch).values()} == {"placed"}


def test_an_abandoned_batch_is_closed_and_its_incomplete_files_deleted(
    context: Context, li: httpx.Client, tmp_path: Path
) -> None:
    batch = create_batch(li)
    image = write_image(tmp_path / "a_20240501.tif", 1)
    send_file(li, batch, image.name, image.read_bytes())
    add_upload(context.settings, batch, "half.tif", 100)
    before = context.clock
    context.clock = lambda: before() + ABANDONED_AFTER / 2
    resume_submissions(context)
    assert not (folder_of(context.settings, batch) / "complete").exists()
    context.clock = lambda: before() + ABANDONED_AFTER * 1.1
    resume_submissions(context)
    files = complete_batch(li, batch)
    assert {name: file["state"] for name, file in files.items()} == {image.name: "waiting", "half.tif": "failed"}
    assert not folder_of(context.settings, batch).exists()


def test_a_batch_is_visible_only_in_its_area(context: Context, address: str, li: httpx.Client) -> None:
    batch = create_batch(li, name="飞行一")
    assert [one["name"] for one in li.get("/api/batches").json()["batches"]] == ["飞行一"]
    assert li.post("/api/batches", json={"area": NEIGHBOUR}).status_code == 404
    assert li.post("/api/batches", json={"area": CODE + "001"}).status_code == 422  # the area is not loaded
    with client_of(address, token_of(context, "wang")) as wang:
        assert wang.get("/api/batches").json() == {"batches": []}
        for path in (
            "/api/batches/{}",
            "/api/batches/{}/footprints",
            "/api/batches/{}/photos",
            "/batches/{}",
            "/batches/{}/files",
        ):
            assert wang.get(path.format(batch)).status_code == 404


def test_a_duplicate_of_another_area_reveals_nothing(
    context: Context, address: str, li: httpx.Client, tmp_path: Path
) -> None:
    image = write_image(tmp_path / "secret_name_20240501.tif", 5)
    batch = create_batch(li)
    send_file(li, batch, image.name, image.read_bytes())
    complete_batch(li, batch)
    run_batch(context, batch)
    copy = shutil.copy(image, tmp_path / "copy.tif")
    with client_of(address, token_of(context, "wang")) as wang:
        other = create_batch(wang, NEIGHBOUR)
        send_file(wang, other, "copy.tif", Path(copy).read_bytes())
        complete_batch(wang, other)
        [file] = wang.get(f"/api/batches/{other}").json()["files"]
    assert (file["state"], file["scene"], file["date"]) == ("duplicate", None, None)
    assert "secret_name" not in file["reason"]


@pytest.mark.parametrize("batch", ["0", "-1", "99999999999999999999999", "9"])
def test_an_invalid_batch_id_is_not_found(li: httpx.Client, batch: str) -> None:
    assert li.get(f"/api/batches/{batch}").status_code == 404
    assert li.post(f"/api/batches/{batch}/complete").status_code == 404


def test_the_files_of_a_batch_are_rendered_again_only_after_a_new_outcome(context: Context, li: httpx.Client) -> None:
    batch = create_batch(li)
    with context.database.write() as session:
        for number in range(101):
            add_file(session, batch, f"{number:03}.tif", size=1, now=context.clock(), received="x")
        finish_receiving(session, batch, context.clock())
    page = li.get(f"/batches/{batch}/files?page=2").text
    assert ("100.tif" in page, "099.tif" in page) == (True, False)
    [version] = re.findall(r"seen=([\w-]+)\"", page)
    again = f"/batches/{batch}/files?page=2&seen={version}"
    assert (li.get(again).status_code, li.get(again).text) == (204, "")
    with context.database.write() as session:
        first = session.scalars(select(BatchFile).order_by(BatchFile.id)).first()
        assert first is not None
        what = Reason("it was not sent completely", "sent.not_whole")
        set_outcome(session, first.id, "failed", what, context.clock())
    drawn = li.get(again, headers={"accept-language": "zh"})
    assert (drawn.status_code, "100.tif" in drawn.text) == (200, True)
    failed = li.get(f"/batches/{batch}?state=failed", headers={"accept-language": "zh"}).text
    assert ("000.tif" in failed, "001.tif" in failed, "未传输完整" in failed) == (True, False, True)
    assert li.get(f"/batches/{batch}?state=lost").status_code == 400
