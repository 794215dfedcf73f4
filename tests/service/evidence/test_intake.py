"""A received evidence file is accepted by its content, keeps its bytes, and gets a copy for browsers."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfWriter

from configs.service import ServiceSettings
from service.context import Context
from service.evidence.intake import FileRefused, receive_file
from service.home import prepare_home
from store.schema.database import Database

MB = 2**20


@pytest.fixture
def service(tmp_path: Path) -> Context:
    settings = ServiceSettings(home=tmp_path / "home")
    prepare_home(settings)
    return Context(settings, Database("sqlite://"))


def photo(size: tuple[int, int] = (400, 300), *, exif: bool = True, kind: str = "JPEG") -> bytes:
    image, buffer = Image.new("RGB", size, (90, 120, 60)), io.BytesIO()
    tags = Image.Exif()
    if exif:
        tags[0x0112] = 6  # shown turned
        tags.get_ifd(0x8769)[0x9003] = "2026:11:20 09:30:00"
        tags.get_ifd(0x8825).update({1: "N", 2: (30.0, 0.0, 9.0), 3: "E", 4: (120.0, 0.0, 36.0), 16: "T", 17: 271.25})
    image.save(buffer, kind, exif=tags)
    return buffer.getvalue()


def pdf() -> bytes:
    writer, buffer = PdfWriter(), io.BytesIO()
    writer.add_blank_page(595, 842)
    writer.write(buffer)
    return buffer.getvalue()


def docx(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    content = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<document>x</document>", **parts}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def receive(context: Context, tmp_path: Path, data: bytes, name: str, **given: Any) -> Any:
    path = tmp_path / "received"
    path.write_bytes(data)
    return receive_file(context, path, name=name, **({"max_bytes": MB} | given))


def test_a_photo_keeps_its_bytes_and_its_copy_is_upright_and_without_metadata(service: Context, tmp_path: Path) -> None:
    data = photo()
    found = receive(service, tmp_path, data, "C:\\DCIM\\现场.JPG", record={"heading_deg": 90.0})
    assert service.objects.read(found.object_key) == data
    assert (found.kind, found.media_type, found.name) == ("photo", "image/jpeg", "现场.JPG")
    exif = found.record["exif"]
    assert (exif["lon"], exif["lat"], exif["heading_deg"]) == (120.01, 30.0025, 271.2)
    assert found.record["heading_deg"] == 90.0
    assert found.taken_at is not None
    assert found.taken_at.isoformat() == "2026-11-20T09:30:00+08:00"
    with Image.open(io.BytesIO(service.objects.read(found.shown_key))) as shown:
        assert shown.size == (300, 400)
        assert not shown.getexif()


def test_documents_are_accepted_by_content_whatever_their_name(service: Context, tmp_path: Path) -> None:
    for data, media_type in ((pdf(), "application/pdf"), (docx(), "wordprocessingml.document")):
        found = receive(service, tmp_path, data, "decision.jpg")
        assert found.media_type.endswith(media_type)
        assert (found.kind, found.shown_key) == ("document", "")


@pytest.mark.parametrize(
    ("data", "words", "given"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a JPEG", {}),
        (b"MZ\x90\x00 program", "is not a JPEG", {}),
        (b"", "is empty", {}),
        (photo()[:300], "is damaged", {}),
        (pdf()[:-200], "is damaged", {}),
        (docx(**{"word/vbaProject.bin": b"x"}), "macros", {}),
        (docx(**{"word/document.xml": b'<!DOCTYPE d [<!ENTITY a "b">]><d>&a;</d>'}), "is damaged", {}),
        (photo(), "at most 0 MB", {"max_bytes": 100}),
        (photo(), "other bytes", {"sha256": "0" * 64}),
        (pdf(), "expected a photo", {"accept": "photo"}),
    ],
)
def test_what_is_refused_stores_nothing_and_says_why(
    service: Context, tmp_path: Path, data: bytes, words: str, given: dict[str, Any]
) -> None:
    with pytest.raises(FileRefused, match=words) as caught:
        receive(service, tmp_path, data, "file.jpg", **given)
    assert caught.value.reason.code
    assert list(service.objects.keys("files/")) == []


def test_a_photo_of_an_iphone_gets_a_copy_that_browsers_show(service: Context, tmp_path: Path) -> None:
    heic = Path(__file__).with_name("photo.heic").read_bytes()
    found = receive(service, tmp_path, heic, "IMG_0001.HEIC")
    assert found.media_type == "image/heic"
    with Image.open(io.BytesIO(service.objects.read(found.shown_key))) as shown:
        assert shown.format == "JPEG"
