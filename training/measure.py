"""How well a detector finds labelled changes, pixel by pixel, on whole images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.balance import apply_table, balance_table
from model.detector import Detector
from model.network_outputs import CHANGE_OUTPUTS
from training.samples import Image, LabelledPairs, read_mask, read_rgb

BINS = 200
"""Steps of probability in which pixels are counted."""


@dataclass(frozen=True)
class PixelScores:
    """Pixels of a folder, counted by probability, so that scores at any threshold follow.

    Attributes:
        pairs: images compared.
        changed: changed pixels by step of probability, length :data:`BINS`.
        unchanged: unchanged pixels by step of probability.
    """

    pairs: int
    changed: NDArray[np.int64]
    unchanged: NDArray[np.int64]

    def at(self, threshold: float) -> dict[str, float]:
        """Precision, recall, F1 and IoU over all pixels of the folder together."""
        step = round(threshold * BINS)
        hit, false = int(self.changed[step:].sum()), int(self.unchanged[step:].sum())
        missed = int(self.changed[:step].sum())
        return {
            "precision": hit / max(1, hit + false),
            "recall": hit / max(1, hit + missed),
            "f1": 2 * hit / max(1, 2 * hit + false + missed),
            "iou": hit / max(1, hit + false + missed),
        }

    def best_threshold(self) -> float:
        """The threshold with the highest F1. Only to be asked of training data."""
        steps = range(1, BINS)
        return max(steps, key=lambda step: self.at(step / BINS)["f1"]) / BINS


def predict_image(detector: Detector, before: Image, after: Image) -> NDArray[np.float32]:
    """Compare two whole images of any size, balanced as a scan balances scenes; 3×H×W."""
    height, width = before.shape[:2]
    stride = detector.stride
    frame = ((0, -height % stride), (0, -width % stride), (0, 0))
    pair = [np.pad(apply_table(image, balance_table(image)), frame) for image in (before, after)]
    return detector.predict(pair[0], pair[1])[:, :height, :width]


def measure_folder(
    detector: Detector, folder: Path, question: str, prefix: str = "", limit: int | None = None
) -> PixelScores:
    """Count the pixels of a folder ``A/ B/ label/``.

    Args:
        detector: what to measure.
        folder: labelled pairs.
        question: the output that the label answers, "building" or "ground".
        prefix: only stems that begin with it.
        limit: evenly chosen pairs at most; None: all.
    """
    pairs = LabelledPairs(folder, question, prefix).pairs
    if limit is not None and len(pairs) > limit:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, limit).astype(int)]
    channel = CHANGE_OUTPUTS.index(question)
    counts = np.zeros((2, BINS), np.int64)
    for a, b, label in pairs:
        probability = predict_image(detector, read_rgb(a), read_rgb(b))[channel]
        steps = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
        changed = read_mask(label) > 0
        counts[0] += np.bincount(steps[changed], minlength=BINS)
        counts[1] += np.bincount(steps[~changed], minlength=BINS)
    return PixelScores(len(pairs), counts[0], counts[1])
