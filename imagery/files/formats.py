"""Detect the format of a file by its first bytes, never by its name."""

from __future__ import annotations

from dataclasses import dataclass

from errors import ImageError, Reason

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

_SUPPORTED: tuple[tuple[bytes, Format], ...] = (
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
)

_TO_TIFF = Reason("Convert it to GeoTIFF in the program that created it and use that file.", "format.do_tiff")
_UNPACK = Reason("Unpack it and use the image inside.", "format.do_unpack")
_JOIN = Reason(
    "Put all its parts into one folder, unpack the first one (with 7-Zip or WinRAR), and use the unpacked files.",
    "format.do_join",
)
_EXPORT = Reason("Export the image in it as GeoTIFF.", "format.do_export")
_TO_PNG = Reason("Save it as PNG.", "format.do_png")
_FRAMES = Reason("Save single frames of it as JPEG or PNG.", "format.do_frames")
_FROM_ECW = Reason(
    "Convert it, for example with `gdal_translate IN.ecw OUT.tif -of COG` of a QGIS build.", "format.do_ecw"
)
_AGAIN = Reason("Copy it again from its source.", "format.do_again")

_UNSUPPORTED: tuple[tuple[bytes, Reason, Reason], ...] = (
    (b"PK\x03\x04", Reason("a zip archive", "format.zip"), _UNPACK),
    (b"PK\x07\x08", Reason("a part of a divided zip archive", "format.divided_zip"), _JOIN),
    (b"PK00PK\x03\x04", Reason("a part of a divided zip archive", "format.divided_zip"), _JOIN),
    (b"\x1f\x8b", Reason("a gzip archive", "format.gzip"), _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", Reason("a 7z archive", "format.seven_zip"), _UNPACK),
    (b"Rar!", Reason("a rar archive", "format.rar"), _UNPACK),
    (b"%PDF", Reason("a PDF document", "format.pdf"), _EXPORT),
    (
        b"msid",
        Reason("a MrSID image", "format.mrsid"),
        Reason("Convert it with `mrsiddecode -i IN.sid -o OUT.tif -of tifg` and use the GeoTIFF.", "format.do_mrsid"),
    ),
    (b"ecwp", Reason("an address of ECW images", "format.ecw_address"), _TO_TIFF),
    (b"e\x02", Reason("an ECW image", "format.ecw"), _FROM_ECW),
    (b"e\x03", Reason("an ECW image", "format.ecw"), _FROM_ECW),
    (b"CDF\x01", Reason("a NetCDF file", "format.netcdf"), _TO_TIFF),
    (b"CDF\x02", Reason("a NetCDF file", "format.netcdf"), _TO_TIFF),
    (b"CDF\x05", Reason("a NetCDF file", "format.netcdf"), _TO_TIFF),
    (b"\x89HDF\r\n\x1a\n", Reason("an HDF5 or NetCDF-4 file", "format.hdf_five"), _TO_TIFF),
    (b"\x0e\x03\x13\x01", Reason("an HDF4 file", "format.hdf_four"), _TO_TIFF),
    (
        b"EHFA_HEADER_TAG",
        Reason("an Erdas Imagine image", "format.erdas"),
        Reason("Convert it with `gdal_translate IN.img OUT.tif -of COG`.", "format.do_erdas"),
    ),
    (b"NITF", Reason("a NITF image", "format.nitf"), _TO_TIFF),
    (b"SQLite format 3", Reason("a database (GeoPackage or MBTiles)", "format.database"), _EXPORT),
    (b"GIF8", Reason("a GIF image", "format.gif"), _TO_PNG),
    (b"BM", Reason("a BMP image", "format.bmp"), _TO_PNG),
    (b"\x1aE\xdf\xa3", Reason("a video", "format.video"), _FRAMES),
    (b"\x00\x00\x01\xba", Reason("a video", "format.video"), _FRAMES),
    (b"FLV\x01", Reason("a video", "format.video"), _FRAMES),
    (
        b"8BPS",
        Reason("a Photoshop document", "format.photoshop"),
        Reason("Save it as TIFF or PNG.", "format.do_photoshop"),
    ),
)

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")


def detect_format(head: bytes, name: str) -> Format:
    """Detect the format of a file.

    Args:
        head: its first :data:`HEAD_BYTES` bytes, or all if there are fewer.
        name: file name, for messages and advice only.

    Raises:
        ImageError: it is not TIFF, JPEG, PNG, JPEG 2000 or WebP; the message says what it is and what to do.
    """
    for magic, file_format in _SUPPORTED:
        if head.startswith(magic):
            return file_format
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    what, advice = _unsupported(head)
    if head.startswith(b"PK\x03\x04") and name.lower().endswith(".kmz"):
        what, advice = Reason("a KMZ overlay of Google Earth", "format.kmz"), _EXPORT
    raise ImageError(
        f"{name} is {what}, not one of GeoTIFF, JPEG, PNG, JPEG 2000 or WebP. {advice}",
        "file.format",
        name=name,
        what=what,
        advice=advice,
    )


def _unsupported(head: bytes) -> tuple[Reason, Reason]:
    """Return what an unsupported file is, and what to do with it."""
    if not head:
        return Reason("an empty file", "format.empty"), _AGAIN
    for magic, what, advice in _UNSUPPORTED:
        if head.startswith(magic):
            return what, advice
    if head[4:8] == b"ftyp":
        if head[8:12] in _HEIF_BRANDS:
            advice = Reason("Save it as JPEG, or set the camera to JPEG ('most compatible').", "format.do_jpeg")
            return Reason("a HEIC or AVIF photo", "format.heic"), advice
        return Reason("a video", "format.video"), _FRAMES
    if head.startswith(b"RIFF"):
        return Reason("a video or audio file", "format.sound"), _FRAMES
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        advice = Reason(
            "Files that only refer to images (VRT, WMS, XML) are not supported: use the image itself.",
            "format.do_not_point",
        )
        return Reason("an XML or HTML text", "format.xml"), advice
    if b"\0" not in head:
        advice = Reason("Check the name, or copy the image again from its source.", "format.do_check")
        return Reason("a text file", "format.text"), advice
    return Reason("of an unknown format", "format.unknown"), _TO_TIFF
