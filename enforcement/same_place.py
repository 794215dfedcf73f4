"""Whether a change is at the place of an alert: overlap with a sighting, or extension of one.

The rule is number 1 of :mod:`enforcement.match`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from configs.service import AlertSettings
from enforcement.known_alert import KnownAlert, ScanChange
from enforcement.ledger.sighting import DEMOLITION, Sighting
from enforcement.overlap_ratio import OverlapRatios, overlap_ratios
from enforcement.position_uncertainty import METRES_PER_DEGREE, shift_towards, uncertainty_box
from enforcement.states import Category, StateTable
from imagery.error_ellipse import ErrorEllipse
from imagery.set_operations import make_valid


@dataclass(frozen=True)
class Candidate:
    """An existing alert with the category of its state and its repaired outlines.

    ``pieces`` are its sightings with their outlines; without sightings, its outline alone.
    """

    alert: KnownAlert
    category: Category
    outline: BaseGeometry
    pieces: tuple[tuple[Sighting | None, BaseGeometry], ...]

    def bounds(self, settings: AlertSettings) -> BaseGeometry:
        """Return a rectangle within which changes may be at the same place."""
        own = around(self.outline, self.alert.error, settings)
        boxes = [around(outline, piece.error if piece else None, settings) for piece, outline in self.pieces]
        return box(*shapely.total_bounds([own, *boxes]))


def candidate_of(alert: KnownAlert, table: StateTable) -> Candidate:
    """Return an alert with what its comparison with changes needs."""
    outline = make_valid(alert.outline)
    seen = [(one, make_valid(one.outline)) for one in alert.sightings if one.outline is not None]
    return Candidate(alert, table.category(alert.state), outline, tuple(seen) or ((None, outline),))


def around(outline: BaseGeometry, error: ErrorEllipse | None, settings: AlertSettings) -> BaseGeometry:
    """Return a rectangle that contains the true position of an outline and its extensions."""
    west, south, east, north = uncertainty_box(outline, error, settings.sigmas).bounds
    margin = _degrees(settings.adjacent_m, outline)
    return box(west - margin, south - margin, east + margin, north + margin)


def _degrees(metres: float, outline: BaseGeometry) -> float:
    """Return a distance as degrees of longitude at an outline."""
    latitude = math.radians(outline.bounds[1]) if not outline.is_empty else 0.0
    return metres / (METRES_PER_DEGREE * max(math.cos(latitude), 0.01))


def overlapping_candidates(
    change: ScanChange, outline: BaseGeometry, candidates: Sequence[Candidate], settings: AlertSettings
) -> list[tuple[OverlapRatios, Candidate]]:
    """Rule 1: list the candidates at the same place, best match first."""
    overlapping = []
    for candidate in candidates:
        ratios = _measure_overlap(change, outline, candidate, settings)
        if ratios.of_smaller >= settings.overlap or _extends(change, outline, candidate, settings):
            overlapping.append((ratios, candidate))
    overlapping.sort(key=lambda item: (-item[0].iou, -item[0].of_smaller, item[1].alert.alert_id))
    return overlapping


def _measure_overlap(
    change: ScanChange, outline: BaseGeometry, candidate: Candidate, settings: AlertSettings
) -> OverlapRatios:
    """Compute the highest overlap with any sighting, and the IoU with the alert."""
    with_alert = _shifted_overlap(change, outline, candidate.outline, candidate.alert.error, settings)
    pieces = [
        _shifted_overlap(change, outline, piece_outline, piece.error, settings)
        for piece, piece_outline in candidate.pieces
        if piece is not None
    ]
    return OverlapRatios(max((ratios.of_smaller for ratios in pieces), default=with_alert.of_smaller), with_alert.iou)


def _shifted_overlap(
    change: ScanChange,
    outline: BaseGeometry,
    other: BaseGeometry,
    other_error: ErrorEllipse | None,
    settings: AlertSettings,
) -> OverlapRatios:
    """Compute the overlap after shifting within the position errors; the IoU is weighted by the shift's likelihood."""
    shifted, shift_sigmas = shift_towards(outline, change.error, other, other_error, settings.sigmas)
    ratios = overlap_ratios(shifted, other)
    if not shift_sigmas:
        return ratios
    return OverlapRatios(ratios.of_smaller, ratios.iou * math.exp(-(shift_sigmas**2) / 2))


def _extends(change: ScanChange, outline: BaseGeometry, candidate: Candidate, settings: AlertSettings) -> bool:
    """Rule 1: whether a change adjoins a sighting of earlier or later works, both seen from above."""
    if change.kind == DEMOLITION or change.error or (candidate.category == "closed" and not candidate.alert.permitted):
        return False
    distance = _degrees(settings.adjacent_m, outline)
    return any(
        piece is not None
        and piece.appeared
        and piece.error is None
        and (follows(change.before_date, piece.after) or follows(piece.before, change.after_date))
        and shapely.dwithin(outline, piece_outline, distance)
        for piece, piece_outline in candidate.pieces
    )


def follows(before: dt.date | None, after: dt.date | None) -> bool:
    """Whether a comparison whose earlier image is from ``before`` follows one whose later image is from ``after``."""
    return before is not None and after is not None and before >= after
