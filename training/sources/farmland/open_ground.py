"""Images of places with the ground on which fields can be painted: farmland, meadows and other open land."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from training.sources.samples import Image, list_files, random_window, read_grey, read_rgb

MIN_OPEN_SHARE = 0.15
"""Smallest share of open ground in a window."""


@dataclass(frozen=True)
class OpenGroundFolder:
    """Images in ``images/`` with land cover in ``masks/`` of the same stems; or a folder of images without masks.

    Attributes:
        folder: parent of ``images/`` and ``masks/``; without masks, the folder of the images.
        open_values: mask values of open ground. Empty: there are no masks, and open ground is estimated
            (:func:`estimate_open_ground`).
        bare_values: mask values of bare ground as on construction sites, used as the surface of painted sites.
    """

    folder: Path
    open_values: tuple[int, ...] = ()
    bare_values: tuple[int, ...] = ()

    def images(self) -> list[Path]:
        """List the images."""
        return list_files(self.folder / "images" if self.open_values else self.folder)

    def read(self, image: Path) -> tuple[Image, Image, Image]:
        """Return an image as RGB, its open ground and its bare ground, both H×W of 0 and 1."""
        rgb = read_rgb(image)
        if not self.open_values:
            return rgb, _estimated(image), np.zeros(rgb.shape[:2], np.uint8)
        values = read_grey(self.folder / "masks" / (image.stem + ".png"))
        return (
            rgb,
            np.isin(values, self.open_values).astype(np.uint8),
            np.isin(values, self.bare_values).astype(np.uint8),
        )


def estimate_open_ground(rgb: Image) -> Image:
    """Estimate open ground of an H×W×3 image without a mask: green and without strong edges. H×W of 0 and 1."""
    small = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
    red, green, blue = cv2.split(small)
    grey = (red + green + blue) / 3
    greenness = cv2.blur((2 * green - red - blue) / (3 * grey + 1), (9, 9))
    edges = cv2.blur(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), (9, 9))
    flat = ((greenness > 0.05) & (edges < 30)).astype(np.uint8)
    flat = cv2.morphologyEx(flat, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    return np.asarray(cv2.resize(flat, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


@cache
def _estimated(image: Path) -> Image:
    """Return the estimated open ground of an image file; the array is cached and read-only."""
    mask = estimate_open_ground(read_rgb(image))
    mask.setflags(write=False)
    return mask


class OpenGround:
    """Random windows with open ground."""

    def __init__(self, folders: Sequence[OpenGroundFolder], size: int) -> None:
        """List the images of ``folders``; windows have ``size``² pixels, or less in smaller images."""
        self.size = size
        self.by_folder = [(folder, folder.images()) for folder in folders]
        # weighted by the square root of the image count, so that one large folder does not outweigh many small ones
        weights = np.sqrt([len(images) for _, images in self.by_folder])
        self.edges = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator) -> tuple[Image, Image, Image]:
        """Return a window as RGB, its open ground and its bare ground.

        The last of several tries is taken even with little open ground.
        """
        for _ in range(8):
            folder, images = self.by_folder[min(int(np.searchsorted(self.edges, rng.random())), len(self.edges) - 1)]
            rgb, open_ground, bare = folder.read(images[rng.integers(len(images))])
            window = random_window(rgb.shape[:2], self.size, rng)
            if open_ground[window].mean() >= MIN_OPEN_SHARE:
                break
        return rgb[window], open_ground[window], bare[window]
