"""Samples → batches of tensors: sample i of a run is the same whenever and wherever it is made."""

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

IMAGES = frozenset({".webp", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
MASKS = frozenset({"label", "masks"})


class Batch(NamedTuple):
    """N pairs.

    Attributes:
        before: N×H×W×3 uint8.
        after: N×H×W×3 uint8.
        answers: N×2×H×W uint8 in the order of ``CHANGE_OUTPUTS``: 0, 1 or UNKNOWN.
        direction: N×H×W int8.
        standing: N×2×H×W uint8, buildings on the earlier and the later date: 0, 1 or UNKNOWN.
    """

    before: Tensor
    after: Tensor
    answers: Tensor
    direction: Tensor
    standing: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


class _Samples(Dataset[Batch]):
    """Sample i of a run, for any i: its generator is seeded by (seed, i), so a resumed run goes on as it would have."""

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

        def stacked(*answers: np.ndarray | None) -> Tensor:
            return torch.from_numpy(np.stack([unknown if answer is None else answer for answer in answers]))

        return Batch(
            torch.from_numpy(sample.before),
            torch.from_numpy(sample.after),
            stacked(sample.building, sample.ground),
            torch.from_numpy(sample.direction),
            stacked(sample.stood, sample.stands),
        )


def _decode(recipe: Recipe, root: Path) -> None:
    """Decode all images of a recipe's sources: processes that part from this one then share them."""
    folders = {root / folder for source in recipe.sources for folder in source.all_folders}
    files = {file for folder in folders for file in folder.rglob("*") if file.parent.name not in MASKS}
    with ThreadPoolExecutor() as pool:
        list(pool.map(read_rgb, sorted(file for file in files if file.suffix in IMAGES)))


def batches(recipe: Recipe, root: Path, step: int, workers: int) -> Iterator[Batch]:
    """All batches of a run from ``step`` on."""
    # before the first use: a loader's process that inherits OpenCV's threads waits for them for ever; and threads
    # within each of many processes only take the cores from the network
    cv2.setNumThreads(1)
    if workers > 1:
        _decode(recipe, root)
    samples = _Samples(recipe, root, step * recipe.batch)
    loader = DataLoader(
        samples,
        batch_size=recipe.batch,
        num_workers=workers,
        drop_last=True,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)
