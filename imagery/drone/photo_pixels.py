"""Decode photos at reduced resolution, cache them, and sample them at arbitrary positions."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.drone.photo import Photo
from imagery.files.rewrite import undecodable
from imagery.limits import MIB

Progress = Callable[[str, float], None]
"""Called with the name of the step, and the fraction of it that is done, 0…1."""

_CACHE_BYTES = 256 * MIB


class PhotoReader:
    """Reader of photos reduced by 1, 2, 4 or 8 (by the JPEG decoder), with a cache of the last used ones."""

    def __init__(self) -> None:
        """Start with an empty cache."""
        self._cache: OrderedDict[tuple[str, int], NDArray[np.uint8]] = OrderedDict()

    def read(self, photo: Photo, reduction: int) -> NDArray[np.uint8]:
        """Read a photo as RGB, H×W×3, reduced by 1, 2, 4 or 8 along each side.

        Raises:
            ImageError: it cannot be decoded.
        """
        key = str(photo.path), reduction
        pixels = self._cache.pop(key, None)
        if pixels is None:
            pixels = decode_photo(photo, reduction)
        self._cache[key] = pixels
        while len(self._cache) > 1 and sum(cached.nbytes for cached in self._cache.values()) > _CACHE_BYTES:
            self._cache.popitem(last=False)
        return pixels


def decode_photo(photo: Photo, reduction: int) -> NDArray[np.uint8]:
    """Decode a photo to RGB, H×W×3, reduced by 1, 2, 4 or 8 along each side.

    Raises:
        ImageError: it cannot be decoded.
    """
    size = -(-photo.lens.width // reduction), -(-photo.lens.height // reduction)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(photo.path, formats=("JPEG",)) as image:
                image.draft("RGB", size)  # orientation as stored: the EXIF orientation is for display
                pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise undecodable(photo.name, str(error)) from None
    if pixels.shape[:2] != (size[1], size[0]):  # a kind of JPEG that decodes at full size only
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels


def reduction_for(gsd_m: float, target_gsd_m: float) -> int:
    """Largest reduction of a photo of ``gsd_m`` whose pixels are at most about ``target_gsd_m`` wide."""
    return next((reduction for reduction in (8, 4, 2) if gsd_m * reduction <= target_gsd_m * 1.1), 1)


def sample_bilinear(
    pixels: NDArray[np.uint8], positions: NDArray[np.float64], reduction: int, margin: float = 1.0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Interpolate colours at positions in the full-size photo.

    Args:
        pixels: the photo reduced by ``reduction``.
        positions: H×W×2 column and row, corners at whole numbers; NaN: outside.
        reduction: of ``pixels``.
        margin: pixels at the photo's edge that count as invalid.

    Returns:
        H×W×3 colours, 0 where invalid, and H×W whether they are valid.
    """
    scaled = np.asarray(positions / reduction - 0.5, np.float32)
    height, width = pixels.shape[:2]
    x, y = scaled[..., 0], scaled[..., 1]
    with np.errstate(invalid="ignore"):
        valid = (x >= margin) & (y >= margin) & (x <= width - 1 - margin) & (y <= height - 1 - margin)
    x, y = np.where(valid, x, -1), np.where(valid, y, -1)
    colours = np.asarray(cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    colours[~valid] = 0
    return colours, valid
