"""Measure the illumination of frames, and find captures in similar light."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import cv2
import numpy as np

from imagery.cameras.camera import Frame, Light

_WORKING_WIDTH = 480
_DIRECTIONS = 8
_MAX_DISTANCE = 1.0  # of similar light; reached by 5.6 hours of the day alone, or brightness alone by a factor of 2.4


def measure_light(frame: Frame, taken_at: dt.datetime) -> Light:
    """Measure the light of a frame by its pixels, without the black borders of an aligned frame."""
    scale = min(1.0, _WORKING_WIDTH / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    valid = small.max(axis=2) > 0
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if not valid.any():
        valid = np.ones_like(valid)
    values = small[valid].astype(np.float64).mean(axis=0) + 1.0
    across, along = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, along)
    bins = (np.arctan2(along, across) % np.pi) / np.pi * _DIRECTIONS
    sums = np.bincount(bins.astype(int).ravel() % _DIRECTIONS, strength.ravel(), _DIRECTIONS)
    fractions = sums / max(float(sums.sum()), 1e-6)
    return Light(
        hour=taken_at.hour + taken_at.minute / 60 + taken_at.second / 3600,
        brightness=float(np.median(grey[valid])),
        contrast=float(grey[valid].std()),
        warmth=float(np.log(values[0] / values[2])),
        direction=tuple(float(fraction) for fraction in fractions),
    )


def light_distance(one: Light, other: Light) -> float:
    """Distance of two illuminations: 0 equal, 1 the limit of similar light."""
    hours = abs(one.hour - other.hour)
    parts = (
        min(hours, 24 - hours) / 2.5,
        np.log((one.brightness + 8) / (other.brightness + 8)) / 0.4,
        np.log((one.contrast + 4) / (other.contrast + 4)) / 0.5,
        (one.warmth - other.warmth) / 0.25,
        np.abs(np.subtract(one.direction, other.direction)).sum() / 0.25,
    )
    return float(np.sqrt(np.mean(np.square(parts))))


def similar_light(light: Light, others: Sequence[Light]) -> list[int]:
    """Indices of ``others`` that are similar to ``light``, the most similar first."""
    ranked = sorted((light_distance(light, other), k) for k, other in enumerate(others))
    return [k for distance, k in ranked if distance <= _MAX_DISTANCE]
