"""Platt scaling and the figures that thresholds and cuts are chosen by; pure functions over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOGIT_EDGES = np.linspace(-14, 14, 561)
"""Edges of the bins in which pixels are counted by logit; the outer bins are open."""

CENTRES = (LOGIT_EDGES[:-1] + LOGIT_EDGES[1:]) / 2
SLOPES = (0.2, 3.0)
"""Smallest and largest slope: a fit beyond them has too little data."""

PROBABILITY_BINS = 15

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class LogitCounts:
    """Numbers of changed and unchanged pixels by bin of :data:`LOGIT_EDGES`."""

    changed: Counts
    unchanged: Counts

    @classmethod
    def empty(cls) -> LogitCounts:
        """Return zero counts."""
        return cls(np.zeros(len(CENTRES)), np.zeros(len(CENTRES)))

    @classmethod
    def of(cls, logits: NDArray[np.float32], changed: NDArray[np.bool_]) -> LogitCounts:
        """Count pixels."""
        bins = np.clip(np.digitize(logits, LOGIT_EDGES) - 1, 0, len(CENTRES) - 1)
        counts = [np.bincount(bins[mask], minlength=len(CENTRES)).astype(np.float64) for mask in (changed, ~changed)]
        return cls(counts[0], counts[1])

    def __add__(self, other: LogitCounts) -> LogitCounts:
        """Add the counts."""
        return LogitCounts(self.changed + other.changed, self.unchanged + other.unchanged)

    def normalized(self) -> LogitCounts:
        """Return the counts scaled so that they add up to 1: sources count by variety and not by size."""
        total = max(1.0, float(self.changed.sum() + self.unchanged.sum()))
        return LogitCounts(self.changed / total, self.unchanged / total)


def fit_line(sources: Sequence[LogitCounts], iterations: int = 50) -> tuple[float, float]:
    """Fit slope and offset of ``p = sigmoid(slope · logit + offset)`` by Newton's method.

    All sources weigh the same. A weak prior towards (1, 0) keeps the fit finite where changed and unchanged pixels are
    separable.
    """
    scaled = [source.normalized() for source in sources]
    changed = np.sum([source.changed for source in scaled], axis=0)
    weight = changed + np.sum([source.unchanged for source in scaled], axis=0)
    design = np.stack([CENTRES, np.ones_like(CENTRES)], axis=1)
    start = np.array([1.0, 0.0])
    line, prior = start.copy(), 1e-4 * np.eye(2)
    for _ in range(iterations):
        p = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        gradient = design.T @ (weight * p - changed) + prior @ (line - start)
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + prior
        step = np.linalg.solve(curvature, gradient)
        line = line - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    return float(np.clip(line[0], *SLOPES)), float(line[1])


def calibrated(line: tuple[float, float]) -> Counts:
    """Return the calibrated probability of each bin's centre."""
    return np.asarray(1 / (1 + np.exp(-np.clip(line[0] * CENTRES + line[1], -30, 30))))


def calibration_error(counts: LogitCounts, line: tuple[float, float]) -> float:
    """Return the expected calibration error: the mean distance of score and observed share of changed pixels."""
    probability = calibrated(line)
    total = counts.changed + counts.unchanged
    bins = np.minimum((probability * PROBABILITY_BINS).astype(int), PROBABILITY_BINS - 1)
    score, changed = (np.bincount(bins, values, PROBABILITY_BINS) for values in (total * probability, counts.changed))
    return float(np.abs(score - changed).sum() / max(1.0, total.sum()))


def f_scores(counts: LogitCounts, line: tuple[float, float], thresholds: Counts, beta: float) -> Counts:
    """Return the F-beta score at each threshold of the calibrated probability."""
    probability = calibrated(line)
    above = probability[None] >= thresholds[:, None]
    hit, false = above @ counts.changed, above @ counts.unchanged
    weighted = (1 + beta**2) * hit
    return np.asarray(weighted / np.maximum(1.0, weighted + beta**2 * (counts.changed.sum() - hit) + false))
