"""Evaluation of a folder, pair by pair: each pair is predicted once and added to the totals."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from enforcement.units import mu
from errors import TubanError
from model.detector import Detector
from training.evaluation.comparison import ComparisonSettings
from training.evaluation.objects import ObjectTally
from training.evaluation.pair_decoding import LabelledPair, read_pair
from training.evaluation.pair_listing import FailedPair, PairFiles
from training.evaluation.pictures import comparison_picture
from training.evaluation.pixels import Calibration, PixelCounts, count_pixels
from training.evaluation.prediction import predict_pair
from training.evaluation.question_scoring import QuestionScorer
from training.evaluation.resampled import scaled


@dataclass(frozen=True)
class EvaluatedPair:
    """Result of one pair.

    Attributes:
        files: of the pair.
        counts: pixel counts.
        false_alarm_px: area of predicted objects without a changed pixel.
        packed_prediction: compressed bits of the predicted mask; None if no pictures are written.
    """

    files: PairFiles
    counts: PixelCounts
    false_alarm_px: int
    packed_prediction: bytes | None

    @property
    def has_change(self) -> bool:
        """Whether the label contains a change."""
        return self.counts.hit + self.counts.missed > 0

    def as_json(self) -> dict[str, Any]:
        """Return the record of the pair in the evaluation's JSON."""
        return {
            "pair": self.files.name,
            "has_change": self.has_change,
            "f1": self.counts.f1,
            "false_alarm_px": self.false_alarm_px,
        }


class FolderRun:
    """Running totals of one evaluation."""

    def __init__(
        self,
        detector: Detector,
        scorer: QuestionScorer,
        settings: ComparisonSettings,
        keep_predictions: bool,
        unknown: int | None,
        scale: float = 1.0,
    ) -> None:
        """Start an evaluation.

        Args:
            detector: loaded weights.
            scorer: question and thresholds.
            settings: resolution and registration.
            keep_predictions: store the predicted masks for pictures.
            unknown: value of labels, see :func:`read_pair`.
            scale: both dates are resampled by this factor first; the label keeps its size.
        """
        self.scale = scale
        self.unknown = unknown
        self.detector, self.scorer, self.settings, self.keep_predictions = detector, scorer, settings, keep_predictions
        self.pixel_m2 = None if settings.gsd_m is None else (settings.gsd_m * scale) ** 2
        self.reported = PixelCounts()
        self.objects = ObjectTally(self.pixel_m2)
        self.calibration = Calibration()
        self.evaluated: list[EvaluatedPair] = []
        self.failed: list[FailedPair] = []
        self.sizes: Counter[str] = Counter()
        self.in_doubt: list[str] = []
        self.refused: list[dict[str, str]] = []
        self.residuals: list[float] = []
        self.scored_px = self.blank_px = 0

    def add(self, files: PairFiles) -> None:
        """Evaluate one pair; one that cannot be evaluated is recorded with the reason."""
        try:
            pair = scaled(read_pair(files, self.unknown), self.scale)
            prediction = predict_pair(self.detector, pair, self.settings)
        except TubanError as error:
            self.failed.append(FailedPair(files.name, str(error)))
            return
        scored = prediction.scored
        scores = self.scorer.scores(prediction.probabilities)
        predicted = np.asarray((scores >= self.scorer.threshold) & scored)
        self.calibration.add(scores[scored], pair.changed[scored])
        found = self.scorer.found_objects(prediction, predicted, self.pixel_m2)
        alarms = self.objects.add(pair.changed, found, scored)
        self.reported += count_pixels(pair.changed, np.asarray(found.labels > 0), scored)
        counts = count_pixels(pair.changed, predicted, scored)
        packed = zlib.compress(np.packbits(predicted).tobytes(), 1) if self.keep_predictions else None
        self.evaluated.append(EvaluatedPair(files, counts, alarms, packed))
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

    def areas_mu(self) -> dict[str, float] | None:
        """Return the area that changed, that was found and that was falsely reported, in mu; None if unknown.

        Reported is what lies in objects of at least the minimum mapping unit.
        """
        if self.pixel_m2 is None:
            return None
        counts = {
            "changed": self.reported.hit + self.reported.missed,
            "found": self.reported.hit,
            "falsely_reported": self.reported.false,
        }
        return {name: mu(pixels * self.pixel_m2) for name, pixels in counts.items()}

    def read_again(self, pairs: Sequence[EvaluatedPair]) -> Iterator[LabelledPair]:
        """Iterate over evaluated pairs, reading their files again."""
        return (read_pair(pair.files, self.unknown) for pair in pairs)

    def picture(self, one: EvaluatedPair, title: str) -> bytes:
        """Return a PNG of an evaluated pair."""
        pair = read_pair(one.files, self.unknown)
        bits = np.frombuffer(zlib.decompress(one.packed_prediction or b""), np.uint8)
        predicted = np.unpackbits(bits, count=pair.changed.size).reshape(pair.changed.shape).astype(np.bool_)
        figures = one.counts.as_json()
        scores = f"P {figures['precision']:.3f}  R {figures['recall']:.3f}  F1 {figures['f1']:.3f}"
        if not one.has_change:
            scores = f"no change in the label, {one.counts.false:,} px found"
        caption = f"{title}: {one.files.name}   {scores}"
        return comparison_picture(pair.before.rgb, pair.after.rgb, pair.changed, predicted, caption)

    def pictures(self) -> dict[str, bytes]:
        """Return PNGs by file name: best, median and worst pair with a change, and the one with most false alarms."""
        ranked = sorted((one for one in self.evaluated if one.has_change), key=lambda one: -one.counts.f1)
        chosen = {}
        if ranked:
            chosen = {"best": ranked[0], "typical": ranked[len(ranked) // 2], "worst": ranked[-1]}
        most_alarms = max(self.evaluated, key=lambda one: one.false_alarm_px)
        if most_alarms.false_alarm_px:
            chosen["most_false_alarms"] = most_alarms
        return {f"{name}.png": self.picture(one, name.replace("_", " ")) for name, one in chosen.items()}
