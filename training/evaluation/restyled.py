"""Comparison of images with restyled copies of themselves: nothing changed, so every detection is a false alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from imagery import Patch
from model.detector import Detector
from training.evaluation.comparison import ComparisonSettings
from training.evaluation.objects import ObjectTally
from training.evaluation.pair_decoding import LabelledPair
from training.evaluation.prediction import predict_pair
from training.evaluation.question_scoring import QuestionScorer


def measure_restyled(
    pairs: Iterable[LabelledPair],
    count: int,
    detector: Detector,
    scorer: QuestionScorer,
    settings: ComparisonSettings,
    pixel_m2: float | None,
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Compare every image of both dates with a restyled copy.

    Args:
        pairs: read one by one.
        count: number of pairs.
        detector: loaded weights.
        scorer: question, threshold and minimum mapping unit.
        settings: those of the evaluation.
        pixel_m2: area of a pixel in m²; None: unknown.
        progress: called with the completed share, 0…1.

    Returns:
        False alarms, and the share of pixels above the threshold. The seed of image k (A of the first pair, its B, A of
        the second pair, …) is k.
    """
    from training.augmentation.appearance import restyle_image  # imports torch, only needed here

    tally = ObjectTally(pixel_m2)
    above = scored = images = 0
    for pair in pairs:
        for image in (pair.before, pair.after):
            copy = Patch(restyle_image(image.rgb, images), image.valid)
            unchanged = np.zeros(image.valid.shape, np.bool_)
            images += 1
            prediction = predict_pair(detector, LabelledPair(pair.name, image, copy, unchanged), settings)
            predicted = scorer.changed_mask(prediction)
            tally.add(unchanged, scorer.found_objects(prediction, predicted, pixel_m2), prediction.scored)
            above += int(predicted.sum())
            scored += int(prediction.scored.sum())
            progress(images / (2 * count))
    return {
        "images": images,
        "false_alarms": tally.false_alarms,
        "false_alarms_per_km2": tally.per_km2(),
        "false_alarms_per_megapixel": tally.per_megapixel(),
        "share_above_threshold": above / max(1, scored),
        "seeds": [0, images - 1],
    }
