"""Copies of photos: stamped with their record, or with parts blacked out. The original is never changed.

They are made from the copy for browsers, which is a JPEG of our own making, upright and without metadata.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

Box = tuple[float, float, float, float]
"""Left, top, width and height of a part, as shares of the width and height of the upright photo."""

_QUALITY = 88
_LINE_SHARE = 0.022  # height of a line of the stamp, relative to the longer side
_STRIP = (0, 0, 0, 150)


def stamp(picture: bytes, lines: Sequence[str]) -> bytes:
    """Return a JPEG with lines of text on a dark strip along the bottom."""
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    size = max(14, round(_LINE_SHARE * max(image.size)))
    font = ImageFont.load_default(size)
    height = round(1.35 * size)
    top = image.height - height * len(lines) - size // 2
    draw = ImageDraw.Draw(image, "RGBA")
    draw.rectangle((0, top, image.width, image.height), fill=_STRIP)
    for number, line in enumerate(lines):
        draw.text((size // 2, top + size // 4 + number * height), line, fill=(255, 255, 255), font=font)
    return _jpeg(image)


def black_out(picture: bytes, boxes: Sequence[Box]) -> bytes:
    """Return a JPEG with the boxes filled in black."""
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    draw = ImageDraw.Draw(image)
    for left, top, width, height in boxes:
        corner = (left * image.width, top * image.height)
        draw.rectangle((*corner, corner[0] + width * image.width, corner[1] + height * image.height), fill=(0, 0, 0))
    return _jpeg(image)


def stamp_lines(
    number: str, who: str, record: Mapping[str, Any], taken_at: dt.datetime | None, zone: dt.tzinfo
) -> list[str]:
    """Return the lines of the stamp, in characters that every font has.

    Args:
        number: of the alert.
        who: login of the photographer.
        record: of the photo (:class:`enforcement.field_check.photo_record.PhotoRecord`).
        taken_at: best known time of capture.
        zone: time zone of the stamp.
    """
    time = f"{taken_at.astimezone(zone):%Y-%m-%d %H:%M:%S %z}" if taken_at else "time unknown"
    place = "position unknown"
    if isinstance(record.get("lon"), int | float) and isinstance(record.get("lat"), int | float):
        lon, lat = float(record["lon"]), float(record["lat"])
        place = f"{abs(lon):.6f}{'E' if lon >= 0 else 'W'} {abs(lat):.6f}{'N' if lat >= 0 else 'S'}"
        if isinstance(record.get("accuracy_m"), int | float):
            place += f" +/-{record['accuracy_m']:.0f} m"
    heading = record.get("heading_deg")
    direction = f"heading {heading:.0f} ({record.get('heading_north') or 'north'})" if heading is not None else ""
    login = who.encode("ascii", "replace").decode()
    return [f"{number}  {login}", f"{time}  {direction}".rstrip(), place]


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
