"""Object metrics: connected components of label and prediction, matched one to one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

IOUS = (0.25, 0.5)
"""Smallest intersection over union at which a predicted object matches a true one."""

CLASSES_M2 = (200.0, 400.0, 1000.0)
CLASS_NAMES = ("<200", "200-400", "400-1000", ">1000")
"""Size classes in m²; lower bounds are inclusive."""

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Components:
    """Connected components of a mask, 8 neighbours.

    Attributes:
        labels: H×W int32, number of the component from 1; 0 for background.
        area_px: areas in the order of the numbers.
    """

    labels: NDArray[np.int32]
    area_px: Counts

    def __len__(self) -> int:
        """Number of components."""
        return len(self.area_px)

    def means(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the mean of H×W values over each component."""
        sums = np.bincount(self.labels.ravel(), weights=values.ravel(), minlength=len(self) + 1)[1:]
        return np.asarray(sums / self.area_px)

    def select(self, selected: Mask) -> Components:
        """Return the components for which ``selected`` is true, renumbered."""
        numbers = np.concatenate([[0], np.where(selected, np.cumsum(selected), 0)]).astype(np.int32)
        return Components(numbers[self.labels], self.area_px[selected])


def components(mask: Mask) -> Components:
    """Find the connected components of a mask."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return Components(np.asarray(labels, dtype=np.int32), stats[1:, cv2.CC_STAT_AREA].astype(np.int64))


def overlaps(true: Components, found: Components) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return all overlapping pairs: (n, 2) indices of the true and the found component, and their IoU (n,)."""
    shared_px = (true.labels > 0) & (found.labels > 0)
    joint = true.labels[shared_px].astype(np.int64) * (len(found) + 1) + found.labels[shared_px]
    keys, shared = np.unique(joint, return_counts=True)
    pairs = np.stack([keys // (len(found) + 1), keys % (len(found) + 1)], axis=1) - 1
    union = true.area_px[pairs[:, 0]] + found.area_px[pairs[:, 1]] - shared
    return pairs, shared / union


def match(pairs: NDArray[np.int64], iou: NDArray[np.float64], minimum_iou: float) -> NDArray[np.int64]:
    """Match pairs greedily one to one, highest IoU first; returns the (m, 2) matched rows of ``pairs``."""
    taken: tuple[set[int], set[int]] = (set(), set())
    chosen = []
    for index in np.argsort(-iou, kind="stable"):
        if iou[index] < minimum_iou:
            break
        true, found = int(pairs[index, 0]), int(pairs[index, 1])
        if true not in taken[0] and found not in taken[1]:
            taken[0].add(true)
            taken[1].add(found)
            chosen.append((true, found))
    return np.array(chosen, np.int64).reshape(-1, 2)


def _ratio(part: float, total: float) -> float:
    """Return part / total; 0 if the total is 0."""
    return float(part) / float(total) if total else 0.0


def _scores(true: int, found: int, hit_true: int, hit_found: int) -> dict[str, float]:
    """Return precision, recall and F1 from counts of true, found and matched objects."""
    precision, recall = _ratio(hit_found, found), _ratio(hit_true, true)
    return {
        "precision": precision,
        "recall": recall,
        "f1": _ratio(2 * precision * recall, precision + recall),
    }


def _zeros(*shape: int) -> Counts:
    return np.zeros(shape, np.int64)


@dataclass
class ObjectTally:
    """Object counts of a folder, accumulated pair by pair.

    Attributes:
        pixel_m2: area of one pixel in m²; None: unknown, without size classes.
        true: objects of the labels by size class.
        found: predicted objects by size class.
        hit_true: matched objects by IoU of :data:`IOUS` and the true object's class.
        hit_found: matched objects by IoU and the found object's class.
        false_alarms: found objects without a changed pixel.
        unchanged_px: scored pixels that did not change.
    """

    pixel_m2: float | None
    true: Counts = field(default_factory=lambda: _zeros(len(CLASS_NAMES)))
    found: Counts = field(default_factory=lambda: _zeros(len(CLASS_NAMES)))
    hit_true: Counts = field(default_factory=lambda: _zeros(len(IOUS), len(CLASS_NAMES)))
    hit_found: Counts = field(default_factory=lambda: _zeros(len(IOUS), len(CLASS_NAMES)))
    false_alarms: int = 0
    unchanged_px: int = 0

    def add(self, changed: Mask, found: Components, scored: Mask) -> int:
        """Add one pair and return the area of its false alarms in pixels.

        Args:
            changed: H×W, from the label.
            found: predicted objects.
            scored: H×W; truth outside of it does not count.
        """
        truth = changed & scored
        true = components(truth)
        classes = [np.digitize(c.area_px * (self.pixel_m2 or 0.0), CLASSES_M2) for c in (true, found)]
        self.true += np.bincount(classes[0], minlength=len(CLASS_NAMES))
        self.found += np.bincount(classes[1], minlength=len(CLASS_NAMES))
        pairs, iou = overlaps(true, found)
        for row, minimum_iou in enumerate(IOUS):
            matched = match(pairs, iou, minimum_iou)
            self.hit_true[row] += np.bincount(classes[0][matched[:, 0]], minlength=len(CLASS_NAMES))
            self.hit_found[row] += np.bincount(classes[1][matched[:, 1]], minlength=len(CLASS_NAMES))
        touching = np.bincount(found.labels[truth], minlength=len(found) + 1)[1:]
        self.false_alarms += int((touching == 0).sum())
        self.unchanged_px += int((scored & ~changed).sum())
        return int(found.area_px[touching == 0].sum())

    def as_json(self) -> dict[str, Any]:
        """Return the metrics by IoU: overall, and by size class where sizes are known."""
        out = {}
        for row, minimum_iou in enumerate(IOUS):
            true, found = int(self.true.sum()), int(self.found.sum())
            matched = int(self.hit_true[row].sum())
            by_area = None
            if self.pixel_m2 is not None:
                by_area = {
                    name: {
                        "true": int(self.true[c]),
                        "found": int(self.found[c]),
                        "matched_true": int(self.hit_true[row, c]),
                        "matched_found": int(self.hit_found[row, c]),
                        **_scores(self.true[c], self.found[c], self.hit_true[row, c], self.hit_found[row, c]),
                    }
                    for c, name in enumerate(CLASS_NAMES)
                }
            scores = _scores(true, found, matched, matched)
            counts = {"true": true, "found": found, "matched": matched}
            out[f"iou_{minimum_iou:g}"] = {**counts, **scores, "by_area_m2": by_area}
        return out

    def per_km2(self) -> float | None:
        """Return false alarms per km² of unchanged ground; None if sizes are unknown or nothing is unchanged."""
        if self.pixel_m2 is None or not self.unchanged_px:
            return None
        return self.false_alarms / (self.unchanged_px * self.pixel_m2 / 1e6)

    def per_megapixel(self) -> float | None:
        """Return false alarms per million unchanged pixels; None if nothing is unchanged."""
        return self.false_alarms / (self.unchanged_px / 1e6) if self.unchanged_px else None
