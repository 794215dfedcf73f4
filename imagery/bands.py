"""Which bands of a file are red, green and blue."""

from __future__ import annotations

import re
from collections.abc import Sequence

from errors import ImageError

RGB = tuple[int, int, int]

_COLOURS = {
    "red": {"red", "r", "红", "红波段", "b04", "b4"},
    "green": {"green", "g", "grn", "绿", "绿波段", "b03", "b3"},
    "blue": {"blue", "b", "blu", "蓝", "蓝波段", "b02", "b2"},
}
"""Names of bands. B04, B03 and B02 are red, green and blue on Sentinel-2 and on Landsat 8 and 9 alike."""

ORDER_BY_COUNT: dict[int, RGB] = {
    3: (1, 2, 3),
    4: (3, 2, 1),  # blue, green, red, near infrared: Gaofen, Ziyuan, Pléiades, PlanetScope, SuperView
    5: (3, 2, 1),  # RapidEye; MicaSense
    6: (3, 2, 1),  # Landsat 4-7 reflective bands
    7: (4, 3, 2),  # Landsat 8-9: coastal first
    8: (5, 3, 2),  # WorldView-2 and -3: coastal, blue, green, yellow, red, …
    9: (4, 3, 2),
    10: (3, 2, 1),  # Sentinel-2 without the 60 m bands
    11: (4, 3, 2),
    12: (4, 3, 2),  # Sentinel-2 level 2A
    13: (4, 3, 2),  # Sentinel-2 level 1C
}
"""Bands without names and colours: the order in which the sensors with that many bands are delivered."""


def choose_bands(
    count: int,
    dtype: str,
    colours: Sequence[str],
    descriptions: Sequence[str | None],
    asked: Sequence[int] | None = None,
) -> tuple[RGB, str]:
    """Find red, green and blue.

    Args:
        count: bands of the file, alpha included.
        dtype: of the samples, as rasterio names it.
        colours: colour interpretation of each band by name ("red", "gray", "alpha", "undefined", …).
        descriptions: name of each band, or None.
        asked: what a person or profile said: three band numbers from 1, or one for grey.

    Returns:
        Band numbers from 1 (red, green, blue), and in words how they were found.

    Raises:
        ImageError: the bands asked for are not in the file.
    """
    if asked is not None:
        return _asked(count, asked), "as asked for"
    named = _by_name(descriptions)
    if named:
        return named, "by the names of the bands"
    if all(colour in colours for colour in ("red", "green", "blue")):
        return (
            colours.index("red") + 1,
            colours.index("green") + 1,
            colours.index("blue") + 1,
        ), "by the colours of the bands"
    pictures = count - (1 if "alpha" in colours else 0)
    if pictures <= 2:
        return (1, 1, 1), "grey"
    if dtype == "uint8" and pictures <= 4:
        # eight bits are a picture made to be looked at: red first, and a fourth band, if any, is near infrared
        return (1, 2, 3), "by the usual order of 8-bit images"
    return ORDER_BY_COUNT[pictures], f"by the usual order of {pictures} bands"


def _asked(count: int, asked: Sequence[int]) -> RGB:
    numbers = tuple(int(band) for band in asked)
    if len(numbers) not in (1, 3) or not all(1 <= band <= count for band in numbers):
        raise ImageError(
            f"Bands {', '.join(map(str, numbers)) or '(none)'} were asked for, but the file has bands 1 to {count}. "
            "Give three of them (red, green, blue) or one for grey."
        )
    return (numbers[0], numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def _by_name(descriptions: Sequence[str | None]) -> RGB | None:
    found: dict[str, int] = {}
    for number, description in enumerate(descriptions, start=1):
        name = _plain(description or "")
        for colour, names in _COLOURS.items():
            if name in names:
                found.setdefault(colour, number)
    if len(found) < 3:
        return None
    return found["red"], found["green"], found["blue"]


def _plain(description: str) -> str:
    """Lower case without "Band 3 -", wavelengths in brackets and units: "Band 4: Red (665 nm)" → "red"."""
    text = re.sub(r"[(\[].*?[)\]]", " ", description.strip().lower())
    text = re.sub(r"\b\d+(\.\d+)?\s*(nm|um|µm|m)\b", " ", text)
    named = re.sub(r"^(band|波段)[\s_-]*\d+\s*[:,_-]?\s*(?=[^\W\d])", "", text)
    return re.sub(r"[\s_:,-]*(band)?[\s_:,-]*$", "", named).strip(" _:,-")
