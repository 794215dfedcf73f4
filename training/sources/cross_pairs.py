"""Pseudo-pairs of two unrelated single-date images, labelled by the difference of their masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.sources.masked_images import MaskedImageSource
from training.sources.samples import UNKNOWN, Image, Sample, list_files, random_window, read_grey, read_rgb


class CrossPairs(MaskedImageSource):
    """Two unrelated places used as two dates of one; the change label is mask XOR mask (STAR, Zheng et al. 2021)."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return two unrelated places as one pair."""
        before, buildings_before = self.windows.draw(rng)
        after, buildings_after = self.windows.draw(rng)
        return Sample(
            before,
            after,
            building=buildings_before ^ buildings_after,
            ground=None,
            direction=buildings_after.astype(np.int8) - buildings_before.astype(np.int8),
            buildings_before=buildings_before,
            buildings_after=buildings_after,
            magnify=(0.8, 1.25),
        )


class LandCoverPairs:
    """Two unrelated images with land cover masks as one pair: ground changed where one of them shows works."""

    def __init__(self, folder: Path, works: Sequence[int], unknown: Sequence[int] = (), crop: int = 384) -> None:
        """List the images.

        Args:
            folder: parent of ``images/`` and ``masks/`` with the same stems.
            works: mask values of construction land and bare ground.
            unknown: mask values of pixels without a label.
            crop: height and width of a window in pixels.

        Raises:
            SettingsError: the folder has no image.
        """
        self.images = [(path, folder / "masks" / f"{path.stem}.png") for path in list_files(folder / "images")]
        self.works, self.unknown, self.crop = list(works), list(unknown), crop

    def _draw_window(self, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return one window as RGB and its mask values."""
        image, mask = self.images[rng.integers(len(self.images))]
        values = read_grey(mask)
        window = random_window((values.shape[0], values.shape[1]), self.crop, rng)
        return read_rgb(image)[window], values[window]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return two unrelated places as one pair."""
        before, before_values = self._draw_window(rng)
        after, after_values = self._draw_window(rng)
        worked_before, worked_after = np.isin(before_values, self.works), np.isin(after_values, self.works)
        unknown = np.isin(before_values, self.unknown) | np.isin(after_values, self.unknown)
        ground = np.where(unknown, UNKNOWN, worked_before ^ worked_after).astype(np.uint8)
        direction = np.where(unknown, 0, worked_after.astype(np.int8) - worked_before.astype(np.int8))
        return Sample(before, after, None, ground, direction.astype(np.int8))
