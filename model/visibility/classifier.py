"""Classifier of visibility: a small perceptron on local statistics, in NumPy, and its weights on disk.

The weights are ``visibility.safetensors`` beside this file with their card ``visibility.md``; :data:`SHA256` is their
published checksum. ``python -m training.visibility.train`` trains them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import WeightsError
from model.visibility.local_statistics import Floats, statistic_planes

WEIGHTS = Path(__file__).parent / "visibility.safetensors"
SHA256 = "f6d8e236d799834bd35a8df05c75de8bf649a5aed9836401da283793ef1177b8"
CLASSES = ("clear", "cloud", "snow")

_PART = 512
"""Pixels classified at once: so few that they stay in the cache, and that OpenBLAS uses one thread. With 8,192 and two
threads on a busy machine, threads that waited for each other took ten times the CPU time."""


@dataclass(frozen=True)
class VisibilityClassifier:
    """Layers of the perceptron: matrices and offsets; the activation between them is the rectifier."""

    layers: tuple[tuple[Floats, Floats], ...]

    def logits(self, statistics: Floats) -> Floats:
        """Return N×3 logits in the order of :data:`CLASSES` of N×COUNT statistics."""
        values = statistics
        for number, (matrix, offset) in enumerate(self.layers):
            values = values @ matrix + offset
            if number + 1 < len(self.layers):
                np.maximum(values, 0, out=values)
        return values

    def predict(
        self, images: tuple[NDArray[np.uint8], NDArray[np.uint8]], valid: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    ) -> tuple[Floats, Floats]:
        """Return the probabilities of :data:`CLASSES` on each date, H×W×3 each.

        Args:
            images: both dates, H×W×3 uint8 RGB, reduced and not normalized.
            valid: H×W each, pixels with data.
        """
        first, second = (self._probabilities(planes) for planes in statistic_planes(images, valid))
        return first, second

    def _probabilities(self, planes: Floats) -> Floats:
        """Return H×W×3 probabilities of COUNT×H×W statistics, in parts that fit the cache of a core."""
        pixels = planes.reshape(len(planes), -1)
        out = np.empty((pixels.shape[1], len(CLASSES)), np.float32)
        for start in range(0, len(out), _PART):
            values = pixels[:, start : start + _PART]
            for number, (matrix, offset) in enumerate(self.layers):
                values = matrix.T @ values
                values += offset[:, None]
                if number + 1 < len(self.layers):
                    np.maximum(values, 0, out=values)
            values -= values.max(axis=0)
            np.exp(values, out=values)
            out[start : start + _PART] = (values / values.sum(axis=0)).T
        return out.reshape(*planes.shape[1:], -1)


@cache
def visibility_classifier() -> VisibilityClassifier:
    """Load the weights that ship.

    Raises:
        WeightsError: the file is missing, or its checksum is not the published one.
    """
    from safetensors.numpy import load

    try:
        data = WEIGHTS.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights {WEIGHTS} cannot be read ({error.strerror}).") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise WeightsError(
            f"The weights {WEIGHTS} have sha256 {digest[:12]}…, expected {SHA256[:12]}…: the file was changed or "
            "damaged. Restore it from the release."
        )
    tensors = load(data)
    count = len(tensors) // 2
    return VisibilityClassifier(tuple((tensors[f"matrix{i}"], tensors[f"offset{i}"]) for i in range(count)))
