"""Data loader: batches of augmented samples; sample i of a run is the same in any process and after any resume."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.augmentation.geometry import augment
from training.recipe import Mixture, Recipe
from training.sources.samples import UNKNOWN, read_rgb

IMAGE_SUFFIXES = frozenset({".webp", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
MASK_FOLDERS = frozenset({"label", "masks"})


class Batch(NamedTuple):
    """A batch of N pairs.

    Attributes:
        before: N×H×W×3 uint8 RGB.
        after: N×H×W×3 uint8 RGB.
        targets: N×2×H×W uint8 in the order of ``CHANGE_OUTPUTS``: 0, 1 or UNKNOWN.
        direction: N×H×W int8: +1 appeared, −1 disappeared, 0 unknown.
        buildings: N×2×H×W uint8, buildings on the earlier and the later date: 0, 1 or UNKNOWN.
    """

    before: Tensor
    after: Tensor
    targets: Tensor
    direction: Tensor
    buildings: Tensor

    def to(self, device: torch.device) -> Batch:
        """Copy the batch to ``device``."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


class _Samples(Dataset[Batch]):
    """Samples of a run from sample ``first`` on.

    Sample i has its own generator seeded by (seed, i), so a resumed run draws the same samples as an uninterrupted one.
    """

    def __init__(self, recipe: Recipe, root: Path, first: int) -> None:
        self.recipe, self.first = recipe, first
        self.mixture = Mixture(recipe, root)
        self.settings = recipe.augment.settings()

    def __len__(self) -> int:
        return max(0, self.recipe.steps * self.recipe.batch - self.first)

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng((self.recipe.seed, self.first + index))
        sample = augment(self.mixture.draw(rng), rng, self.settings)
        unknown = np.full(sample.before.shape[:2], UNKNOWN, np.uint8)

        def stack(*masks: np.ndarray | None) -> Tensor:
            return torch.from_numpy(np.stack([unknown if mask is None else mask for mask in masks]))

        return Batch(
            torch.from_numpy(sample.before),
            torch.from_numpy(sample.after),
            stack(sample.building, sample.ground),
            torch.from_numpy(sample.direction),
            stack(sample.buildings_before, sample.buildings_after),
        )


def _decode_images(recipe: Recipe, root: Path) -> None:
    """Decode all images of a recipe's sources into the cache, which forked worker processes then share."""
    folders = {root / folder for source in recipe.sources for folder in source.all_folders}
    files = {file for folder in folders for file in folder.rglob("*") if file.parent.name not in MASK_FOLDERS}
    with ThreadPoolExecutor() as pool:
        list(pool.map(read_rgb, sorted(file for file in files if file.suffix in IMAGE_SUFFIXES)))


def load_batches(recipe: Recipe, root: Path, step: int, workers: int) -> Iterator[Batch]:
    """Iterate over the batches of a run, starting after ``step`` completed steps.

    Args:
        recipe: sources, augmentation, batch size and number of steps.
        root: folder that the recipe's folders are relative to.
        step: steps completed before.
        workers: number of data loader processes; 0: prepare samples in this process.
    """
    # before OpenCV is first used: a forked worker that inherits its thread pool deadlocks, and threads in each worker
    # would only take cores from the network
    cv2.setNumThreads(1)
    if workers > 1:
        _decode_images(recipe, root)
    samples = _Samples(recipe, root, step * recipe.batch)
    loader = DataLoader(
        samples,
        batch_size=recipe.batch,
        num_workers=workers,
        drop_last=True,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)
