"""Completeness of a correction: the areas balance and a second person agrees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from errors import Reason


@dataclass(frozen=True)
class Correction:
    """Areas of a correction, in m².

    Attributes:
        total_m2: area to be corrected.
        demolished_m2: area demolished and restored.
        regularised_m2: area that was approved afterwards.
    """

    total_m2: float
    demolished_m2: float
    regularised_m2: float

    @property
    def corrected_m2(self) -> float:
        """Sum of the demolished and the regularised area."""
        return self.demolished_m2 + self.regularised_m2

    @property
    def remaining_m2(self) -> float:
        """Area still to be corrected, to 0.01 m²; negative if the corrected areas exceed the total."""
        return round(self.total_m2 - self.corrected_m2, 2) + 0.0

    @property
    def cleared(self) -> bool:
        """Whether everything was demolished and nothing regularised."""
        return self.remaining_m2 == 0 and self.regularised_m2 == 0 and self.demolished_m2 > 0


def parse_correction(evidence: Mapping[str, Any]) -> Correction | None:
    """Parse the correction in a transition's evidence; None if one of its three areas is missing or invalid."""
    values = [evidence.get(name) for name in ("total_m2", "demolished_m2", "regularised_m2")]
    areas = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(areas) < 3 or not all(math.isfinite(area) and area >= 0 for area in areas):
        return None
    return Correction(*areas)


def closing_obstacle(correction: Correction, *, agreed: bool, reviewer: str, checker: str | None) -> Reason | None:
    """Return the reason why a corrected alert cannot be closed yet; None if it can.

    Args:
        correction: areas of the correction.
        agreed: whether the reviewer agreed.
        reviewer: person who closes the alert.
        checker: person who checked the correction last; None: unknown.
    """
    remaining = correction.remaining_m2
    if remaining > 0:
        message = f"{remaining:g} m² of {correction.total_m2:g} m² are not corrected yet"
        return Reason(message, "closing.left", left=remaining, total=correction.total_m2)
    if remaining < 0:
        message = f"the corrected areas exceed the total of {correction.total_m2:g} m² by {-remaining:g} m²"
        return Reason(message, "closing.more", more=-remaining, total=correction.total_m2)
    if not agreed:
        return Reason("the reviewer did not agree", "closing.not_agreed")
    if checker is not None and reviewer == checker:
        return Reason(f"{reviewer} checked it: another person must review", "closing.same_person", who=reviewer)
    return None
