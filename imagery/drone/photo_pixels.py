"""Pixels of photos, decoded at the scale that is needed, a few of them kept."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.conversion.rewrite import undecodable
from imagery.drone.photo import Photo
from imagery.files.limits import MIB

_KEPT_BYTES = 256 * MIB


class PhotoPixels:
    """Reads photos reduced by 1, 2, 4 or 8, which JPEG does while it decodes; keeps what was used last."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._kept: OrderedDict[tuple[str, int], NDArray[np.uint8]] = OrderedDict()

    def read(self, photo: Photo, reduction: int) -> NDArray[np.uint8]:
        """Red, green, blue H×W×3 of a photo, reduced by 1, 2, 4 or 8 along each side.

        Raises:
            ImageError: it cannot be decoded.
        """
        key = str(photo.path), reduction
        found = self._kept.pop(key, None)
        if found is None:
            found = decode(photo, reduction)
        self._kept[key] = found
        while len(self._kept) > 1 and sum(pixels.nbytes for pixels in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)
        return found


def decode(photo: Photo, reduction: int) -> NDArray[np.uint8]:
    """The same, read anew.

    Raises:
        ImageError: it cannot be decoded.
    """
    size = -(-photo.lens.width // reduction), -(-photo.lens.height // reduction)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(photo.path, formats=("JPEG",)) as image:
                image.draft("RGB", size)  # as it lies in the file: the orientation tag is about showing it
                pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise undecodable(photo.name, str(error)) from None
    if pixels.shape[:2] != (size[1], size[0]):  # a sort of JPEG that is decoded in full only
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels


def reduction_for(gsd_m: float, wanted_m: float) -> int:
    """By how much a photo of ``gsd_m`` is reduced so that little more than ``wanted_m`` is left to average."""
    return next((by for by in (8, 4, 2) if gsd_m * by <= wanted_m * 1.1), 1)


def sample(
    pixels: NDArray[np.uint8], at: NDArray[np.float64], reduction: int, margin: float = 1.0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Bilinear colours at positions in the full photo.

    Args:
        pixels: the photo reduced by ``reduction``.
        at: H×W×2 column and row, corners at whole numbers; NaN: nowhere.
        reduction: of ``pixels``.
        margin: pixels at the photo's edge that do not count.

    Returns:
        H×W×3 colours, 0 where there are none, and which are valid.
    """
    where = np.asarray(at / reduction - 0.5, np.float32)
    height, width = pixels.shape[:2]
    x, y = where[..., 0], where[..., 1]
    with np.errstate(invalid="ignore"):
        inside = (x >= margin) & (y >= margin) & (x <= width - 1 - margin) & (y <= height - 1 - margin)
    x, y = np.where(inside, x, -1), np.where(inside, y, -1)
    colours = np.asarray(cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    colours[~inside] = 0
    return colours, inside


Progress = Callable[[str, float], None]
"""Told the part of the work, and how much of it is done, 0…1."""
