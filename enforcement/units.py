"""Units of the field."""

from __future__ import annotations

MU_M2 = 10_000 / 15
"""Square metres in one mu (亩): fifteen mu are a hectare."""


def mu(area_m2: float) -> float:
    """Turn square metres into mu."""
    return area_m2 / MU_M2
