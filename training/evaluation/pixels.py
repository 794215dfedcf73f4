"""Pixel metrics over all pixels of a folder: scores at one threshold, and calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class PixelCounts:
    """Counts of pixels at one threshold: correctly found, false alarms, missed."""

    hit: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: PixelCounts) -> PixelCounts:
        """Add the counts."""
        return PixelCounts(self.hit + other.hit, self.false + other.false, self.missed + other.missed)

    def as_json(self) -> dict[str, float]:
        """Return precision, recall, F1 and IoU; 0 where a denominator is 0."""
        return {
            "precision": self.hit / max(1, self.hit + self.false),
            "recall": self.hit / max(1, self.hit + self.missed),
            "f1": self.f1,
            "iou": self.hit / max(1, self.hit + self.false + self.missed),
        }

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.hit / max(1, 2 * self.hit + self.false + self.missed)


def count_pixels(changed: NDArray[np.bool_], predicted: NDArray[np.bool_], scored: NDArray[np.bool_]) -> PixelCounts:
    """Count the pixels of a label and a predicted mask, both H×W, where ``scored``."""
    return PixelCounts(
        int((changed & predicted & scored).sum()),
        int((~changed & predicted & scored).sum()),
        int((changed & ~predicted & scored).sum()),
    )


@dataclass
class Calibration:
    """Reliability diagram, accumulated pair by pair: of pixels with a score of 0.7, 70 % should have changed."""

    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    changed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    score: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))

    def add(self, scores: NDArray[np.float32], changed: NDArray[np.bool_]) -> None:
        """Add scores 0…1 and labels of the same shape."""
        bins = np.clip((scores.ravel() * BINS).astype(np.int64), 0, BINS - 1)
        self.pixels += np.bincount(bins, minlength=BINS)
        self.changed += np.bincount(bins[changed.ravel()], minlength=BINS)
        self.score += np.bincount(bins, weights=scores.ravel(), minlength=BINS)

    def as_json(self) -> dict[str, Any]:
        """Return bins with mean score and observed share of changed pixels (None if empty), and calibration error."""
        count = np.maximum(self.pixels, 1)
        mean, share = self.score / count, self.changed / count
        total = max(1, int(self.pixels.sum()))
        return {
            "bins": [
                {
                    "from": k / BINS,
                    "to": (k + 1) / BINS,
                    "mean_score": float(mean[k]) if self.pixels[k] else None,
                    "observed": float(share[k]) if self.pixels[k] else None,
                    "pixels": int(self.pixels[k]),
                }
                for k in range(BINS)
            ],
            "expected_calibration_error": float((self.pixels * np.abs(mean - share)).sum() / total),
        }
