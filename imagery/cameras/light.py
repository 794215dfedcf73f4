"""How the light of a frame is, and which earlier captures were taken in the like."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from imagery.cameras.camera import Frame, Light


def measure_light(frame: Frame, taken_at: dt.datetime) -> Light:
    """Measure the light of a frame from its own pixels."""
    raise NotImplementedError


def alike(light: Light, others: Sequence[Light]) -> list[int]:
    """Indices of the captures of like light, most alike first; those too different are left out."""
    raise NotImplementedError
