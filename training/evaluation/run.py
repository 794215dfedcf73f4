"""An evaluation under way: pairs in, one after the other, each predicted once and added up."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from errors import TubanError
from model.detector import Detector
from training.evaluation.objects import ObjectTally
from training.evaluation.pictures import compare_picture
from training.evaluation.pixels import Calibration, PixelCounts, count_pixels
from training.evaluation.prediction import predict_pair
from training.evaluation.questions import Asked
from training.evaluation.reading import FailedPair, LabelledPair, PairFiles, read_pair
from training.evaluation.resolution import Look


@dataclass(frozen=True)
class Seen:
    """What is kept of one pair.

    Attributes:
        files: where it lies.
        counts: its pixels.
        false_alarm_px: area of found objects without a changed pixel.
        packed: its prediction, when pictures are wanted.
    """

    files: PairFiles
    counts: PixelCounts
    false_alarm_px: int
    packed: bytes | None

    @property
    def has_change(self) -> bool:
        """Whether the label holds a change."""
        return self.counts.hit + self.counts.missed > 0

    def as_json(self) -> dict[str, Any]:
        """What is said of a single pair."""
        return {
            "pair": self.files.name,
            "has_change": self.has_change,
            "f1": self.counts.f1,
            "false_alarm_px": self.false_alarm_px,
        }


class FolderRun:
    """One evaluation under way: what is asked, and what was added up so far."""

    def __init__(self, detector: Detector, asked: Asked, look: Look, keep: bool, unknown: int | None) -> None:
        """Begin with nothing seen; ``keep`` the predictions for pictures; ``unknown``: see :func:`read_pair`."""
        self.unknown = unknown
        self.detector, self.asked, self.look, self.keep = detector, asked, look, keep
        self.pixel_m2 = None if look.gsd_m is None else look.gsd_m**2
        self.objects = ObjectTally(self.pixel_m2)
        self.calibration = Calibration()
        self.seen: list[Seen] = []
        self.failed: list[FailedPair] = []
        self.sizes: Counter[str] = Counter()
        self.in_doubt: list[str] = []
        self.refused: list[dict[str, str]] = []
        self.residuals: list[float] = []
        self.scored_px = self.blank_px = 0

    def add(self, files: PairFiles) -> None:
        """Evaluate one pair; one that cannot be is kept with its reason."""
        try:
            pair = read_pair(files, self.unknown)
            prediction = predict_pair(self.detector, pair, self.look)
        except TubanError as error:
            self.failed.append(FailedPair(files.name, str(error)))
            return
        scored = prediction.scored
        scores = self.asked.scores(prediction.probabilities)
        predicted = np.asarray((scores >= self.asked.threshold) & scored)
        self.calibration.add(scores[scored], pair.changed[scored])
        found = self.asked.objects(prediction, predicted, self.pixel_m2)
        alarms = self.objects.add(pair.changed, found, scored)
        counts = count_pixels(pair.changed, predicted, scored)
        packed = zlib.compress(np.packbits(predicted).tobytes(), 1) if self.keep else None
        self.seen.append(Seen(files, counts, alarms, packed))
        height, width = pair.changed.shape
        self.sizes[f"{width}×{height}"] += 1
        self.scored_px += int(scored.sum())
        self.blank_px += int((~scored).sum())
        if pair.label_in_doubt:
            self.in_doubt.append(pair.name)
        if prediction.alignment.reason is not None:
            self.refused.append({"pair": pair.name, "reason": prediction.alignment.reason})
        elif prediction.alignment.residual_px is not None:
            self.residuals.append(prediction.alignment.residual_px)

    def read_again(self, some: Sequence[Seen]) -> Iterator[LabelledPair]:
        """The pairs behind some of what was seen, one at a time."""
        return (read_pair(one.files, self.unknown) for one in some)

    def picture(self, one: Seen, what: str) -> bytes:
        """PNG of a pair that was seen."""
        pair = read_pair(one.files, self.unknown)
        bits = np.frombuffer(zlib.decompress(one.packed or b""), np.uint8)
        predicted = np.unpackbits(bits, count=pair.changed.size).reshape(pair.changed.shape).astype(np.bool_)
        figures = one.counts.as_json()
        told = f"P {figures['precision']:.3f}  R {figures['recall']:.3f}  F1 {figures['f1']:.3f}"
        if not one.has_change:
            told = f"no change in the label, {one.counts.false:,} px found"
        caption = f"{what}: {one.files.name}   {told}"
        return compare_picture(pair.before.rgb, pair.after.rgb, pair.changed, predicted, caption)

    def pictures(self) -> dict[str, bytes]:
        """The best, the typical and the worst pair that holds a change, and the one with the most false alarms."""
        ranked = sorted((one for one in self.seen if one.has_change), key=lambda one: -one.counts.f1)
        chosen = {}
        if ranked:
            chosen = {"best": ranked[0], "typical": ranked[len(ranked) // 2], "worst": ranked[-1]}
        loudest = max(self.seen, key=lambda one: one.false_alarm_px)
        if loudest.false_alarm_px:
            chosen["most_false_alarms"] = loudest
        return {f"{name}.png": self.picture(one, name.replace("_", " ")) for name, one in chosen.items()}
