"""Files sent over tus: what is cut goes on where it stopped, and an upload is its sender's alone."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from service.context import Context
from tests.web.conftest import SignIn
from tests.web.uploads.upload_service import (
    BYTES,
    TUS,
    begin_batch,
    begin_file,
    client_of,
    context_with_people,
    metadata,
    offset_of,
    serving,
    token_of,
)
from web.uploads.upload_files import find_upload


def _half_a_request(client: httpx.Client, upload: str, data: bytes, promised: int, offset: int = 0) -> socket.socket:
    """A PATCH that promises more than it sends, and stays open."""
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


def test_what_was_cut_goes_on_from_there_and_ends_as_it_was(context: Context, li: httpx.Client) -> None:
    content = os.urandom(5_000_000)
    upload = begin_file(li, begin_batch(li), "a.tif", len(content))
    with _half_a_request(li, upload, content[:3_000_000], len(content)):
        _until(2 * 2**20, context, upload)
    time.sleep(0.2)
    at = offset_of(li, upload)
    assert 2 * 2**20 <= at <= 3_000_000
    answer = li.patch(upload, content=content[at:], headers=BYTES | {"upload-offset": str(at)})
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(content)))
    assert _bytes_of(context, upload) == content


def test_a_connection_that_hangs_is_taken_over_by_the_next_one(context: Context, li: httpx.Client) -> None:
    content = os.urandom(3_000_000)
    upload = begin_file(li, begin_batch(li), "a.tif", len(content))
    hanging = _half_a_request(li, upload, content[:2_000_000], len(content))
    _until(2**20, context, upload)
    began = time.monotonic()
    at = offset_of(li, upload)
    assert time.monotonic() - began < 5
    assert at == 2_000_000
    li.patch(upload, content=content[at:], headers=BYTES | {"upload-offset": str(at)}).raise_for_status()
    hanging.close()
    assert _bytes_of(context, upload) == content


def test_a_restarted_server_goes_on_with_it(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    with context_with_people(tmp_path / "home") as context:
        token = token_of(context, "li")
        with serving(context) as address, client_of(address, token) as li:
            upload = begin_file(li, begin_batch(li), "a.tif", len(content))
            li.patch(upload, content=content[:1_000_000], headers=BYTES | {"upload-offset": "0"}).raise_for_status()
        with serving(context) as address, client_of(address, token) as li:
            assert offset_of(li, upload) == 1_000_000
            headers = BYTES | {"upload-offset": "1000000"}
            li.patch(upload, content=content[1_000_000:], headers=headers).raise_for_status()
        assert _bytes_of(context, upload) == content


@pytest.mark.parametrize("login", ["zhang", "wang"])
def test_nobody_else_can_touch_an_upload(context: Context, address: str, li: httpx.Client, login: str) -> None:
    batch = begin_batch(li)
    upload = begin_file(li, batch, "a.tif", 4)
    with client_of(address, token_of(context, login)) as other:
        headers = BYTES | {"upload-offset": "0"}
        assert other.head(upload, headers=TUS).status_code == 404
        assert other.patch(upload, content=b"evil", headers=headers).status_code == 404
        assert other.delete(upload, headers=TUS).status_code == 404
        announced = TUS | {"upload-length": "4"} | metadata(batch=batch, filename="b.tif")
        assert other.post("/api/uploads", headers=announced).status_code == 404
        assert other.post(f"/api/batches/{batch}/complete").status_code == 404
    assert offset_of(li, upload) == 0


def test_a_stranger_is_not_let_in(address: str) -> None:
    with httpx.Client(base_url=address) as nobody:
        assert nobody.post("/api/uploads", headers=TUS | {"upload-length": "1"}).status_code == 401
        assert nobody.patch("/api/uploads/1-" + "0" * 48, headers=BYTES | {"upload-offset": "0"}).status_code == 401
        assert nobody.post("/api/batches", json={"area": "330102"}).status_code == 401


def test_a_browser_needs_the_pages_token(sign_in: SignIn) -> None:
    browser = sign_in("county")
    batch = browser.post("/api/batches", json={"area": "330199"}).json()["id"]
    headers = TUS | {"upload-length": "1"} | metadata(batch=batch, filename="a.tif")
    upload = browser.post("/api/uploads", headers=headers).headers["location"]
    wrong = BYTES | {"upload-offset": "0", "x-csrf-token": "guessed"}
    assert browser.patch(upload, content=b"x", headers=wrong).status_code == 403
    assert browser.patch(upload, content=b"x", headers=BYTES | {"upload-offset": "0"}).status_code == 204


@pytest.mark.parametrize("name", ["../../../../etc/cron.d/evil", "/etc/passwd", "C:\\windows\\a.tif", "a/../../b.tif"])
def test_a_name_is_never_a_path(context: Context, li: httpx.Client, tmp_path: Path, name: str) -> None:
    upload = begin_file(li, begin_batch(li), name, 4)
    li.patch(upload, content=b"evil", headers=BYTES | {"upload-offset": "0"}).raise_for_status()
    folder = context.settings.home / "uploads"
    found = find_upload(context.settings, upload.rpartition("/")[2])
    assert found is not None
    assert ".." not in found.name
    assert not found.name.startswith("/")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"evil"] == [found.part]
    assert found.part.is_relative_to(folder.resolve())


@pytest.mark.parametrize("name", ["", "..", "folder/.DS_Store", "Thumbs.db"])
def test_a_file_without_a_name_or_a_hidden_one_is_refused(li: httpx.Client, name: str) -> None:
    headers = TUS | {"upload-length": "1"} | metadata(batch=begin_batch(li), filename=name)
    assert li.post("/api/uploads", headers=headers).status_code == 422


@pytest.mark.parametrize(
    "upload", ["1-" + "0" * 48, "../../batch.json", "%2e%2e%2fbatch.json", "1", "1-..", "01-" + "a" * 48]
)
def test_an_id_that_is_none_is_not_found(li: httpx.Client, upload: str) -> None:
    begin_batch(li)
    assert li.head(f"/api/uploads/{upload}", headers=TUS).status_code in (404, 405)


def test_more_than_was_announced_is_refused_and_what_belongs_to_it_kept(context: Context, li: httpx.Client) -> None:
    upload = begin_file(li, begin_batch(li), "a.tif", 10)
    answer = li.patch(upload, content=b"0123456789more", headers=BYTES | {"upload-offset": "0"})
    assert answer.status_code == 413
    assert _bytes_of(context, upload) == b"0123456789"


def test_a_file_beyond_the_limit_or_the_disk_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with (
        context_with_people(tmp_path / "home", max_upload_gib=1_000_000) as context,
        serving(context) as address,
        client_of(address, token_of(context, "li")) as li,
    ):
        said = TUS | metadata(batch=begin_batch(li), filename="a.tif")
        assert li.post("/api/uploads", headers=said | {"upload-length": str(2 * 10**15)}).status_code == 413
        full = li.post("/api/uploads", headers=said | {"upload-length": str(5 * 10**14)})
        assert (full.status_code, "room" in full.json()["error"]) == (503, True)
        assert li.post("/api/uploads", headers=said | {"upload-length": "-1"}).status_code == 422


def test_bytes_for_another_place_are_refused(context: Context, li: httpx.Client) -> None:
    upload = begin_file(li, begin_batch(li), "a.tif", 10)
    assert li.patch(upload, content=b"56789", headers=BYTES | {"upload-offset": "5"}).status_code == 409
    assert li.patch(upload, content=b"0", headers=TUS | {"upload-offset": "0"}).status_code == 415
    assert li.patch(upload, content=b"0", headers={"upload-offset": "0"}).status_code == 412
    assert _bytes_of(context, upload) == b""


def test_the_same_name_again_replaces_the_upload_whose_address_was_lost(li: httpx.Client) -> None:
    batch = begin_batch(li)
    first, second = (begin_file(li, batch, "a.tif", 10) for _ in range(2))
    assert first != second
    assert li.head(first, headers=TUS).status_code == 404
    assert [one["name"] for one in li.get(f"/api/batches/{batch}").json()["uploads"]] == ["a.tif"]


def test_its_sender_sees_how_far_each_file_is_and_nobody_else(context: Context, address: str, li: httpx.Client) -> None:
    batch = begin_batch(li)
    sha256 = hashlib.sha256(b"0123456789").hexdigest()
    upload = begin_file(li, batch, "a.tif", 10, sha256=sha256, modified=17)
    li.patch(upload, content=b"0123", headers=BYTES | {"upload-offset": "0"})
    told = {
        "id": upload.rpartition("/")[2],
        "name": "a.tif",
        "size": 10,
        "modified": "17",
        "sha256": sha256,
        "offset": 4,
    }
    assert li.get(f"/api/batches/{batch}").json()["uploads"] == [told]
    with client_of(address, token_of(context, "zhang")) as other:
        assert "uploads" not in other.get(f"/api/batches/{batch}").json()


def test_an_upload_can_be_given_up(li: httpx.Client) -> None:
    upload = begin_file(li, begin_batch(li), "a.tif", 10)
    assert li.delete(upload, headers=TUS).status_code == 204
    assert li.head(upload, headers=TUS).status_code == 404
