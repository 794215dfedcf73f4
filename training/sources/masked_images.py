"""Single-date images with building masks, as the base of sources that make pairs of them.

They cover many more places and sensors than labelled pairs do, and the labels made of their masks are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.sources.samples import Image, list_files, random_window, read_grey, read_rgb


@dataclass(frozen=True)
class MaskedFolder:
    """A folder of single-date images with masks: ``images/`` and ``masks/`` with the same stems.

    Attributes:
        folder: parent of ``images/`` and ``masks/``.
        gsd_m: ground sample distance in metres per pixel, used to resample folders to one scale.
        building: mask value of buildings.
        validation_prefixes: images whose names start with one of them are of the validation split.
        validation: list the validation split instead of the training images.
    """

    folder: Path
    gsd_m: float
    building: int = 255
    validation_prefixes: tuple[str, ...] = ()
    validation: bool = False

    def images(self) -> list[tuple[Path, Path, MaskedFolder]]:
        """List (image, mask, this folder) for each image."""
        return [
            (image, self.folder / "masks" / (image.stem + ".png"), self)
            for image in list_files(self.folder / "images")
            if image.name.startswith(self.validation_prefixes) == self.validation
        ]


class _WindowSampler:
    """Random windows of masked images from many folders, resampled to one size and a similar ground resolution."""

    def __init__(self, folders: Sequence[MaskedFolder], size: int, target_m: tuple[float, float]) -> None:
        """List the images of ``folders``.

        Args:
            folders: where to draw from.
            size: height and width of a window in pixels.
            target_m: smallest and largest ground sample distance of a window in metres per pixel.
        """
        self.size, self.target_m = size, target_m
        self.by_folder = [folder.images() for folder in folders]
        # weighted by the square root of the image count, so that one large folder does not outweigh many small ones
        weights = np.sqrt([len(images) for images in self.by_folder])
        self.edges = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return one window as RGB (size×size×3) and 0/1 building mask (size×size)."""
        index = min(int(np.searchsorted(self.edges, rng.random())), len(self.by_folder) - 1)
        images = self.by_folder[index]
        image, mask, folder = images[rng.integers(len(images))]
        rgb, values = read_rgb(image), read_grey(mask)
        target = float(np.exp(rng.uniform(*np.log(self.target_m))))
        side = min(*values.shape, max(32, round(self.size * target / folder.gsd_m)))
        window = random_window(values.shape, side, rng)
        size = (self.size, self.size)
        interpolation = cv2.INTER_AREA if side > self.size else cv2.INTER_LINEAR
        resized = cv2.resize(rgb[window], size, interpolation=interpolation)
        building_share = (values[window] == folder.building).astype(np.float32)
        buildings = cv2.resize(building_share, size, interpolation=interpolation)
        return np.asarray(resized, dtype=np.uint8), (buildings > 0.5).astype(np.uint8)


class MaskedImageSource:
    """Base of sources that make pairs of masked single-date images."""

    def __init__(
        self, folders: Sequence[MaskedFolder], size: int = 320, target_m: tuple[float, float] = (0.25, 1.0)
    ) -> None:
        """List the images of ``folders``; windows are ``size``² pixels of ``target_m`` metres (smallest, largest)."""
        self.windows = _WindowSampler(folders, size, target_m)
