"""Pictures of single pairs: before, after, and what was found against what is true."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from errors import OutputError

HIT, MISSED, FALSE = (0, 158, 65), (213, 34, 34), (240, 228, 66)
SMALLEST_PX, LARGEST_PX = 448, 1000
"""Longer side of a panel: small images are enlarged by a whole number, large ones averaged."""

_GAP_PX, _FOOT, _INK = 6, (247, 247, 245), (28, 30, 33)

Mask = NDArray[np.bool_]
Rgb = NDArray[np.uint8]


def overlay(after: Rgb, changed: Mask, predicted: Mask) -> Rgb:
    """The later date in grey with hits green, misses red and false alarms yellow, H×W×3."""
    grey = cv2.cvtColor(after, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2).astype(np.float32)
    out = 60 + 0.6 * grey
    for mask, colour in ((changed & predicted, HIT), (changed & ~predicted, MISSED), (predicted & ~changed, FALSE)):
        out[mask] = 0.35 * out[mask] + 0.65 * np.array(colour, np.float32)
    return np.asarray(np.rint(out), dtype=np.uint8)


def _panel(image: Rgb) -> Rgb:
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest > LARGEST_PX:
        size = (max(1, round(width * LARGEST_PX / longest)), max(1, round(height * LARGEST_PX / longest)))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    times = -(-SMALLEST_PX // longest)
    return image.repeat(times, axis=0).repeat(times, axis=1)


def compare_picture(before: Rgb, after: Rgb, changed: Mask, predicted: Mask, caption: str) -> bytes:
    """PNG of three panels side by side over a caption; images H×W×3, masks H×W."""
    panels = [_panel(image) for image in (before, after, overlay(after, changed, predicted))]
    height, width = panels[0].shape[:2]
    letters = max(15, 3 * width // 100)  # to be read when the page is shown smaller
    page = Image.new("RGB", (3 * width + 2 * _GAP_PX, height + 2 * letters + 4), _FOOT)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(letters)
    middle = height + letters + 2
    for number, panel in enumerate(panels):
        page.paste(Image.fromarray(panel), (number * (width + _GAP_PX), 0))
    pen.text((letters, middle), caption, _INK, font, anchor="lm")
    x = float(page.width - letters)
    for words, colour in (("false alarm", FALSE), ("missed", MISSED), ("found", HIT)):
        x -= pen.textlength(words, font)
        pen.text((x, middle), words, _INK, font, anchor="lm")
        x -= 1.2 * letters
        pen.rectangle((x, middle - 0.4 * letters, x + 0.8 * letters, middle + 0.4 * letters), colour)
        x -= letters
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def write_pictures(folder: Path, pictures: dict[str, bytes]) -> list[str]:
    """Write all pictures, each wholly or not at all; returns their paths.

    Raises:
        OutputError: the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
            for name, content in pictures.items():
                (Path(scratch) / name).write_bytes(content)
            for name in pictures:
                (Path(scratch) / name).replace(folder / name)
                written.append(str(folder / name))
    except OSError as error:
        raise OutputError(f"The pictures cannot be written to {folder}: {error.strerror}.") from error
    return written
