"""Reduction of the network's outputs to the question that the labels answer: score, threshold and found objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.merge import DEMOLITION_BELOW
from inference.settings import MinimumAreas
from model.network_outputs import CHANGE_OUTPUTS
from training.evaluation.objects import Components, components
from training.evaluation.prediction import Prediction
from training.sources.manifest import Question

Floats = NDArray[np.float32]

COMMON_THRESHOLD = 0.5
"""Score to which the threshold of each output is mapped before outputs are compared with each other."""

_JUST_BELOW = np.nextafter(np.float32(COMMON_THRESHOLD), np.float32(0))


def rescale_around_threshold(probability: Floats, threshold: float) -> Floats:
    """Map 0…threshold…1 to 0…0.5…1, piecewise linearly."""
    threshold = min(max(threshold, 1e-6), 1 - 1e-6)
    low = probability * (COMMON_THRESHOLD / threshold)
    high = COMMON_THRESHOLD + (probability - threshold) * ((1 - COMMON_THRESHOLD) / (1 - threshold))
    rescaled = np.where(probability >= threshold, np.maximum(high, COMMON_THRESHOLD), np.minimum(low, _JUST_BELOW))
    return np.asarray(rescaled, dtype=np.float32)


@dataclass(frozen=True)
class QuestionScorer:
    """Scores a prediction by one question.

    Attributes:
        question: what a changed pixel of the label means.
        thresholds: of the weights, by output.
        minimum: minimum mapping unit; None if the ground sample distance is unknown: nothing is dropped.
    """

    question: Question
    thresholds: dict[str, float]
    minimum: MinimumAreas | None = None

    @property
    def threshold(self) -> float:
        """Score from which a pixel counts as changed."""
        return COMMON_THRESHOLD if self.question == "any" else self.thresholds[self.question]

    def scores(self, probabilities: Floats) -> Floats:
        """Reduce the network's 3×H×W probabilities to the H×W probability of the change that the question asks for."""
        if self.question == "any":
            building, ground = (
                rescale_around_threshold(probabilities[channel], self.thresholds[output])
                for channel, output in enumerate(CHANGE_OUTPUTS)
            )
            return np.asarray(np.maximum(building, ground))
        return np.asarray(probabilities[CHANGE_OUTPUTS.index(self.question)])

    def changed_mask(self, prediction: Prediction) -> NDArray[np.bool_]:
        """Return the pixels that count as changed, H×W."""
        return np.asarray((self.scores(prediction.probabilities) >= self.threshold) & prediction.scored)

    def found_objects(self, prediction: Prediction, predicted: NDArray[np.bool_], pixel_m2: float | None) -> Components:
        """Return the predicted objects without those below the minimum mapping unit of their kind, if sizes are known.

        The kind is that of a scan: demolition by the direction output, else that of the change output.
        """
        found = components(predicted)
        if self.minimum is None or pixel_m2 is None or not len(found):
            return found
        if self.question == "any":
            building, ground = (
                found.means(rescale_around_threshold(prediction.probabilities[channel], self.thresholds[output]))
                for channel, output in enumerate(CHANGE_OUTPUTS)
            )
            is_building = building >= ground
        else:
            is_building = np.full(len(found), self.question == "building")
        smallest = np.where(is_building, self.minimum.construction, self.minimum.ground)
        smallest = np.where(
            found.means(prediction.probabilities[2]) < DEMOLITION_BELOW, self.minimum.demolition, smallest
        )
        return found.select(found.area_px * pixel_m2 >= smallest)
