"""Error ellipse of a position on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorEllipse:
    """Error ellipse of one standard deviation: it contains the true position with a probability of 39%.

    Attributes:
        major_m: semi-major axis in metres.
        minor_m: semi-minor axis in metres.
        direction_deg: of the major axis, clockwise from grid north, 0 ≤ direction < 180.
    """

    major_m: float
    minor_m: float
    direction_deg: float

    def __post_init__(self) -> None:
        """Raise ValueError unless 0 ≤ minor ≤ major < ∞."""
        if not (0 <= self.minor_m <= self.major_m < math.inf):
            raise ValueError(f"Semi-axes {self.major_m} and {self.minor_m} m are not those of an ellipse.")
