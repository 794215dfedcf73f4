"""Rendered scenes as a source of training samples: both questions answered everywhere, and the direction known."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.samples import Sample
from training.synthetic import random_spec, render_scene

FIRST_SEED = 10_000
"""Training scenes have seeds from here on; the demo's and the tests' scenes lie below and are never trained on."""

_KEYS = ("before", "after", "building", "ground", "direction")


@cache  # opened again for the narrowing of a network, and by tests
def _unpacked(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in _KEYS}


class RenderedScenes:
    """Scenes rendered once into a folder, from which random windows are cut."""

    def __init__(self, folder: Path, scenes: int, size: int, gsd: tuple[float, float], crop: int = 384) -> None:
        """Render what is not in ``folder`` yet.

        Args:
            folder: where the scenes are kept between runs.
            scenes: how many.
            size: pixels a side.
            gsd: smallest and largest metres per pixel.
            crop: side of a window in pixels.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.crop = crop
        self.paths = [folder / f"{size}-{gsd[0]:g}-{gsd[1]:g}-{FIRST_SEED + i}.npz" for i in range(scenes)]
        for number, path in enumerate(self.paths):
            if not path.exists():
                pair = render_scene(random_spec(np.random.default_rng(FIRST_SEED + number), size, gsd))
                fresh = path.with_suffix(".part.npz")
                np.savez(fresh, **{key: getattr(pair, key) for key in _KEYS})
                fresh.replace(path)
        # unpacking a scene costs more than all the rest of a sample
        self.unpacked = [_unpacked(path) for path in self.paths]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return a window of one scene; every second one shows a change, where the scene has any."""
        scene = self.unpacked[rng.integers(len(self.unpacked))]
        height, width = scene["building"].shape
        y, x = int(rng.integers(height - self.crop + 1)), int(rng.integers(width - self.crop + 1))
        if rng.random() < 0.5:
            changed = np.flatnonzero(scene["building"] | scene["ground"])
            if len(changed):
                row, column = divmod(int(changed[rng.integers(len(changed))]), width)
                y = int(np.clip(row - rng.integers(self.crop), 0, height - self.crop))
                x = int(np.clip(column - rng.integers(self.crop), 0, width - self.crop))
        window = np.s_[y : y + self.crop, x : x + self.crop]
        before, after, building, ground, direction = (np.ascontiguousarray(scene[key][window]) for key in _KEYS)
        return Sample(before, after, building, ground, direction)
