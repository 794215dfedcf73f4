"""Found polygons against true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely

from inference.changes import Change
from inference.outputs.scan_folder import FoundChange
from inference.settings import MinimumAreas
from training.synthetic import TrueChange

COVERED = 0.3
"""Share of a true change that found polygons must cover for it to count as found, and share of a found polygon that
must lie on true change for it not to count as a false alarm: enough for an inspector to see what is meant."""


@dataclass(frozen=True)
class Compared:
    """A scan against the truth.

    Attributes:
        truth: every true change not below the minimum mapping unit, with whether it was found.
        false_alarms: found polygons that show no true change.
    """

    truth: tuple[tuple[TrueChange, bool], ...]
    false_alarms: int


def compare_with_truth(
    changes: Sequence[Change | FoundChange], truth: Sequence[TrueChange], minimum: MinimumAreas
) -> Compared:
    """Compare by area covered, whatever the kind; all polygons in one CRS."""
    found = shapely.union_all([change.polygon for change in changes])
    true = shapely.union_all([change.polygon for change in truth])
    large = [change for change in truth if change.area_m2 >= getattr(minimum, change.kind)]
    return Compared(
        tuple((change, change.polygon.intersection(found).area >= COVERED * change.polygon.area) for change in large),
        sum(change.polygon.intersection(true).area < COVERED * change.polygon.area for change in changes),
    )
