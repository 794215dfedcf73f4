"""Whether a correction is complete: areas balance and another person agrees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from errors import Reason


@dataclass(frozen=True)
class Correction:
    """What became of the area that was to be corrected, m².

    Attributes:
        total_m2: to be corrected.
        demolished_m2: removed, the land restored.
        regularised_m2: given the approval that it lacked.
    """

    total_m2: float
    demolished_m2: float
    regularised_m2: float

    @property
    def corrected_m2(self) -> float:
        """Demolished and regularised together."""
        return self.demolished_m2 + self.regularised_m2

    @property
    def left_m2(self) -> float:
        """What is still to be corrected, to 0.01 m²; below 0 when more is told than there was."""
        return round(self.total_m2 - self.corrected_m2, 2) + 0.0

    @property
    def cleared(self) -> bool:
        """Whether nothing was left standing: all was demolished, nothing regularised."""
        return self.left_m2 == 0 and self.regularised_m2 == 0 and self.demolished_m2 > 0


def correction_of(evidence: Mapping[str, Any]) -> Correction | None:
    """The balance in a step's evidence; None where one of its three areas is missing or no area."""
    areas = [evidence.get(name) for name in ("total_m2", "demolished_m2", "regularised_m2")]
    numbers = [float(a) for a in areas if isinstance(a, int | float) and not isinstance(a, bool)]
    if len(numbers) < 3 or not all(math.isfinite(n) and n >= 0 for n in numbers):
        return None
    return Correction(*numbers)


def why_not_closed(correction: Correction, *, agreed: bool, reviewer: str, checker: str | None) -> Reason | None:
    """Why a corrected alert cannot be closed yet; None: it can.

    Args:
        correction: its areas.
        agreed: whether the reviewer agreed.
        reviewer: who closes it.
        checker: who checked the correction last; None: nobody is known.
    """
    left = correction.left_m2
    if left > 0:
        words = f"{left:g} m² of {correction.total_m2:g} m² are not corrected yet"
        return Reason(words, "closing.left", left=left, total=correction.total_m2)
    if left < 0:
        words = f"{-left:g} m² more are told as corrected than the {correction.total_m2:g} m² there were"
        return Reason(words, "closing.more", more=-left, total=correction.total_m2)
    if not agreed:
        return Reason("the reviewer did not agree", "closing.not_agreed")
    if checker is not None and reviewer == checker:
        return Reason(f"{reviewer} checked it: another person must review", "closing.same_person", who=reviewer)
    return None
