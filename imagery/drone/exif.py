"""Read EXIF (by Pillow) and the XMP packet of drones from untrusted photos."""

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
from imagery.files.header_limits import damaged_file
from imagery.files.safe_file import SafeFile

_DJI = "{http://www.dji.com/drone-dji/1.0/}"
_ATTITUDE_NAMES: dict[str, tuple[str, str, str]] = {  # by a part of the namespace: pitch, yaw and roll
    "parrot.com/drone-parrot": ("CameraPitchDegree", "CameraYawDegree", "CameraRollDegree"),
    "autelrobotics.com": ("GimbalPitchDegree", "GimbalYawDegree", "GimbalRollDegree"),
    "drone/1.0": ("GimbalPitchDegree", "GimbalYawDegree", "GimbalRollDegree"),
    "skydio.com": ("CameraPitchDegree", "CameraYawDegree", "CameraRollDegree"),
    "pix4d.com/camera": ("Pitch", "Yaw", "Roll"),
}
"""XMP of Parrot, Autel, Skydio, and Pix4D's names, which Autel, Yuneec, senseFly, Sequoia and MicaSense write, too."""

_FROM_NADIR = "pix4d.com/camera"  # its pitch is 0 straight down; those of the others are −90
_PANORAMA = "{http://ns.google.com/photos/1.0/panorama/}"
_DESCRIPTION = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"
_NOT_A_NUMBER = Reason("its position is not a number (a fraction with a zero denominator?)", "photo.no_number")
_TIMESTAMP = re.compile(r"^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_DATE_TEXT = re.compile(r"^(\d{4})[:-](\d\d)[:-](\d\d)")

# EXIF tag numbers
_MODEL, _SOFTWARE_DATE = 272, 306
_EXIF, _GPS = 0x8769, 0x8825
_TAKEN, _FOCAL, _FOCAL_35 = 36867, 37386, 41989
_SERIAL = 42033
_ORIGINAL_WIDTH, _ORIGINAL_HEIGHT, _DIGITAL_ZOOM = 40962, 40963, 41988
_LAT_REF, _LAT, _LON_REF, _LON, _ALT_REF, _ALT, _HEADING_REF, _HEADING, _DATE = 1, 2, 3, 4, 5, 6, 16, 17, 29


@dataclass(frozen=True)
class Tags:
    """Usable values of a photo's tags. None: missing, or not a number.

    Attributes:
        model, serial: of the camera.
        position_fault: why the position in the tags cannot be used, for people; "" if it can, or there is none.
        latitude, longitude: degrees.
        altitude_m: above sea level, by EXIF.
        heading_deg: of the photo's upper edge, clockwise from true north.
        taken: by the camera's clock.
        gps_date: by satellite time.
        focal_mm, focal_35_mm: focal length, and that of a 35 mm camera with the same field of view.
        original_size: width and height in pixels as the photo was taken.
        digital_zoom: factor by which the middle of the picture was enlarged.
        dji: values of DJI's XMP by name; empty where there are none.
        attitude: pitch (−90: straight down), yaw and roll in degrees by the XMP of other makers.
        panorama: XMP marks it as stitched.
    """

    model: str
    serial: str
    position_fault: str
    latitude: float | None
    longitude: float | None
    altitude_m: float | None
    heading_deg: float | None
    taken: dt.datetime | None
    gps_date: dt.date | None
    focal_mm: float | None
    focal_35_mm: float | None
    original_size: tuple[int, int] | None
    digital_zoom: float
    dji: dict[str, str]
    attitude: tuple[float, float | None, float] | None
    panorama: bool

    @property
    def from_camera(self) -> bool:
        """Whether a camera took the photo, as opposed to an image made by software."""
        return bool(self.model or self.dji or self.latitude is not None or self.position_fault)


def read_tags(file: SafeFile) -> Tags:
    """Read the tags of a JPEG file without decoding pixels.

    Raises:
        ImageError: Pillow cannot parse the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged tags count as missing
            with Image.open(file.path, formats=("JPEG",)) as image:
                exif = image.getexif()
                main, inner, gps = dict(exif), dict(exif.get_ifd(_EXIF)), dict(exif.get_ifd(_GPS))
                packet = image.info.get("xmp")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise damaged_file(file.name, f"its tags cannot be read ({str(error)[:100]})") from None
    dji, attitude, panorama = _xmp(packet if isinstance(packet, bytes) else b"")
    original = tuple(_positive(inner.get(tag)) for tag in (_ORIGINAL_WIDTH, _ORIGINAL_HEIGHT))
    latitude, longitude, position_fault = _position(gps, dji)
    altitude = parse_number(gps.get(_ALT))
    return Tags(
        model=_text(main.get(_MODEL)),
        serial=_text(inner.get(_SERIAL)) or dji.get("CameraSerialNumber", ""),
        position_fault=position_fault,
        latitude=latitude,
        longitude=longitude,
        altitude_m=None if altitude is None else (-altitude if gps.get(_ALT_REF) in (1, b"\x01") else altitude),
        heading_deg=parse_number(gps.get(_HEADING)) if _text(gps.get(_HEADING_REF)).upper() != "M" else None,
        taken=_timestamp(_text(inner.get(_TAKEN))) or _timestamp(_text(main.get(_SOFTWARE_DATE))),
        gps_date=_date(_text(gps.get(_DATE))),
        focal_mm=_positive(inner.get(_FOCAL)),
        focal_35_mm=_positive(inner.get(_FOCAL_35)),
        original_size=(int(original[0]), int(original[1])) if original[0] and original[1] else None,
        digital_zoom=max(1.0, _positive(inner.get(_DIGITAL_ZOOM)) or 1.0),
        dji=dji,
        attitude=attitude,
        panorama=panorama,
    )


def parse_number(value: Any) -> float | None:
    """Parse a finite number from a tag or text; None for a zero denominator or anything else that is not a number."""
    try:
        parsed = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) else None


def _positive(value: Any) -> float | None:
    parsed = parse_number(value)
    return parsed if parsed is not None and parsed > 0 else None


def _position(gps: dict[int, Any], dji: dict[str, str]) -> tuple[float | None, float | None, str]:
    """Latitude, longitude, and why they cannot be used; EXIF is preferred, since every program writes it."""
    latitude, longitude = (
        _degrees(gps.get(value), _text(gps.get(reference)).upper(), negative)
        for value, reference, negative in ((_LAT, _LAT_REF, "S"), (_LON, _LON_REF, "W"))
    )
    if latitude is None or longitude is None:
        latitude = parse_number(dji.get("GpsLatitude"))
        longitude = parse_number(dji.get("GpsLongitude", dji.get("GpsLongtitude")))  # misspelt by older drones
    if latitude is None or longitude is None:
        present = _LAT in gps or _LON in gps
        return None, None, _NOT_A_NUMBER if present else ""
    if abs(latitude) > 89 or abs(longitude) > 180:
        words = f"its position {latitude:g}, {longitude:g} is not a latitude and longitude"
        return None, None, Reason(words, "photo.nowhere", latitude=latitude, longitude=longitude)
    if abs(latitude) < 1e-6 and abs(longitude) < 1e-6:
        return None, None, Reason("its position is 0, 0: the drone had no satellite fix yet", "photo.null_island")
    return latitude, longitude, ""


def _degrees(parts: Any, reference: str, negative: str) -> float | None:
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    degrees, minutes, seconds = (parse_number(part) for part in parts)
    if degrees is None or minutes is None or seconds is None:
        return None
    return (degrees + minutes / 60 + seconds / 3600) * (-1 if reference == negative else 1)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return "".join(c for c in value.split("\0")[0] if c.isprintable()).strip()[:100] if isinstance(value, str) else ""


def _timestamp(text: str) -> dt.datetime | None:
    match = _TIMESTAMP.match(text)
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups()) if match else (0,) * 6
        return dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  (the clock has no time zone)
    except ValueError:
        return None


def _date(text: str) -> dt.date | None:
    match = _DATE_TEXT.match(text)
    try:
        return dt.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _xmp(packet: bytes) -> tuple[dict[str, str], tuple[float, float | None, float] | None, bool]:
    """DJI's values, written as attributes or elements, the attitude by others, and whether the photo is a panorama."""
    start, end = packet.find(b"<x:xmpmeta"), packet.rfind(b"</x:xmpmeta>")
    if start < 0 or end < 0:
        return {}, None, False
    try:
        root: Element = fromstring(packet[start : end + len(b"</x:xmpmeta>")], forbid_dtd=True)
    except (ParseError, defusedxml.DefusedXmlException, ValueError):
        return {}, None, False
    values: dict[str, str] = {}
    others: dict[str, str] = {}
    panorama = False
    for description in root.iter(_DESCRIPTION):
        pairs = [*description.attrib.items(), *((child.tag, child.text or "") for child in description)]
        for name, value in pairs:
            if name.startswith(_DJI):
                values[name[len(_DJI) :]] = value.strip()[:500]
            else:
                others[name] = value.strip()[:500]
            panorama = panorama or name == f"{_PANORAMA}ProjectionType"
    return values, _attitude_of_others(others), panorama


def _attitude_of_others(values: dict[str, str]) -> tuple[float, float | None, float] | None:
    """Return pitch, yaw and roll from the XMP of other makers than DJI."""
    for namespace, names in _ATTITUDE_NAMES.items():
        pitch, yaw, roll = (
            next(
                (
                    parse_number(value)
                    for name, value in values.items()
                    if namespace in name and name.endswith(f"}}{wanted}")
                ),
                None,
            )
            for wanted in names
        )
        if pitch is None:
            continue
        # some that use Pix4D's names count from the horizon all the same
        if namespace == _FROM_NADIR and pitch > -80:
            pitch = abs(pitch) - 90
        return pitch, yaw, roll or 0.0
    return None
