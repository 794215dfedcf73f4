"""Match the changes of a scan to existing alerts, so that each place has one alert across scans.

Rules, in the order of evaluation:

1. Two polygons are the same place if their intersection is at least ``settings.overlap`` of the smaller one. Of several
   such alerts the one with the highest intersection over union (IoU) is matched; the reason names the others. A polygon
   with a position error, as from a camera, is first shifted towards the other by at most ``settings.sigmas`` standard
   deviations; the IoU is weighted down with the shift.
2. *Construction* and *ground* match each other: an excavation becomes a building. *Demolition* matches only demolition,
   except for alerts that are to be corrected, where it is the evidence of the correction.
3. A *rejected* alert stays rejected, unless its area has grown to ``settings.grown`` times the rejected area, or a
   building appears where ground works were rejected: then it is returned. Areas of oblique images are not comparable
   with those of orthophotos: growth is evaluated only if both have a position error, or neither has.
4. Changes after the closing of a *closed* alert are a new alert. The same works detected again are not: any earlier
   image from before the construction shows them as new for years. Therefore the later image must be taken after the
   closing, and one of these must apply: the earlier image is from after the closing too, the ground had been cleared,
   or the area has grown or the kind changed as in rule 3. Without dates the change is taken for the same works.
5. Merged and split alerts are continued in other alerts and are ignored.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from configs.service import AlertSettings
from enforcement.overlap_ratio import OverlapRatios, make_valid, overlap_ratios
from enforcement.position_uncertainty import shift_towards, uncertainty_box
from enforcement.states import Category, StateTable, read_states
from errors import Reason
from imagery.error_ellipse import ErrorEllipse

Verdict = Literal["new", "again", "still_rejected", "returned"]


@dataclass(frozen=True)
class ScanChange:
    """One change detected by a scan.

    Attributes:
        number: number of the change in its scan.
        kind: construction, ground or demolition.
        outline: longitude, latitude.
        area_m2: ellipsoidal m².
        score: mean probability, 0…1.
        before_date: date of the earlier image, if known.
        after_date: date of the later image, if known.
        error: position error of the outline; None: as accurate as an orthophoto.
    """

    number: int
    kind: str
    outline: BaseGeometry
    area_m2: float
    score: float
    before_date: dt.date | None = None
    after_date: dt.date | None = None
    error: ErrorEllipse | None = None


@dataclass(frozen=True)
class KnownAlert:
    """An existing alert.

    Attributes:
        alert_id: database id of the alert.
        kind: construction, ground or demolition.
        outline: longitude, latitude.
        area_m2: ellipsoidal m²; of a rejected or closed alert at the time of that decision, so that slow growth counts.
        state: a state of ``configs/states.yaml``.
        closed_on: local date on which a closed alert was closed, if known.
        cleared: whether a closed alert was closed because everything was demolished.
        error: position error of the outline; None: as accurate as an orthophoto.
    """

    alert_id: int
    kind: str
    outline: BaseGeometry
    area_m2: float
    state: str
    closed_on: dt.date | None = None
    cleared: bool = False
    error: ErrorEllipse | None = None


@dataclass(frozen=True)
class Match:
    """Result of matching one change.

    Attributes:
        change: the change.
        alert_id: the alert that it is an observation of; None: a new alert.
        verdict: new; again: one more observation; still_rejected: one more observation of a rejected alert; returned:
            an observation that reopens a rejected alert, at most one per alert and scan.
        reason: explanation for people.
        kind: kind of the alert after this scan.
    """

    change: ScanChange
    alert_id: int | None
    verdict: Verdict
    reason: Reason
    kind: str


@dataclass(frozen=True)
class _Candidate:
    """An existing alert with the category of its state and its repaired outline."""

    alert: KnownAlert
    category: Category
    outline: BaseGeometry


def match_changes(
    changes: Sequence[ScanChange],
    known: Sequence[KnownAlert],
    settings: AlertSettings,
    states: StateTable | None = None,
) -> list[Match]:
    """Match the changes of one scan to existing alerts. The result does not depend on the order of the inputs.

    Args:
        changes: changes of one scan.
        known: alerts that may touch them, in any state.
        settings: minimum overlap and growth factor.
        states: state table; None: ``configs/states.yaml``.

    Returns:
        one match per change, sorted by number. Several may be observations of one alert.

    Raises:
        SettingsError: an alert is in a state that the table does not have.
    """
    table = states or read_states()
    candidates = [_Candidate(alert, table.category(alert.state), make_valid(alert.outline)) for alert in known]
    candidates = [candidate for candidate in candidates if candidate.category != "gone"]
    tree = STRtree([uncertainty_box(c.outline, c.alert.error, settings.sigmas) for c in candidates])
    matches: dict[int, Match] = {}
    by_alert: dict[int, tuple[_Candidate, list[tuple[ScanChange, Reason]]]] = {}
    for change in sorted(changes, key=lambda item: item.number):
        outline = make_valid(change.outline)
        hits = tree.query(uncertainty_box(outline, change.error, settings.sigmas), predicate="intersects")
        overlapping = _overlapping(change, outline, [candidates[i] for i in hits], settings)
        best = next((item for item in overlapping if _is_same_alert(change, item[1], settings)), None)
        if best is None:
            reason = _new_reason(overlapping, settings)
            matches[change.number] = Match(change, None, "new", reason, change.kind)
        else:
            reason = _again_reason(change, best, [item for item in overlapping if item is not best])
            by_alert.setdefault(best[1].alert.alert_id, (best[1], []))[1].append((change, reason))
    for candidate, observations in by_alert.values():
        for match in _match_observations(candidate, observations, settings):
            matches[match.change.number] = match
    return [matches[number] for number in sorted(matches)]


def _overlapping(
    change: ScanChange, outline: BaseGeometry, candidates: Sequence[_Candidate], settings: AlertSettings
) -> list[tuple[OverlapRatios, _Candidate]]:
    """Rule 1: list the candidates at the same place, best match first."""
    measured = [(_measure_overlap(change, outline, candidate, settings), candidate) for candidate in candidates]
    overlapping = [(ratios, candidate) for ratios, candidate in measured if ratios.of_smaller >= settings.overlap]
    overlapping.sort(key=lambda item: (-item[0].iou, -item[0].of_smaller, item[1].alert.alert_id))
    return overlapping


def _measure_overlap(
    change: ScanChange, outline: BaseGeometry, candidate: _Candidate, settings: AlertSettings
) -> OverlapRatios:
    """Compute the overlap after shifting within the position errors; the IoU is weighted by the shift's likelihood."""
    shifted, shift_sigmas = shift_towards(
        outline, change.error, candidate.outline, candidate.alert.error, settings.sigmas
    )
    ratios = overlap_ratios(shifted, candidate.outline)
    if not shift_sigmas:
        return ratios
    return OverlapRatios(ratios.of_smaller, ratios.iou * math.exp(-(shift_sigmas**2) / 2))


