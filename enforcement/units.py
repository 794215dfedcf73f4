"""Units of the field."""

from __future__ import annotations

import math

METRES_PER_DEGREE = 111_320.0
"""Of latitude, everywhere to half a percent: for drawings and for what is small, not for areas that are told."""

MU_M2 = 10_000 / 15
"""Square metres in one mu (亩): fifteen mu are a hectare."""


def mu(area_m2: float) -> float:
    """Turn square metres into mu."""
    return area_m2 / MU_M2


def round_length(most: float) -> float:
    """The longest of 1, 2, 5, 10, 20 … that is not above ``most``: what a scale bar is long."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))


def length_words(metres: float) -> str:
    """Like ``50 m`` or ``2 km``."""
    return f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
