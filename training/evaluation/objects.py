"""Changes as things: connected components of label and prediction, matched one to one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

IOUS = (0.25, 0.5)
"""Overlap (intersection over union) from which a found object counts as a true one."""

CLASSES_M2 = (200.0, 400.0, 1000.0)
CLASS_NAMES = ("<200", "200-400", "400-1000", ">1000")
"""Size classes in m²; a class begins with its lower bound."""

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Components:
    """The connected components of a mask, 8 neighbours.

    Attributes:
        labels: H×W int32, 0 where there is none, else the number from 1.
        area_px: their areas in the order of their numbers.
    """

    labels: NDArray[np.int32]
    area_px: Counts

    def __len__(self) -> int:
        """How many."""
        return len(self.area_px)

    def means(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean of H×W values over each."""
        sums = np.bincount(self.labels.ravel(), weights=values.ravel(), minlength=len(self) + 1)[1:]
        return np.asarray(sums / self.area_px)

    def keep(self, kept: Mask) -> Components:
        """Only those for which ``kept`` is true, numbered anew."""
        numbers = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.int32)
        return Components(numbers[self.labels], self.area_px[kept])


def components(mask: Mask) -> Components:
    """Find the connected components of a mask."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return Components(np.asarray(labels, dtype=np.int32), stats[1:, cv2.CC_STAT_AREA].astype(np.int64))


def overlaps(true: Components, found: Components) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All pairs that share a pixel: (n, 2) numbers from 0 of the true and the found one, and their IoU (n,)."""
    both = (true.labels > 0) & (found.labels > 0)
    joint = true.labels[both].astype(np.int64) * (len(found) + 1) + found.labels[both]
    keys, shared = np.unique(joint, return_counts=True)
    pairs = np.stack([keys // (len(found) + 1), keys % (len(found) + 1)], axis=1) - 1
    union = true.area_px[pairs[:, 0]] + found.area_px[pairs[:, 1]] - shared
    return pairs, shared / union


def match(pairs: NDArray[np.int64], iou: NDArray[np.float64], least: float) -> NDArray[np.int64]:
    """Match one to one, the highest IoU first, from ``least`` on; (m, 2) of ``pairs``."""
    taken: tuple[set[int], set[int]] = (set(), set())
    chosen = []
    for index in np.argsort(-iou, kind="stable"):
        if iou[index] < least:
            break
        true, found = int(pairs[index, 0]), int(pairs[index, 1])
        if true not in taken[0] and found not in taken[1]:
            taken[0].add(true)
            taken[1].add(found)
            chosen.append((true, found))
    return np.array(chosen, np.int64).reshape(-1, 2)


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0


def _scores(true: int, found: int, hit_true: int, hit_found: int) -> dict[str, float]:
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
    """Objects of a folder, added up pair by pair.

    Attributes:
        pixel_m2: ground of one pixel, m²; None: unknown, then there are no size classes.
        true: objects of the labels by size class.
        found: predicted objects by size class.
        hit_true: matched ones by IoU of :data:`IOUS` and the true object's class.
        hit_found: the same by the found object's class.
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
        """Add one pair; returns the area in pixels of its false alarms.

        Args:
            changed: H×W, what the label says.
            found: what was predicted.
            scored: H×W; truth outside of it does not count.
        """
        truth = changed & scored
        true = components(truth)
        classes = [np.digitize(c.area_px * (self.pixel_m2 or 0.0), CLASSES_M2) for c in (true, found)]
        self.true += np.bincount(classes[0], minlength=len(CLASS_NAMES))
        self.found += np.bincount(classes[1], minlength=len(CLASS_NAMES))
        pairs, iou = overlaps(true, found)
        for row, least in enumerate(IOUS):
            matched = match(pairs, iou, least)
            self.hit_true[row] += np.bincount(classes[0][matched[:, 0]], minlength=len(CLASS_NAMES))
            self.hit_found[row] += np.bincount(classes[1][matched[:, 1]], minlength=len(CLASS_NAMES))
        touching = np.bincount(found.labels[truth], minlength=len(found) + 1)[1:]
        self.false_alarms += int((touching == 0).sum())
        self.unchanged_px += int((scored & ~changed).sum())
        return int(found.area_px[touching == 0].sum())

    def as_json(self) -> dict[str, Any]:
        """The figures by IoU: in all, and by size class where sizes are known."""
        out = {}
        for row, least in enumerate(IOUS):
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
            out[f"iou_{least:g}"] = {**counts, **scores, "by_area_m2": by_area}
        return out

    def per_km2(self) -> float | None:
        """False alarms for each km² that did not change; None without a ground sample distance or such ground."""
        if self.pixel_m2 is None or not self.unchanged_px:
            return None
        return self.false_alarms / (self.unchanged_px * self.pixel_m2 / 1e6)

    def per_megapixel(self) -> float | None:
        """False alarms for each million pixels that did not change; None where there are none."""
        return self.false_alarms / (self.unchanged_px / 1e6) if self.unchanged_px else None
