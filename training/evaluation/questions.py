"""From the network's outputs to the one question that the labels answer: a score, a threshold, and found objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.merge import GONE_BELOW
from inference.settings import MinimumAreas
from model.network_outputs import CHANGE_OUTPUTS
from training.evaluation.objects import Components, components
from training.evaluation.prediction import Prediction
from training.sources.manifest import Question

Floats = NDArray[np.float32]

EVEN = 0.5
"""Where each output's own threshold is laid when they are compared with each other."""

JUST_BELOW = np.nextafter(np.float32(EVEN), np.float32(0))


def evened(probability: Floats, threshold: float) -> Floats:
    """Map 0…threshold…1 to 0…0.5…1, in two straight lines."""
    threshold = min(max(threshold, 1e-6), 1 - 1e-6)
    low = probability * (EVEN / threshold)
    high = EVEN + (probability - threshold) * ((1 - EVEN) / (1 - threshold))
    even = np.where(probability >= threshold, np.maximum(high, EVEN), np.minimum(low, JUST_BELOW))
    return np.asarray(even, dtype=np.float32)


@dataclass(frozen=True)
class Asked:
    """A question put to a network.

    Attributes:
        question: what a changed pixel of the label means.
        thresholds: of the weights, by output.
        minimum: minimum mapping unit; None where the resolution on the ground is unknown: nothing is dropped.
    """

    question: Question
    thresholds: dict[str, float]
    minimum: MinimumAreas | None = None

    @property
    def threshold(self) -> float:
        """Score from which a pixel counts as changed."""
        return EVEN if self.question == "any" else self.thresholds[self.question]

    def scores(self, probabilities: Floats) -> Floats:
        """3×H×W of the network → H×W: how sure it is that this pixel changed in the sense of the question."""
        if self.question == "any":
            building, ground = (
                evened(probabilities[channel], self.thresholds[output]) for channel, output in enumerate(CHANGE_OUTPUTS)
            )
            return np.asarray(np.maximum(building, ground))
        return np.asarray(probabilities[CHANGE_OUTPUTS.index(self.question)])

    def predicted(self, prediction: Prediction) -> NDArray[np.bool_]:
        """H×W: what counts as changed."""
        return np.asarray((self.scores(prediction.probabilities) >= self.threshold) & prediction.scored)

    def objects(self, prediction: Prediction, predicted: NDArray[np.bool_], pixel_m2: float | None) -> Components:
        """The found objects, those below the minimum mapping unit of their kind dropped where sizes are known.

        The kind is the scan's: demolition where the direction says so, else that of the output.
        """
        found = components(predicted)
        if self.minimum is None or pixel_m2 is None or not len(found):
            return found
        if self.question == "any":
            building, ground = (
                found.means(evened(prediction.probabilities[channel], self.thresholds[output]))
                for channel, output in enumerate(CHANGE_OUTPUTS)
            )
            is_building = building >= ground
        else:
            is_building = np.full(len(found), self.question == "building")
        smallest = np.where(is_building, self.minimum.construction, self.minimum.ground)
        smallest = np.where(found.means(prediction.probabilities[2]) < GONE_BELOW, self.minimum.demolition, smallest)
        return found.keep(found.area_px * pixel_m2 >= smallest)
