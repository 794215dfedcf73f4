"""Pictures of single pairs: earlier date, later date, and prediction against label."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from errors import OutputError

HIT, MISSED, FALSE_ALARM = (0, 158, 65), (213, 34, 34), (240, 228, 66)
SMALLEST_PX, LARGEST_PX = 448, 1000
"""Longer side of a panel: small images are enlarged by an integer factor, large ones averaged."""

_GAP_PX, _BACKGROUND, _INK = 6, (247, 247, 245), (28, 30, 33)

Mask = NDArray[np.bool_]
Rgb = NDArray[np.uint8]


def overlay(after: Rgb, changed: Mask, predicted: Mask) -> Rgb:
    """Return the later date in grey with hits green, misses red and false alarms yellow, H×W×3."""
    grey = cv2.cvtColor(after, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2).astype(np.float32)
    out = 60 + 0.6 * grey
    for mask, colour in (
        (changed & predicted, HIT),
        (changed & ~predicted, MISSED),
        (predicted & ~changed, FALSE_ALARM),
    ):
        out[mask] = 0.35 * out[mask] + 0.65 * np.array(colour, np.float32)
    return np.asarray(np.rint(out), dtype=np.uint8)


def _panel(image: Rgb) -> Rgb:
    """Resize an image to the size of a panel."""
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest > LARGEST_PX:
        size = (max(1, round(width * LARGEST_PX / longest)), max(1, round(height * LARGEST_PX / longest)))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    factor = -(-SMALLEST_PX // longest)
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def comparison_picture(before: Rgb, after: Rgb, changed: Mask, predicted: Mask, caption: str) -> bytes:
    """Return a PNG of three panels side by side over a caption; images H×W×3, masks H×W."""
    panels = [_panel(image) for image in (before, after, overlay(after, changed, predicted))]
    height, width = panels[0].shape[:2]
    font_px = max(15, 3 * width // 100)  # legible when the picture is shown smaller
    page = Image.new("RGB", (3 * width + 2 * _GAP_PX, height + 2 * font_px + 4), _BACKGROUND)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(font_px)
    middle = height + font_px + 2
    for number, panel in enumerate(panels):
        page.paste(Image.fromarray(panel), (number * (width + _GAP_PX), 0))
    pen.text((font_px, middle), caption, _INK, font, anchor="lm")
    x = float(page.width - font_px)
    for label, colour in (("false alarm", FALSE_ALARM), ("missed", MISSED), ("found", HIT)):
        x -= pen.textlength(label, font)
        pen.text((x, middle), label, _INK, font, anchor="lm")
        x -= 1.2 * font_px
        pen.rectangle((x, middle - 0.4 * font_px, x + 0.8 * font_px, middle + 0.4 * font_px), colour)
        x -= font_px
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def write_pictures(folder: Path, pictures: dict[str, bytes]) -> list[str]:
    """Write all pictures, each atomically, and return their paths.

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
