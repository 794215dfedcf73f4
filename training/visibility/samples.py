"""Samples of the visibility classifier: local statistics of pixels of two dates, with the class of each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from model.visibility.local_statistics import COUNT, local_statistics
from training.sources.samples import Source
from training.visibility.painted_weather import (
    CLEAR,
    UNSURE,
    Classes,
    Floats,
    paint_clouds,
    paint_haze,
    paint_snow,
)

PIXELS = 400
"""Pixels drawn of each date of a pair."""

MIN_SIDE = 48


def reduced_pair(source: Source, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw a pair and reduce it by two to five, to the resolution at which visibility is judged."""
    sample = source.draw(rng)
    factor = rng.uniform(2, min(5, max(2.01, min(sample.before.shape[:2]) / MIN_SIDE)))
    size = (round(sample.before.shape[1] / factor), round(sample.before.shape[0] / factor))
    before, after = (
        cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA).astype(np.float32)
        for image in (sample.before, sample.after)
    )
    if rng.random() < 0.4:  # visibility is judged before the dates are registered
        shift = np.array([[1, 0, rng.normal(0, 4)], [0, 1, rng.normal(0, 4)]])
        before = cv2.warpAffine(before, shift, size, borderMode=cv2.BORDER_REFLECT)
    if rng.random() < 0.5:
        before, after = after, before
    return before, after


def _vary(image: Floats, rng: np.random.Generator) -> Floats:
    """Vary exposure, contrast, colour, sharpness and noise, as between two cameras and two hours."""
    out = 255 * np.clip(image / 255, 0, 1) ** np.exp(rng.normal(0, 0.2))
    out = (out - 110) * np.exp(rng.normal(0, 0.2)) + 110 + rng.normal(0, 12)
    out = out * np.exp(rng.normal(0, 0.04, 3))
    grey = out.mean(axis=2, keepdims=True)
    out = grey + (out - grey) * np.exp(rng.normal(-0.1, 0.35))
    if rng.random() < 0.25:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.2))
    return np.asarray(out, dtype=np.float32)


def _stretch(image: Floats, rng: np.random.Generator) -> Floats:
    """Vary the response after the atmosphere: gain, clipping and noise."""
    out = image * np.exp(rng.normal(0, 0.1)) + rng.normal(0, 6) + rng.normal(0, rng.uniform(0, 2.5), image.shape)
    return np.asarray(out, dtype=np.float32)


def _weather(image: Floats, rng: np.random.Generator) -> tuple[Floats, Classes]:
    drawn = rng.random()
    if drawn < 0.40:
        return image, np.full(image.shape[:2], CLEAR, np.uint8)
    if drawn < 0.80:
        return paint_clouds(image, rng)
    if drawn < 0.90:
        return paint_haze(image, rng)
    return paint_snow(image, rng)


def draw_statistics(sources: Sequence[Source], count: int, rng: np.random.Generator) -> tuple[Floats, Classes]:
    """Draw pairs and return the statistics of some of their pixels, N×COUNT, with their classes, N.

    Args:
        sources: each is drawn from equally often.
        count: number of pairs.
        rng: source of all randomness.
    """
    statistics, classes = [np.zeros((0, COUNT), np.float32)], [np.zeros(0, np.uint8)]
    for _ in range(count):
        pair = reduced_pair(sources[int(rng.integers(len(sources)))], rng)
        painted = [_weather(_vary(image, rng), rng) for image in pair]
        images = [np.clip(np.rint(_stretch(image, rng)), 0, 255).astype(np.uint8) for image, _ in painted]
        valid = np.ones(images[0].shape[:2], bool)
        measured = local_statistics((images[0], images[1]), (valid, valid))
        for values, (_, truth) in zip(measured, painted, strict=True):
            known = np.flatnonzero(truth != UNSURE)
            chosen = rng.choice(known, min(PIXELS, len(known)), replace=False)
            statistics.append(values.reshape(-1, COUNT)[chosen])
            classes.append(truth.ravel()[chosen])
    return np.concatenate(statistics), np.concatenate(classes)
