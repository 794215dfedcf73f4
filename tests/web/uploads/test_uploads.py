"""Uploads by tus: interrupted uploads resume, and only the user who created an upload can access it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import socket
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from tusclient.client import TusClient

from service.context import Context
from tests.web.chromium import chromium_browser, needs_chromium
from tests.web.conftest import SignIn
from tests.web.uploads.upload_service import (
    BYTES,
    TUS,
    client_of,
    context_with_people,
    create_batch,
    create_upload,
    metadata,
    offset_of,
    serving,
    token_of,
)
from web.uploads.upload_files import find_upload


def _half_a_request(client: httpx.Client, upload: str, data: bytes, promised: int, offset: int = 0) -> socket.socket:
    """Send a PATCH request with less than its content length, and keep the connection open."""
    parts = urlsplit(str(client.base_url))
    connection = socket.create_connection((parts.hostname or "", parts.port or 0))
    head = [
        f"PATCH {upload} HTTP/1.1", f"host: {parts.netloc}", f"authorization: {client.headers['authorization']}",
        "tus-resumable: 1.0.0", "content-type: application/offset+octet-stream",
        f"upload-offset: {offset}", f"content-length: {promised}",
    ]  # fmt: skip
    connection.sendall("\r\n".join([*head, "", ""]).encode() + data)
    return connection


def _bytes_of(context: Context, upload: str) -> bytes:
    found = find_upload(context.settings, upload.rpartition("/")[2])
    assert found is not None
    return found.part.read_bytes()


def _until(wanted: int, context: Context, upload: str) -> None:
    deadline = time.monotonic() + 20
    while len(_bytes_of(context, upload)) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_interrupted_upload_resumes_and_is_identical(context: Context, li: httpx.Client) -> None:
    content = os.urandom(5_000_000)
    upload = create_upload(li, create_batch(li), "a.tif", len(content))
    with _half_a_request(li, upload, content[:3_000_000], len(content)):
        _until(2 * 2**20, context, upload)
    time.sleep(0.2)
    at = offset_of(li, upload)
    assert 2 * 2**20 <= at <= 3_000_000
    response = li.patch(upload, content=content[at:], headers=BYTES | {"upload-offset": str(at)})
    assert (response.status_code, response.headers["upload-offset"]) == (204, str(len(content)))
    assert _bytes_of(context, upload) == content


def test_a_new_connection_takes_over_from_a_hanging_one(context: Context, li: httpx.Client) -> None:
    content = os.urandom(3_000_000)
    upload = create_upload(li, create_batch(li), "a.tif", len(content))
    hanging = _half_a_request(li, upload, content[:2_000_000], len(content))
    _until(2**20, context, upload)
    at = offset_of(li, upload)  # does not wait for the hanging connection, or it would time out
    assert at == 2_000_000
    li.patch(upload, content=content[at:], headers=BYTES | {"upload-offset": str(at)}).raise_for_status()
    hanging.close()
    assert _bytes_of(context, upload) == content


def test_an_upload_resumes_after_a_server_restart(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    with context_with_people(tmp_path / "home") as context:
        token = token_of(context, "li")
        with serving(context) as address, client_of(address, token) as li:
            upload = create_upload(li, create_batch(li), "a.tif", len(content))
            li.patch(upload, content=content[:1_000_000], headers=BYTES | {"upload-offset": "0"}).raise_for_status()
        with serving(context) as address, client_of(address, token) as li:
            assert offset_of(li, upload) == 1_000_000
            headers = BYTES | {"upload-offset": "1000000"}
            li.patch(upload, content=content[1_000_000:], headers=headers).raise_for_status()
        assert _bytes_of(context, upload) == content


@pytest.mark.parametrize("login", ["zhang", "wang"])
def test_other_users_cannot_access_an_upload(context: Context, address: str, li: httpx.Client, login: str) -> None:
    batch = create_batch(li)
    upload = create_upload(li, batch, "a.tif", 4)
    with client_of(address, token_of(context, login)) as other:
        headers = BYTES | {"upload-offset": "0"}
        assert other.head(upload, headers=TUS).status_code == 404
        assert other.patch(upload, content=b"evil", headers=headers).status_code == 404
        assert other.delete(upload, headers=TUS).status_code == 404
        announced = TUS | {"upload-length": "4"} | metadata(batch=batch, filename="b.tif")
        assert other.post("/api/uploads", headers=announced).status_code == 404
        assert other.post(f"/api/batches/{batch}/complete").status_code == 404
    assert offset_of(li, upload) == 0


def test_uploads_need_authentication(address: str) -> None:
    with httpx.Client(base_url=address) as anonymous:
        assert anonymous.post("/api/uploads", headers=TUS | {"upload-length": "1"}).status_code == 401
        assert anonymous.patch("/api/uploads/1-" + "0" * 48, headers=BYTES | {"upload-offset": "0"}).status_code == 401
        assert anonymous.post("/api/batches", json={"area": "330102"}).status_code == 401


def test_a_browser_needs_the_csrf_token_to_upload(sign_in: SignIn) -> None:
    browser = sign_in("county")
    batch = browser.post("/api/batches", json={"area": "330199"}).json()["id"]
    headers = TUS | {"upload-length": "1"} | metadata(batch=batch, filename="a.tif")
    upload = browser.post("/api/uploads", headers=headers).headers["location"]
    wrong = BYTES | {"upload-offset": "0", "x-csrf-token": "guessed"}
    assert browser.patch(upload, content=b"x", headers=wrong).status_code == 403
    assert browser.patch(upload, content=b"x", headers=BYTES | {"upload-offset": "0"}).status_code == 204


@pytest.mark.parametrize("name", ["../../../../etc/cron.d/evil", "/etc/passwd", "C:\\windows\\a.tif", "a/../../b.tif"])
def test_a_file_name_is_never_a_path(context: Context, li: httpx.Client, tmp_path: Path, name: str) -> None:
    upload = create_upload(li, create_batch(li), name, 4)
    li.patch(upload, content=b"evil", headers=BYTES | {"upload-offset": "0"}).raise_for_status()
    folder = context.settings.home / "uploads"
    found = find_upload(context.settings, upload.rpartition("/")[2])
    assert found is not None
    assert ".." not in found.name
    assert not found.name.startswith("/")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"evil"] == [found.part]
    assert found.part.is_relative_to(folder.resolve())


@pytest.mark.parametrize("name", ["", "..", "folder/.DS_Store", "Thumbs.db"])
def test_empty_and_hidden_file_names_are_rejected(li: httpx.Client, name: str) -> None:
    headers = TUS | {"upload-length": "1"} | metadata(batch=create_batch(li), filename=name)
    assert li.post("/api/uploads", headers=headers).status_code == 422


@pytest.mark.parametrize(
    "upload", ["1-" + "0" * 48, "../../batch.json", "%2e%2e%2fbatch.json", "1", "1-..", "01-" + "a" * 48]
)
def test_an_invalid_upload_id_is_not_found(li: httpx.Client, upload: str) -> None:
    create_batch(li)
    assert li.head(f"/api/uploads/{upload}", headers=TUS).status_code in (404, 405)


def test_of_a_body_with_excess_bytes_nothing_is_kept(context: Context, li: httpx.Client) -> None:
    upload = create_upload(li, create_batch(li), "a.tif", 10)
    li.patch(upload, content=b"012", headers=BYTES | {"upload-offset": "0"}).raise_for_status()
    for content in (b"3456789more", iter([b"3456", b"789more"])):  # announced, and of unknown length
        response = li.patch(upload, content=content, headers=BYTES | {"upload-offset": "3"})
        assert response.status_code == 413
        assert offset_of(li, upload) == 3
    li.patch(upload, content=b"3456789", headers=BYTES | {"upload-offset": "3"}).raise_for_status()
    assert _bytes_of(context, upload) == b"0123456789"


def test_of_a_body_with_a_wrong_checksum_nothing_is_kept(context: Context, li: httpx.Client) -> None:
    upload = create_upload(li, create_batch(li), "a.tif", 10)
    at = BYTES | {"upload-offset": "0"}
    for algorithm in ("sha1", "sha256", "md5"):
        wrong = base64.b64encode(hashlib.new(algorithm, b"01235").digest()).decode()
        response = li.patch(upload, content=b"01234", headers=at | {"upload-checksum": f"{algorithm} {wrong}"})
        assert (response.status_code, response.headers["tus-resumable"], offset_of(li, upload)) == (460, "1.0.0", 0)
    for invalid in ("crc32 AAAAAA==", "sha1", "sha256 AAAA", "sha1 ?"):
        assert li.patch(upload, content=b"01234", headers=at | {"upload-checksum": invalid}).status_code == 400
    right = "sha256 " + base64.b64encode(hashlib.sha256(b"01234").digest()).decode()
    li.patch(upload, content=b"01234", headers=at | {"upload-checksum": right}).raise_for_status()
    rest = base64.b64encode(hashlib.md5(b"56789").digest()).decode()
    headers = BYTES | {"upload-offset": "5", "upload-checksum": f"md5 {rest}"}
    li.patch(upload, content=b"56789", headers=headers).raise_for_status()
    assert _bytes_of(context, upload) == b"0123456789"


def test_parts_are_concatenated_in_the_order_of_the_request(context: Context, li: httpx.Client) -> None:
    batch = create_batch(li)
    of_part = TUS | metadata(batch=batch) | {"upload-concat": "partial"}
    parts = []
    for content in (b"56789", b"01234"):
        created = li.post("/api/uploads", headers=of_part | {"upload-length": "5"})
        parts.append(created.headers["location"])
        early = TUS | metadata(batch=batch, filename="a.tif") | {"upload-concat": f"final;{parts[-1]}"}
        assert li.post("/api/uploads", headers=early).status_code == 409, "the part is incomplete"
        li.patch(parts[-1], content=content, headers=BYTES | {"upload-offset": "0"}).raise_for_status()
    assert li.head(parts[0], headers=TUS).headers["upload-concat"] == "partial"
    final = TUS | metadata(batch=batch, filename="a.tif")
    other = TUS | metadata(batch=create_batch(li), filename="a.tif") | {"upload-concat": f"final;{parts[0]}"}
    assert li.post("/api/uploads", headers=other).status_code == 404, "a part of another batch"
    whole = li.post("/api/uploads", headers=final | {"upload-concat": f"final;{parts[1]} {li.base_url}{parts[0]}"})
    assert whole.status_code == 201, whole.text
    assert _bytes_of(context, whole.headers["location"]) == b"0123456789"
    assert {li.head(part, headers=TUS).status_code for part in parts} == {404}
    files = li.get(f"/api/batches/{batch}").json()
    assert "part" not in str(files)


def test_headers_that_the_protocol_requires(context: Context, li: httpx.Client) -> None:
    batch = create_batch(li)
    upload = create_upload(li, batch, "航片/a.tif", 10)
    options = li.options("/api/uploads").headers
    assert options["tus-extension"] == "creation,termination,checksum,expiration,concatenation"
    assert "sha1" in options["tus-checksum-algorithm"].split(",")
    head = li.head(upload, headers=TUS).headers
    named = dict(pair.split(" ") for pair in head["upload-metadata"].split(","))
    assert base64.b64decode(named["filename"]).decode() == "航片/a.tif"
    assert base64.b64decode(named["batch"]).decode() == str(batch)
    expires = parsedate_to_datetime(head["upload-expires"])
    assert dt.timedelta(days=6) < expires - context.clock() <= dt.timedelta(days=7)
    old = li.head(upload, headers={"tus-resumable": "0.2.2"})
    assert (old.status_code, old.headers["tus-version"], old.headers["tus-resumable"]) == (412, "1.0.0", "1.0.0")
    assert li.head("/api/uploads/1-0", headers=TUS).headers["tus-resumable"] == "1.0.0"
    overridden = BYTES | {"upload-offset": "0", "x-http-method-override": "PATCH"}
    assert li.post(upload, content=b"0123456789", headers=overridden).status_code == 204
    assert "upload-expires" not in li.head(upload, headers=TUS).headers, "it is complete"


def test_tuspy_uploads_in_pieces_with_checksums(
    context: Context, address: str, li: httpx.Client, tmp_path: Path
) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "a.tif").write_bytes(content)
    client = TusClient(f"{address}/api/uploads", headers={"Authorization": li.headers["authorization"]})
    uploader = client.uploader(
        str(tmp_path / "a.tif"),
        chunk_size=1_000_000,
        metadata={"batch": str(create_batch(li)), "filename": "a.tif"},
        upload_checksum=True,
    )
    uploader.upload()
    assert _bytes_of(context, uploader.url.removeprefix(address)) == content


def test_a_file_over_the_limit_or_the_disk_space_is_rejected_in_advance(tmp_path: Path) -> None:
    with (
        context_with_people(tmp_path / "home", max_upload_gib=1_000_000) as context,
        serving(context) as address,
        client_of(address, token_of(context, "li")) as li,
    ):
        headers = TUS | metadata(batch=create_batch(li), filename="a.tif")
        assert li.post("/api/uploads", headers=headers | {"upload-length": str(2 * 10**15)}).status_code == 413
        full = li.post("/api/uploads", headers=headers | {"upload-length": str(5 * 10**14)})
        assert (full.status_code, "room" in full.json()["detail"]) == (507, True)
        assert li.post("/api/uploads", headers=headers | {"upload-length": "-1"}).status_code == 400


def test_bytes_at_a_wrong_offset_are_rejected(context: Context, li: httpx.Client) -> None:
    upload = create_upload(li, create_batch(li), "a.tif", 10)
    assert li.patch(upload, content=b"56789", headers=BYTES | {"upload-offset": "5"}).status_code == 409
    assert li.patch(upload, content=b"0", headers=TUS | {"upload-offset": "0"}).status_code == 415
    assert li.patch(upload, content=b"0", headers={"upload-offset": "0"}).status_code == 412
    assert _bytes_of(context, upload) == b""


def test_a_new_upload_of_the_same_name_replaces_the_previous_one(li: httpx.Client) -> None:
    batch = create_batch(li)
    first, second = (create_upload(li, batch, "a.tif", 10) for _ in range(2))
    assert first != second
    assert li.head(first, headers=TUS).status_code == 404
    assert [one["name"] for one in li.get(f"/api/batches/{batch}").json()["uploads"]] == ["a.tif"]


def test_only_the_uploading_user_sees_the_progress(context: Context, address: str, li: httpx.Client) -> None:
    batch = create_batch(li)
    sha256 = hashlib.sha256(b"0123456789").hexdigest()
    upload = create_upload(li, batch, "a.tif", 10, sha256=sha256, modified=17)
    li.patch(upload, content=b"0123", headers=BYTES | {"upload-offset": "0"})
    progress = {
        "id": upload.rpartition("/")[2],
        "name": "a.tif",
        "size": 10,
        "modified": "17",
        "sha256": sha256,
        "offset": 4,
    }
    assert li.get(f"/api/batches/{batch}").json()["uploads"] == [progress]
    with client_of(address, token_of(context, "zhang")) as other:
        assert "uploads" not in other.get(f"/api/batches/{batch}").json()


def test_an_upload_can_be_deleted(li: httpx.Client) -> None:
    upload = create_upload(li, create_batch(li), "a.tif", 10)
    assert li.delete(upload, headers=TUS).status_code == 204
    assert li.head(upload, headers=TUS).status_code == 404


@needs_chromium
def test_tus_js_client_uploads_parts_in_parallel(context: Context, address: str, li: httpx.Client) -> None:
    script = """([key, batch]) => new Promise((resolve, reject) => {
      const content = new Uint8Array(3_000_000).map((_, index) => (index * 7919) % 251);
      const upload = new window.tus.Upload(new Blob([content]), {
        endpoint: "/api/uploads", parallelUploads: 3, chunkSize: 600_000, headers: { Authorization: `Bearer ${key}` },
        metadata: { batch, filename: "a.tif" }, metadataForPartialUploads: { batch },
        onError: reject, onSuccess: () => resolve(upload.url),
      });
      upload.start();
    })"""
    key = li.headers["authorization"].removeprefix("Bearer ")
    with chromium_browser() as browser:
        page = browser.new_page()
        page.goto(f"{address}/sign-in")
        page.add_script_tag(url="/packages/tus.js")
        url = page.evaluate(script, [key, str(create_batch(li))])
    expected = ((np.arange(3_000_000) * 7919) % 251).astype(np.uint8).tobytes()
    assert _bytes_of(context, urlsplit(url).path) == expected
