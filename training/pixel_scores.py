"""Pixel scores of a detector on labelled pairs: precision, recall, F1 and IoU at any threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.network_outputs import CHANGE_OUTPUTS
from model.radiometric_normalization import apply_table, normalization_table
from training.sources.samples import Image, LabelledPairs, read_rgb

BINS = 200
"""Number of probability bins in which pixels are counted."""


@dataclass(frozen=True)
class PixelScores:
    """Histograms of predicted probability over a folder's pixels, from which scores at any threshold follow.

    Attributes:
        pairs: number of pairs compared.
        changed: changed pixels by probability bin, length :data:`BINS`.
        unchanged: unchanged pixels by probability bin, length :data:`BINS`.
    """

    pairs: int
    changed: NDArray[np.int64]
    unchanged: NDArray[np.int64]

    def at(self, threshold: float) -> dict[str, float]:
        """Compute precision, recall, F1 and IoU over all pixels of the folder."""
        first = round(threshold * BINS)
        true_positives, false_positives = int(self.changed[first:].sum()), int(self.unchanged[first:].sum())
        false_negatives = int(self.changed[:first].sum())
        return {
            "precision": true_positives / max(1, true_positives + false_positives),
            "recall": true_positives / max(1, true_positives + false_negatives),
            "f1": 2 * true_positives / max(1, 2 * true_positives + false_positives + false_negatives),
            "iou": true_positives / max(1, true_positives + false_positives + false_negatives),
        }

    def best_threshold(self) -> float:
        """Return the threshold with the highest F1. Use it on training data only.

        No correction for class balance: training pairs hold more change than real ground, which would call for a
        higher threshold, but scores are lower in places never seen, which calls for a lower one. Correcting for the
        first alone made the ground output miss most changes of another city; taking the highest threshold with about
        the same F1 missed new buildings that a person sees.
        """
        true_positives = self.changed[::-1].cumsum()[::-1]
        false_positives = self.unchanged[::-1].cumsum()[::-1]
        f1 = 2 * true_positives / np.maximum(1, true_positives + false_positives + self.changed.sum())
        return int(np.argmax(f1[1:]) + 1) / BINS


class PairDetector(Protocol):
    """A detector, or a network in training."""

    @property
    def stride(self) -> int:
        """Height and width of the images must be multiples of this many pixels."""

    def predict(self, before: Image, after: Image) -> NDArray[np.float32]:
        """Compare two dates (H×W×3 each); return 3×H×W, see :meth:`model.detector.Detector.predict`."""


def predict_image(detector: PairDetector, before: Image, after: Image) -> NDArray[np.float32]:
    """Compare two complete images (H×W×3) of any size, normalised as in a scan; return 3×H×W."""
    height, width = before.shape[:2]
    stride = detector.stride
    padding = ((0, -height % stride), (0, -width % stride), (0, 0))
    pair = [np.pad(apply_table(image, normalization_table(image)), padding) for image in (before, after)]
    return detector.predict(pair[0], pair[1])[:, :height, :width]


def count_by_probability(probability: NDArray[np.float32], target: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the changed and the unchanged pixels of an image by probability bin, 2×:data:`BINS`.

    Args:
        probability: H×W, 0…1.
        target: H×W, 1 changed, 0 unchanged; other values do not count.
    """
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    return np.stack([np.bincount(bins[target == value], minlength=BINS) for value in (1, 0)])


def measure_pairs(
    detector: PairDetector,
    labelled: LabelledPairs,
    limit: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> PixelScores:
    """Count the pixels of labelled pairs at their own resolution.

    Args:
        detector: detector or network to measure.
        labelled: pairs, and the question that their labels answer.
        limit: maximum number of pairs, picked at even intervals; None: all.
        progress: called with the fraction completed, 0…1.
    """
    pairs = labelled.pairs
    if limit is not None and len(pairs) > limit:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, limit).astype(int)]
    channel = CHANGE_OUTPUTS.index(labelled.question)
    counts = np.zeros((2, BINS), np.int64)
    for number, (a, b, label) in enumerate(pairs, 1):
        probability = predict_image(detector, read_rgb(a), read_rgb(b))[channel]
        counts += count_by_probability(probability, labelled.read_target(label))
        if progress is not None:
            progress(number / len(pairs))
    return PixelScores(len(pairs), counts[0], counts[1])
