"""Images against restyled copies of themselves: nothing changed, so whatever is found is a false alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from imagery import Patch
from model.detector import Detector
from training.evaluation.objects import ObjectTally
from training.evaluation.prediction import predict_pair
from training.evaluation.questions import Asked
from training.evaluation.reading import LabelledPair
from training.evaluation.resolution import Look

Restyle = Callable[[np.ndarray[Any, np.dtype[np.uint8]], int], np.ndarray[Any, np.dtype[np.uint8]]]


def measure_restyled(
    pairs: Iterable[LabelledPair],
    count: int,
    detector: Detector,
    asked: Asked,
    look: Look,
    pixel_m2: float | None,
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Compare every image of both dates with a restyled copy.

    Args:
        pairs: read one by one.
        count: how many they are.
        detector: loaded weights.
        asked: question, threshold and minimum mapping unit.
        look: as the evaluation looks at the pairs.
        pixel_m2: ground of a pixel, m²; None: unknown.
        progress: told the part done, 0…1.

    Returns:
        False alarms, and the share of pixels above the threshold. The seed of image k (A of the first pair, its B, A of
        the second …) is k.
    """
    from training.augmentation.appearance import restyle_image

    tally = ObjectTally(pixel_m2)
    above = scored = images = 0
    for pair in pairs:
        for image in (pair.before, pair.after):
            copy = Patch(restyle_image(image.rgb, images), image.valid)
            nothing = np.zeros(image.valid.shape, np.bool_)
            images += 1
            prediction = predict_pair(detector, LabelledPair(pair.name, image, copy, nothing), look)
            predicted = asked.predicted(prediction)
            tally.add(nothing, asked.objects(prediction, predicted, pixel_m2), prediction.scored)
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
