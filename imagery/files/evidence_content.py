"""Check an evidence file by its content: photos (JPEG, PNG, WebP, HEIC) and documents (PDF, DOCX).

:func:`check_content` runs in a sandboxed process (:func:`imagery.sandbox.run_sandboxed`): decoders see untrusted bytes.
The original is only read; the copy for browsers is a new JPEG without metadata, turned upright.
"""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from errors import ImageError

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/heic": "heic",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}
"""Accepted media types, with the extension of their object keys."""

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/heic")

MAX_PIXELS = 120_000_000
"""Largest accepted photo; a phone's largest mode has 108 or 200 megapixels stored as 12 to 50."""

_MAX_SIDE = 2048  # of the copy for browsers
_MAX_UNPACKED = 200 * 2**20  # bytes of all parts of a DOCX
_MAX_DOCUMENT = 50 * 2**20  # bytes of its text
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_PDF_HEAD, _PDF_TAIL = 1024, 2048  # where readers look for the marks of a PDF


def media_type(head: bytes) -> str | None:
    """Return the media type by the first bytes of a file; None: not an accepted one. DOCX is only guessed (a zip)."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "image/heic"
    if b"%PDF-" in head[:_PDF_HEAD]:
        return "application/pdf"
    return DOCX if head.startswith(b"PK\x03\x04") else None


def check_content(task: dict[str, Any]) -> dict[str, Any]:
    """Check one file, and write a copy that browsers can show if it is a photo.

    Args:
        task: ``path`` of the file, ``shown`` path of the copy to write, ``name`` for messages.

    Returns:
        ``media_type``, ``kind`` (photo or document); of a photo ``width``, ``height`` and ``exif`` (:func:`_exif`); of
        a PDF ``pages``.

    Raises:
        ImageError: not an accepted format, damaged, too large, or with macros.
    """
    path, name = Path(task["path"]), str(task["name"])
    with path.open("rb") as file:
        found = media_type(file.read(_PDF_HEAD))
    if found in PICTURES:
        return {"media_type": found, "kind": "photo", **_photo(path, Path(task["shown"]), found, name)}
    if found == "application/pdf":
        return {"media_type": found, "kind": "document", "pages": _pdf_pages(path, name)}
    if found == DOCX:
        _check_docx(path, name)
        return {"media_type": found, "kind": "document"}
    raise ImageError(
        f"{name} is not a JPEG, PNG, WebP or HEIC photo, nor a PDF or DOCX document. Save it in one of these formats.",
        "evidence.format",
        name=name,
    )


def _photo(path: Path, shown: Path, found: str, name: str) -> dict[str, Any]:
    from PIL import Image, ImageOps

    if found == "image/heic":
        import pi_heif

        pi_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            exif = _exif(image)
            image.draft("RGB", (_MAX_SIDE, _MAX_SIDE))  # of a JPEG: decode at a reduced size
            size = exif.pop("size", None) or (image.width, image.height)
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((_MAX_SIDE, _MAX_SIDE))
            upright.convert("RGB").save(shown, "JPEG", quality=85)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(
            f"{name} has more than {MAX_PIXELS // 10**6} million pixels. Save it smaller.", "evidence.pixels", name=name
        ) from None
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, EOFError) as error:
        raise _damaged(name) from error
    return {"width": size[0], "height": size[1], "exif": exif}


def _damaged(name: str) -> ImageError:
    message = f"{name} is damaged and cannot be opened. Send the original file again."
    return ImageError(message, "evidence.damaged", name=name)


def _exif(image: Any) -> dict[str, Any]:
    """Return what the camera wrote: ``device_time`` (local, ISO 8601), ``lon``, ``lat``, ``heading_deg``, ``camera``.

    Values that are missing or implausible are left out: browsers and messengers remove them.
    """
    found: dict[str, Any] = {"size": (image.width, image.height)}
    with contextlib.suppress(Exception):  # a broken tag is a missing one
        tags = image.getexif()
        inner, gps = tags.get_ifd(0x8769), tags.get_ifd(0x8825)
        taken = str(inner.get(0x9003) or "")
        if len(taken) >= 19:
            found["device_time"] = f"{taken[:10].replace(':', '-')}T{taken[11:19]}{str(inner.get(0x9011) or '')[:6]}"
        camera = " ".join(str(tags.get(tag) or "").strip("\x00 ") for tag in (0x010F, 0x0110)).strip()
        if camera:
            found["camera"] = camera[:100]
        lat, lon = _degrees(gps.get(2), gps.get(1), "S"), _degrees(gps.get(4), gps.get(3), "W")
        if lat is not None and lon is not None and abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0.0, 0.0):
            found |= {"lat": round(lat, 7), "lon": round(lon, 7)}
        heading = gps.get(17)
        if heading is not None and 0 <= float(heading) < 360:
            found |= {"heading_deg": round(float(heading), 1), "heading_reference": str(gps.get(16) or "")[:1]}
    return found


def _degrees(values: Any, reference: Any, negative: str) -> float | None:
    if not values or len(values) != 3:
        return None
    degrees, minutes, seconds = (float(value) for value in values)
    size = degrees + minutes / 60 + seconds / 3600
    return -size if str(reference or "").strip("\x00 ") == negative else size


def _pdf_pages(path: Path, name: str) -> int:
    from pypdf import PdfReader

    try:
        with path.open("rb") as file:
            _require_end(file)
            reader = PdfReader(file, strict=False)
            if reader.is_encrypted and not reader.decrypt(""):
                raise ImageError(
                    f"{name} is protected by a password. Send a copy without one.", "evidence.password", name=name
                )
            pages = len(reader.pages)
    except ImageError:
        raise
    except Exception as error:  # pypdf raises many types for damaged files
        raise _damaged(name) from error
    if pages == 0:
        raise _damaged(name)
    return pages


def _require_end(file: BinaryIO) -> None:
    file.seek(0, 2)
    file.seek(max(0, file.tell() - _PDF_TAIL))
    if b"%%EOF" not in file.read():
        raise ValueError("the end of the PDF is missing")
    file.seek(0)


def _check_docx(path: Path, name: str) -> None:
    from defusedxml.ElementTree import parse

    try:
        with zipfile.ZipFile(path) as archive:
            parts = {entry.filename: entry for entry in archive.infolist()}
            if "word/document.xml" not in parts or "[Content_Types].xml" not in parts:
                raise ImageError(
                    f"{name} is a zip archive, not a DOCX document. Send its files one by one.",
                    "evidence.archive",
                    name=name,
                )
            if any(part.lower().endswith("vbaproject.bin") for part in parts):
                raise ImageError(f"{name} contains macros. Save it without macros.", "evidence.macros", name=name)
            sizes = [entry.file_size for entry in parts.values()]
            if sum(sizes) > _MAX_UNPACKED or parts["word/document.xml"].file_size > _MAX_DOCUMENT:
                raise ValueError("it unpacks to too many bytes")
            if archive.testzip() is not None:
                raise ValueError("a part has a wrong checksum")
            with archive.open("word/document.xml") as text:
                parse(text)
    except ImageError:
        raise
    except Exception as error:  # damaged zip, XML that is not well-formed or defines entities
        raise _damaged(name) from error
