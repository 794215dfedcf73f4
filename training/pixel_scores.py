"""How well a detector finds labelled changes, pixel by pixel, on whole images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.network_outputs import CHANGE_OUTPUTS
from model.radiometric_normalization import apply_table, balance_table
from training.sources.samples import Image, LabelledPairs, read_rgb

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
        """The threshold with the highest F1. Only to be asked of training data.

        The pairs are taken as they are. Of training pairs more changed than of real ground, which speaks for a higher
        threshold; on places never seen scores come out lower, which speaks for a lower one. Corrections for the first
        alone made the ground question miss most changes of another city, and the highest of the thresholds that are
        about as good missed new buildings that a person sees.
        """
        hit = self.changed[::-1].cumsum()[::-1]
        false = self.unchanged[::-1].cumsum()[::-1]
        f1 = 2 * hit / np.maximum(1, hit + false + self.changed.sum())
        return int(np.argmax(f1[1:]) + 1) / BINS


class Compares(Protocol):
    """A detector, or a network in training."""

    @property
    def stride(self) -> int:
        """Sides must be multiples of this many pixels."""

    def predict(self, before: Image, after: Image) -> NDArray[np.float32]:
        """Compare two dates; 3×H×W, see :meth:`model.detector.Detector.predict`."""


def predict_image(detector: Compares, before: Image, after: Image) -> NDArray[np.float32]:
    """Compare two whole images of any size, balanced as a scan balances scenes; 3×H×W."""
    height, width = before.shape[:2]
    stride = detector.stride
    frame = ((0, -height % stride), (0, -width % stride), (0, 0))
    pair = [np.pad(apply_table(image, balance_table(image)), frame) for image in (before, after)]
    return detector.predict(pair[0], pair[1])[:, :height, :width]


def measure_pairs(
    detector: Compares,
    labelled: LabelledPairs,
    limit: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> PixelScores:
    """Count the pixels of labelled pairs at their own resolution.

    Args:
        detector: what to measure.
        labelled: pairs and the question that their labels answer.
        limit: evenly chosen pairs at most; None: all.
        progress: told the part done, 0…1.
    """
    pairs = labelled.pairs
    if limit is not None and len(pairs) > limit:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, limit).astype(int)]
    channel = CHANGE_OUTPUTS.index(labelled.question)
    counts = np.zeros((2, BINS), np.int64)
    for number, (a, b, label) in enumerate(pairs, 1):
        probability = predict_image(detector, read_rgb(a), read_rgb(b))[channel]
        steps = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
        answer = labelled.answer(label)
        for value in (0, 1):
            counts[1 - value] += np.bincount(steps[answer == value], minlength=BINS)
        if progress is not None:
            progress(number / len(pairs))
    return PixelScores(len(pairs), counts[0], counts[1])
