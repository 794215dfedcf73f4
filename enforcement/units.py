"""Units and formatting of areas and lengths."""

from __future__ import annotations

import math

METRES_PER_DEGREE = 111_320.0
"""Length of a degree of latitude, accurate to 0.5 %: for drawings and small distances, not for reported areas."""

MU_M2 = 10_000 / 15
"""Square metres in one mu (亩); 15 mu are one hectare."""


def mu(area_m2: float) -> float:
    """Convert square metres to mu."""
    return area_m2 / MU_M2


def round_length(limit: float) -> float:
    """Return the largest of … 1, 2, 5, 10, 20 … not above ``limit``, as length of a scale bar."""
    power = 10.0 ** math.floor(math.log10(limit))
    return max(step * power for step in (1, 2, 5) if step * power <= limit * (1 + 1e-9))


def format_length(metres: float) -> str:
    """Format a length like ``50 m`` or ``2 km``."""
    return f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
