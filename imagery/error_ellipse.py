"""How well a place is known: an ellipse of one standard deviation on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorEllipse:
    """One standard deviation (39% of all cases lie inside) of a position on the ground.

    Attributes:
        major_m: semi-axis in metres in the direction in which the position is known worst.
        minor_m: semi-axis across it, never longer.
        direction_deg: of the long axis, clockwise from grid north, 0 ≤ direction < 180.
    """

    major_m: float
    minor_m: float
    direction_deg: float

    def __post_init__(self) -> None:
        """Refuse what is no ellipse (ValueError)."""
        if not (0 <= self.minor_m <= self.major_m < math.inf):
            raise ValueError(f"Semi-axes {self.major_m} and {self.minor_m} m are not those of an ellipse.")
