"""Rendered scenes as a source of training samples: both labels and the direction are known for every pixel."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources.samples import Sample
from training.synthetic import random_spec, render_scene

FIRST_SEED = 10_000
"""First seed of training scenes. Scenes of the demo and the tests have lower seeds and are never trained on."""

_KEYS = ("before", "after", "building", "ground", "direction")


@cache  # read again for channel pruning, and by tests
def _load_scene(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in _KEYS}


class RenderedScenes:
    """Random windows of scenes that are rendered once into a folder."""

    def __init__(self, folder: Path, scenes: int, size: int, gsd: tuple[float, float], crop: int = 384) -> None:
        """Render the scenes that ``folder`` does not have yet, and load all of them.

        Args:
            folder: cache of rendered scenes, shared by runs.
            scenes: number of scenes.
            size: height and width of a scene in pixels.
            gsd: smallest and largest ground sample distance in metres per pixel.
            crop: height and width of a window in pixels.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.crop = crop
        self.paths = [folder / f"{size}-{gsd[0]:g}-{gsd[1]:g}-{FIRST_SEED + i}.npz" for i in range(scenes)]
        for number, path in enumerate(self.paths):
            if not path.exists():
                pair = render_scene(random_spec(np.random.default_rng(FIRST_SEED + number), size, gsd))
                temporary = path.with_suffix(".part.npz")
                np.savez(temporary, **{key: getattr(pair, key) for key in _KEYS})
                temporary.replace(path)
        # kept in memory: loading a scene takes longer than the rest of a sample
        self.loaded = [_load_scene(path) for path in self.paths]

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return a window of one scene; half of the windows are placed on a change, if the scene has any."""
        scene = self.loaded[rng.integers(len(self.loaded))]
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
