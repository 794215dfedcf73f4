"""Choose the red, green and blue bands of an image."""

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
"""Names of bands. B04, B03 and B02 are red, green and blue on Sentinel-2 as on Landsat 8 and 9."""

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
"""Red, green and blue by number of bands, for files without band names and colours: the usual order of the sensors."""


def choose_bands(
    count: int,
    dtype: str,
    colours: Sequence[str],
    descriptions: Sequence[str | None],
    requested: Sequence[int] | None = None,
) -> tuple[RGB, str]:
    """Choose the bands to use as red, green and blue.

    Args:
        count: number of bands, alpha included.
        dtype: of the pixels, as rasterio names it.
        colours: colour interpretation of each band by name ("red", "gray", "alpha", "undefined", …).
        descriptions: name of each band, or None.
        requested: bands set by the user or a profile: three numbers from 1, or one for grey.

    Returns:
        Band numbers from 1 (red, green, blue), and how they were chosen.

    Raises:
        ImageError: the file does not have the requested bands.
    """
    if requested is not None:
        return _requested(count, requested), "as requested"
    named = _by_name(descriptions)
    if named:
        return named, "by the names of the bands"
    if all(colour in colours for colour in ("red", "green", "blue")):
        return (
            colours.index("red") + 1,
            colours.index("green") + 1,
            colours.index("blue") + 1,
        ), "by the colours of the bands"
    spectral = count - (1 if "alpha" in colours else 0)
    if spectral <= 2:
        return (1, 1, 1), "grey"
    if dtype == "uint8" and spectral <= 4:
        # 8-bit images are made for display: red first, and a fourth band, if any, is near infrared
        return (1, 2, 3), "by the usual order of 8-bit images"
    return ORDER_BY_COUNT[spectral], f"by the usual order of {spectral} bands"


def _requested(count: int, bands: Sequence[int]) -> RGB:
    numbers = tuple(int(band) for band in bands)
    if len(numbers) not in (1, 3) or not all(1 <= band <= count for band in numbers):
        raise ImageError(
            f"Bands {', '.join(map(str, numbers)) or '(none)'} were requested, but the file has bands 1 to {count}. "
            "Give three of them (red, green, blue) or one for grey."
        )
    return (numbers[0], numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def _by_name(descriptions: Sequence[str | None]) -> RGB | None:
    found: dict[str, int] = {}
    for number, description in enumerate(descriptions, start=1):
        name = _normalized(description or "")
        for colour, names in _COLOURS.items():
            if name in names:
                found.setdefault(colour, number)
    if len(found) < 3:
        return None
    return found["red"], found["green"], found["blue"]


def _normalized(description: str) -> str:
    """Return a band name in lower case, without its number and wavelength: "Band 4: Red (665 nm)" → "red"."""
    text = re.sub(r"[(\[].*?[)\]]", " ", description.strip().lower())
    text = re.sub(r"\b\d+(\.\d+)?\s*(nm|um|µm|m)\b", " ", text)
    named = re.sub(r"^(band|波段)[\s_-]*\d+\s*[:,_-]?\s*(?=[^\W\d])", "", text)
    return re.sub(r"[\s_:,-]*(band)?[\s_:,-]*$", "", named).strip(" _:,-")
