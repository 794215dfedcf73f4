"""What a file is, told by its first bytes and never by its name."""

from __future__ import annotations

from dataclasses import dataclass

from errors import ImageError

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Format:
    """An image format that Tuban reads, and the one GDAL driver that may open it."""

    name: str
    driver: str
    suffix: str


TIFF = Format("TIFF", "GTiff", ".tif")
JPEG = Format("JPEG", "JPEG", ".jpg")
PNG = Format("PNG", "PNG", ".png")
JPEG2000 = Format("JPEG 2000", "JP2OpenJPEG", ".jp2")
WEBP = Format("WebP", "WEBP", ".webp")

_READ: tuple[tuple[bytes, Format], ...] = (
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
)

_TO_TIFF = "Convert it to GeoTIFF in the program that made it and pass that file."
_UNPACK = "Unpack it and pass the image that lies in it."

_REFUSED: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a rar archive", _UNPACK),
    (b"%PDF", "a PDF document", "Export the image from it as GeoTIFF."),
    (b"msid", "a MrSID image", "Convert it with `mrsiddecode -i IN.sid -o OUT.tif -of tifg` and pass the GeoTIFF."),
    (b"ecwp", "an address of ECW images", _TO_TIFF),
    (b"e\x02", "an ECW image", "Convert it, for example with `gdal_translate IN.ecw OUT.tif -of COG` of a QGIS build."),
    (b"e\x03", "an ECW image", "Convert it, for example with `gdal_translate IN.ecw OUT.tif -of COG` of a QGIS build."),
    (b"CDF\x01", "a NetCDF file", _TO_TIFF),
    (b"CDF\x02", "a NetCDF file", _TO_TIFF),
    (b"CDF\x05", "a NetCDF file", _TO_TIFF),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 or NetCDF-4 file", _TO_TIFF),
    (b"\x0e\x03\x13\x01", "an HDF4 file", _TO_TIFF),
    (b"EHFA_HEADER_TAG", "an Erdas Imagine image", "Convert it with `gdal_translate IN.img OUT.tif -of COG`."),
    (b"NITF", "a NITF image", _TO_TIFF),
    (b"SQLite format 3", "a database (GeoPackage or MBTiles)", "Export the raster in it as GeoTIFF."),
    (b"GIF8", "a GIF image", "Save it as PNG."),
    (b"BM", "a BMP image", "Save it as PNG."),
    (b"\x1aE\xdf\xa3", "a video", "Save single frames of it as JPEG or PNG."),
    (b"\x00\x00\x01\xba", "a video", "Save single frames of it as JPEG or PNG."),
    (b"FLV\x01", "a video", "Save single frames of it as JPEG or PNG."),
    (b"8BPS", "a Photoshop document", "Save it as TIFF or PNG."),
)

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")


def recognise(head: bytes, name: str) -> Format:
    """Tell the format of a file by its first bytes.

    Args:
        head: the first :data:`HEAD_BYTES` bytes, or all if there are fewer.
        name: the file's name, for messages only.

    Raises:
        ImageError: for everything that is not TIFF, JPEG, PNG, JPEG 2000 or WebP, saying what it is and what to do.
    """
    for magic, found in _READ:
        if head.startswith(magic):
            return found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    what, advice = _refused(head)
    raise ImageError(f"{name} is {what}, not one of GeoTIFF, JPEG, PNG, JPEG 2000 or WebP. {advice}")


def _refused(head: bytes) -> tuple[str, str]:
    if not head:
        return "an empty file", "Copy it again from where it came from."
    for magic, what, advice in _REFUSED:
        if head.startswith(magic):
            return what, advice
    if head[4:8] == b"ftyp":
        if head[8:12] in _HEIF_BRANDS:
            return "a HEIC or AVIF photo", "Save it as JPEG, or set the camera to JPEG ('most compatible')."
        return "a video", "Save single frames of it as JPEG or PNG."
    if head.startswith(b"RIFF"):
        return "a video or sound file", "Save single frames of it as JPEG or PNG."
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        advice = "A file that only points at images (VRT, WMS, XML) is never followed: pass the image itself."
        return "an XML or HTML text", advice
    if b"\0" not in head:
        return "a text file", "Check the name, or copy the image again from where it came from."
    return "of an unknown format", _TO_TIFF
