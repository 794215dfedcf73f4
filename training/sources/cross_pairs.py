"""Pseudo-pairs of two unrelated single-date images, labelled by the difference of their building masks."""

from __future__ import annotations

import numpy as np

from training.sources.masked_images import MaskedImageSource
from training.sources.samples import Sample


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