def _is_same_alert(change: ScanChange, candidate: _Candidate, settings: AlertSettings) -> bool:
    """Rules 2 and 4: whether a change at the place of an alert is an observation of it."""
    alert = candidate.alert
    if (change.kind == "demolition") != (alert.kind == "demolition"):
        return change.kind == "demolition" and candidate.category == "correcting"
    if candidate.category != "closed" or alert.closed_on is None or change.after_date is None:
        return True
    if change.after_date <= alert.closed_on:
        return True
    began_after_closing = change.before_date is not None and change.before_date >= alert.closed_on
    return not (
        began_after_closing
        or alert.cleared
        or _became_building(change, alert)
        or _has_grown(change.area_m2, change.error, alert, settings)
    )


def _became_building(change: ScanChange, alert: KnownAlert) -> bool:
    return alert.kind == "ground" and change.kind == "construction"


def _has_grown(area_m2: float, error: ErrorEllipse | None, alert: KnownAlert, settings: AlertSettings) -> bool:
    comparable = (error is None) == (alert.error is None)
    return comparable and area_m2 >= settings.grown * alert.area_m2


def _match_observations(
    candidate: _Candidate, observations: list[tuple[ScanChange, Reason]], settings: AlertSettings
) -> list[Match]:
    """Rule 3: decide the verdicts of all observations of one alert."""
    alert = candidate.alert
    became_building = any(_became_building(change, alert) for change, _ in observations)
    kind = "construction" if became_building else alert.kind
    if candidate.category != "rejected":
        return [Match(change, alert.alert_id, "again", reason, kind) for change, reason in observations]
    area = sum(change.area_m2 for change, _ in observations)
    if kind != alert.kind:
        message = "the alert is returned: there is a building where ground works were rejected"
        returned = Reason(message, "alert.risen")
    elif _has_grown(area, observations[0][0].error, alert, settings):
        message = f"the alert is returned: its area was {alert.area_m2:.0f} m² when rejected and is {area:.0f} m² now"
        returned = Reason(message, "alert.grown", before=alert.area_m2, now=area)
    else:
        unchanged = Reason("a person rejected it, and it has neither grown nor changed in kind", "alert.still_rejected")
        return [
            Match(change, alert.alert_id, "still_rejected", Reason.combine([reason, unchanged]), alert.kind)
            for change, reason in observations
        ]
    (first, reason), *others = observations
    return [
        Match(first, alert.alert_id, "returned", Reason.combine([reason, returned]), kind),
        *(Match(change, alert.alert_id, "again", reason, kind) for change, reason in others),
    ]


def _list_alerts(overlapping: Sequence[tuple[OverlapRatios, _Candidate]]) -> str:
    return ", ".join(
        f"{candidate.alert.alert_id} ({ratios.of_smaller:.0%}, {candidate.alert.state})"
        for ratios, candidate in overlapping
    )


def _again_reason(
    change: ScanChange,
    best: tuple[OverlapRatios, _Candidate],
    others: Sequence[tuple[OverlapRatios, _Candidate]],
) -> Reason:
    ratios, candidate = best
    alert_id, share = candidate.alert.alert_id, ratios.of_smaller
    message = f"same place as alert {alert_id}: the overlap is {share:.0%} of the smaller polygon"
    code = "alert.again"
    if change.error or candidate.alert.error:
        message, code = f"{message}, within the position error", "alert.again_within"
    reasons = [Reason(message, code, alert=alert_id, share=share)]
    if change.kind == "demolition" != candidate.alert.kind:
        reasons.append(Reason("the works to be corrected seem to be gone", "alert.gone"))
    if others:
        listed = _list_alerts(others)
        reasons.append(Reason(f"also on alert {listed}", "alert.also_on", others=listed))
    return Reason.combine(reasons)


def _new_reason(overlapping: Sequence[tuple[OverlapRatios, _Candidate]], settings: AlertSettings) -> Reason:
    if overlapping:
        listed = _list_alerts(overlapping)
        return Reason(
            f"at the place of alert {listed}, but after its closing or of another kind",
            "alert.other_story",
            others=listed,
        )
    share = settings.overlap
    return Reason(f"no known alert overlaps by {share:.0%} of the smaller polygon", "alert.unknown", share=share)
