"""How the light of a frame is, and which earlier captures were taken in the like."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import cv2
import numpy as np

from imagery.cameras.camera import Frame, Light

_WIDE = 480
_DIRECTIONS = 8
_LIKE = 1.0  # distance from which light is another: five hours of the day alone, or a sixth of the brightness


def measure_light(frame: Frame, taken_at: dt.datetime) -> Light:
    """Measure the light of a frame from its own pixels; black borders of a moved frame are left out."""
    scale = min(1.0, _WIDE / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
    seen = small.max(axis=2) > 0
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if not seen.any():
        seen = np.ones_like(seen)
    values = small[seen].astype(np.float64).mean(axis=0) + 1.0
    across, along = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, along)
    turn = (np.arctan2(along, across) % np.pi) / np.pi * _DIRECTIONS
    sums = np.bincount(turn.astype(int).ravel() % _DIRECTIONS, strength.ravel(), _DIRECTIONS)
    shares = sums / max(float(sums.sum()), 1e-6)
    return Light(
        hour=taken_at.hour + taken_at.minute / 60 + taken_at.second / 3600,
        brightness=float(np.median(grey[seen])),
        contrast=float(grey[seen].std()),
        warmth=float(np.log(values[0] / values[2])),
        direction=tuple(float(share) for share in shares),
    )


def unlikeness(one: Light, other: Light) -> float:
    """How different two lights are: 0 alike, 1 as different as two hours of the day or a cloud before the sun."""
    hours = abs(one.hour - other.hour)
    parts = (
        min(hours, 24 - hours) / 2.5,
        np.log((one.brightness + 8) / (other.brightness + 8)) / 0.4,
        np.log((one.contrast + 4) / (other.contrast + 4)) / 0.5,
        (one.warmth - other.warmth) / 0.25,
        np.abs(np.subtract(one.direction, other.direction)).sum() / 0.25,
    )
    return float(np.sqrt(np.mean(np.square(parts))))


def alike(light: Light, others: Sequence[Light]) -> list[int]:
    """Indices of the captures of like light, most alike first; those too different are left out."""
    ranked = sorted((unlikeness(light, other), k) for k, other in enumerate(others))
    return [k for apart, k in ranked if apart <= _LIKE]
