"""What a photo says of itself: EXIF by Pillow, and the XMP packet of drones, both from strangers."""

from __future__ import annotations

import datetime as dt
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import defusedxml
from defusedxml.ElementTree import fromstring
from PIL import Image, UnidentifiedImageError

from errors import Reason
from imagery.files.header_limits import broken
from imagery.files.safe_file import LocalFile

_DJI = "{http://www.dji.com/drone-dji/1.0/}"
_PANORAMA = "{http://ns.google.com/photos/1.0/panorama/}"
_DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
_NO_NUMBER = Reason("its position is no number (a fraction with a zero denominator?)", "photo.no_number")
_MOMENT = re.compile(r"^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_DAY = re.compile(r"^(\d{4})[:-](\d\d)[:-](\d\d)")

# numbers of EXIF tags
_MAKE, _MODEL, _SOFTWARE_DATE = 271, 272, 306
_EXIF, _GPS = 0x8769, 0x8825
_TAKEN, _FOCAL, _FOCAL_35 = 36867, 37386, 41989
_SERIAL = 42033
_LAT_REF, _LAT, _LON_REF, _LON, _ALT_REF, _ALT, _HEADING_REF, _HEADING, _DATE = 1, 2, 3, 4, 5, 6, 16, 17, 29


@dataclass(frozen=True)
class Tags:
    """What the tags hold, as far as it can be used. None: not there, or no number.

    Attributes:
        model, serial: of the camera.
        faulty: there is a position, but it cannot be used; why, for people.
        latitude, longitude: degrees.
        altitude_m: above the sea, as EXIF says.
        heading_deg: of the photo's upper edge, clockwise from true north.
        taken: by the camera's clock.
        gps_date: by the satellites.
        focal_mm, focal_35_mm: focal length, and that of a 35 mm camera with the same view.
        dji: values of DJI's XMP by their names; empty where there are none.
        panorama: XMP says that it was stitched.
    """

    model: str
    serial: str
    faulty: str
    latitude: float | None
    longitude: float | None
    altitude_m: float | None
    heading_deg: float | None
    taken: dt.datetime | None
    gps_date: dt.date | None
    focal_mm: float | None
    focal_35_mm: float | None
    dji: dict[str, str]
    panorama: bool

    @property
    def camera_photo(self) -> bool:
        """Whether a camera took it, in contrast to an image that some program made."""
        return bool(self.model or self.dji or self.latitude is not None or self.faulty)


def read_tags(file: LocalFile) -> Tags:
    """Read the tags of a JPEG file; no pixel is decoded.

    Raises:
        ImageError: Pillow cannot make sense of the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged tags; they are missing then
            with Image.open(file.path, formats=("JPEG",)) as image:
                exif = image.getexif()
                main, inner, gps = dict(exif), dict(exif.get_ifd(_EXIF)), dict(exif.get_ifd(_GPS))
                packet = image.info.get("xmp")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise broken(file.name, f"its tags cannot be read ({str(error)[:100]})") from None
    dji, panorama = _xmp(packet if isinstance(packet, bytes) else b"")
    latitude, longitude, faulty = _position(gps, dji)
    altitude = number(gps.get(_ALT))
    return Tags(
        model=_text(main.get(_MODEL)),
        serial=_text(inner.get(_SERIAL)) or dji.get("CameraSerialNumber", ""),
        faulty=faulty,
        latitude=latitude,
        longitude=longitude,
        altitude_m=None if altitude is None else (-altitude if gps.get(_ALT_REF) in (1, b"\x01") else altitude),
        heading_deg=number(gps.get(_HEADING)) if _text(gps.get(_HEADING_REF)).upper() != "M" else None,
        taken=_moment(_text(inner.get(_TAKEN))) or _moment(_text(main.get(_SOFTWARE_DATE))),
        gps_date=_day(_text(gps.get(_DATE))),
        focal_mm=_positive(inner.get(_FOCAL)),
        focal_35_mm=_positive(inner.get(_FOCAL_35)),
        dji=dji,
        panorama=panorama,
    )


def number(value: Any) -> float | None:
    """A finite number from a tag or text; None for a zero denominator and whatever else is none."""
    try:
        found = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _positive(value: Any) -> float | None:
    found = number(value)
    return found if found is not None and found > 0 else None


def _position(gps: dict[int, Any], dji: dict[str, str]) -> tuple[float | None, float | None, str]:
    """Latitude and longitude, and what is wrong with them; EXIF first, as every program writes it."""
    latitude, longitude = (
        _degrees(gps.get(value), _text(gps.get(reference)).upper(), negative)
        for value, reference, negative in ((_LAT, _LAT_REF, "S"), (_LON, _LON_REF, "W"))
    )
    if latitude is None or longitude is None:
        latitude = number(dji.get("GpsLatitude"))
        longitude = number(dji.get("GpsLongitude", dji.get("GpsLongtitude")))  # older drones write it so
    if latitude is None or longitude is None:
        there = _LAT in gps or _LON in gps
        return None, None, _NO_NUMBER if there else ""
    if abs(latitude) > 89 or abs(longitude) > 180:
        words = f"its position {latitude:g}, {longitude:g} is no latitude and longitude"
        return None, None, Reason(words, "photo.nowhere", latitude=latitude, longitude=longitude)
    if abs(latitude) < 1e-6 and abs(longitude) < 1e-6:
        return None, None, Reason("its position is 0, 0: the drone had no satellites yet", "photo.null_island")
    return latitude, longitude, ""


def _degrees(parts: Any, reference: str, negative: str) -> float | None:
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    degrees, minutes, seconds = (number(part) for part in parts)
    if degrees is None or minutes is None or seconds is None:
        return None
    return (degrees + minutes / 60 + seconds / 3600) * (-1 if reference == negative else 1)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return "".join(c for c in value.split("\0")[0] if c.isprintable()).strip()[:100] if isinstance(value, str) else ""


def _moment(text: str) -> dt.datetime | None:
    found = _MOMENT.match(text)
    try:
        year, month, day, hour, minute, second = (int(part) for part in found.groups()) if found else (0,) * 6
        return dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  (the clock knows no zone)
    except ValueError:
        return None


def _day(text: str) -> dt.date | None:
    found = _DAY.match(text)
    try:
        return dt.date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _xmp(packet: bytes) -> tuple[dict[str, str], bool]:
    """DJI's values, whether they stand as attributes or as elements, and whether it is a panorama."""
    start, end = packet.find(b"<x:xmpmeta"), packet.rfind(b"</x:xmpmeta>")
    if start < 0 or end < 0:
        return {}, False
    try:
        root: Element = fromstring(packet[start : end + len(b"</x:xmpmeta>")], forbid_dtd=True)
    except (ParseError, defusedxml.DefusedXmlException, ValueError):
        return {}, False
    values: dict[str, str] = {}
    panorama = False
    for description in root.iter(_DESCRIPTION):
        pairs = [*description.attrib.items(), *((child.tag, child.text or "") for child in description)]
        for name, value in pairs:
            if name.startswith(_DJI):
                values[name[len(_DJI) :]] = value.strip()[:500]
            panorama = panorama or name == f"{_PANORAMA}ProjectionType"
    return values, panorama
