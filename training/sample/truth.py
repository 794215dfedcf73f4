"""Comparison of detected polygons with the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from inference.changes import Change
from inference.outputs.scan_folder import FoundChange
from inference.settings import MinimumAreas
from training.synthetic import TrueChange

MIN_COVERAGE = 0.3
"""Smallest covered share for a match: of a true change by detected polygons, to count as found; of a detected polygon
by true changes, not to count as a false alarm. Enough for an inspector to recognise the change."""


@dataclass(frozen=True)
class TruthComparison:
    """Result of comparing a scan with the ground truth.

    Attributes:
        truth: (change, found) for every true change of at least the minimum mapping unit.
        false_alarms: number of detected polygons without a true change.
    """

    truth: tuple[tuple[TrueChange, bool], ...]
    false_alarms: int


def compare_with_truth(
    changes: Sequence[Change | FoundChange], truth: Sequence[TrueChange], minimum: MinimumAreas
) -> TruthComparison:
    """Compare detected with true changes by covered area, regardless of kind.

    Args:
        changes: detected changes.
        truth: true changes, in the same CRS.
        minimum: minimum mapping unit by kind; smaller true changes are not counted.
    """
    detected_area = shapely.union_all([change.polygon for change in changes])
    true_area = shapely.union_all([change.polygon for change in truth])

    def matches(polygon: BaseGeometry, area: BaseGeometry) -> bool:
        return bool(polygon.intersection(area).area >= MIN_COVERAGE * polygon.area)

    large = [change for change in truth if change.area_m2 >= getattr(minimum, change.kind)]
    return TruthComparison(
        tuple((change, matches(change.polygon, detected_area)) for change in large),
        sum(not matches(change.polygon, true_area) for change in changes),
    )
