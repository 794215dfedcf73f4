"""Match the changes of a scan to existing alerts, so that each place has one alert across scans.

Rules, in the order of evaluation:

1. A change is at the place of an alert if its intersection with any sighting of the alert is at least
   ``settings.overlap`` of the smaller one, or if it is an extension: no more than ``settings.adjacent_m`` away from a
   sighting whose later image is from before this comparison, or the reverse. Since only pairs of sightings are
   compared, the result does not depend on the order of arrival. Of several such alerts the one with the highest
   intersection over union (IoU) is matched; the match lists the other open ones, which the change joins with it. A
   polygon with a position error, as from a camera, is first shifted towards the other by at most ``settings.sigmas``
   standard deviations; the IoU is weighted down with the shift.
2. *Construction* and *ground* match each other: an excavation becomes a building. *Demolition* matches demolition, and
   alerts whose works are to be corrected or were there in its earlier image: it shows that they are gone.
3. A *rejected* alert stays rejected, unless its area has grown to ``settings.grown`` times the rejected area, or a
   building appears where ground works were rejected: then it is returned. Areas of oblique images are not comparable
   with those of orthophotos: growth is evaluated only if both have a position error, or neither has. The same holds for
   a *closed* alert whose works were found to be permitted.
4. Changes after the closing of any other *closed* alert are a new alert. The same works detected again are not: any
   earlier image from before the construction shows them as new for years. Therefore the later image must be taken after
   the closing, and one of these must apply: the earlier image is from after the closing too, the ground had been
   cleared, or the area has grown or the kind changed as in rule 3. Without dates the change is taken for the same
   works.
5. Merged and split alerts are continued in other alerts and are ignored, as are those withdrawn with their images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shapely import STRtree

from configs.service import AlertSettings
from enforcement.known_alert import KnownAlert, ScanChange
from enforcement.ledger.sighting import DEMOLITION
from enforcement.overlap_ratio import OverlapRatios, area_m2
from enforcement.same_place import Candidate, around, candidate_of, follows, overlapping_candidates
from enforcement.states import StateTable, read_states
from errors import Reason
from imagery.error_ellipse import ErrorEllipse
from imagery.set_operations import make_valid, union_all

Verdict = Literal["new", "again", "still_rejected", "returned"]


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
        joins: other open alerts at the same place.
    """

    change: ScanChange
    alert_id: int | None
    verdict: Verdict
    reason: Reason
    kind: str
    joins: tuple[int, ...] = ()


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
    candidates = [candidate_of(alert, table) for alert in known if table.category(alert.state) != "gone"]
    tree = STRtree([candidate.bounds(settings) for candidate in candidates])
    matches: dict[int, Match] = {}
    by_alert: dict[int, tuple[Candidate, list[tuple[ScanChange, Reason, tuple[int, ...]]]]] = {}
    for change in sorted(changes, key=lambda item: item.number):
        outline = make_valid(change.outline)
        hits = tree.query(around(outline, change.error, settings), predicate="intersects")
        overlapping = overlapping_candidates(change, outline, [candidates[i] for i in hits], settings)
        same = [item for item in overlapping if _is_same_alert(change, item[1], settings)]
        best = same[0] if same else None
        if best is None:
            reason = _new_reason(overlapping, settings)
            matches[change.number] = Match(change, None, "new", reason, change.kind)
        else:
            reason = _again_reason(change, best, [item for item in overlapping if item is not best])
            joins = tuple(item[1].alert.alert_id for item in same[1:] if item[1].category in ("open", "correcting"))
            by_alert.setdefault(best[1].alert.alert_id, (best[1], []))[1].append((change, reason, joins))
    for candidate, observations in by_alert.values():
        for match in _match_observations(candidate, observations, settings):
            matches[match.change.number] = match
    return [matches[number] for number in sorted(matches)]


def _is_same_alert(change: ScanChange, candidate: Candidate, settings: AlertSettings) -> bool:
    """Rules 2 and 4: whether a change at the place of an alert is an observation of it."""
    alert = candidate.alert
    if (change.kind == DEMOLITION) != (alert.kind == DEMOLITION):
        return _is_removal(change, candidate)
    if candidate.category != "closed" or alert.closed_on is None or change.after_date is None or alert.permitted:
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


def _is_removal(change: ScanChange, candidate: Candidate) -> bool:
    """Rule 2: whether one of the change and the alert is the demolition of the other."""
    pieces = [piece for piece, _ in candidate.pieces if piece is not None]
    if change.kind != DEMOLITION:
        return candidate.category == "open" and any(follows(piece.before, change.after_date) for piece in pieces)
    if candidate.category == "correcting":
        return True
    stood = any(piece.appeared and follows(change.before_date, piece.after) for piece in pieces)
    return stood and candidate.category in ("open", "suppressed", "transient")


def _became_building(change: ScanChange, alert: KnownAlert) -> bool:
    return alert.kind == "ground" and change.kind == "construction"


def _has_grown(area_m2: float, error: ErrorEllipse | None, alert: KnownAlert, settings: AlertSettings) -> bool:
    comparable = (error is None) == (alert.error is None)
    return comparable and area_m2 >= settings.grown * alert.area_m2


def _match_observations(
    candidate: Candidate,
    observations: list[tuple[ScanChange, Reason, tuple[int, ...]]],
    settings: AlertSettings,
) -> list[Match]:
    """Rule 3: decide the verdicts of all observations of one alert."""
    alert = candidate.alert
    became_building = any(_became_building(change, alert) for change, *_ in observations)
    kind = "construction" if became_building else alert.kind
    appeared = {change.kind for change, *_ in observations} - {DEMOLITION}
    if alert.kind == DEMOLITION and appeared:  # an earlier image shows how the demolished works had begun
        kind = "construction" if "construction" in appeared else "ground"
    if candidate.category != "rejected" and not alert.permitted:
        return [Match(change, alert.alert_id, "again", reason, kind, joins) for change, reason, joins in observations]
    area = _area_now(candidate, [change for change, *_ in observations])
    if kind != alert.kind:
        message = "the alert is returned: there is a building where ground works were rejected"
        returned = Reason(message, "alert.risen")
    elif _has_grown(area, observations[0][0].error, alert, settings):
        message = f"the alert is returned: its area was {alert.area_m2:.0f} m² when decided and is {area:.0f} m² now"
        returned = Reason(message, "alert.grown", before=alert.area_m2, now=area)
    elif alert.permitted:
        return [Match(change, alert.alert_id, "again", reason, alert.kind) for change, reason, _ in observations]
    else:
        unchanged = Reason("a person rejected it, and it has neither grown nor changed in kind", "alert.still_rejected")
        return [
            Match(change, alert.alert_id, "still_rejected", Reason.combine([reason, unchanged]), alert.kind)
            for change, reason, _ in observations
        ]
    (first, reason, joins), *others = observations
    return [
        Match(first, alert.alert_id, "returned", Reason.combine([reason, returned]), kind, joins),
        *(Match(change, alert.alert_id, "again", reason, kind, joins) for change, reason, joins in others),
    ]


def _area_now(candidate: Candidate, changes: Sequence[ScanChange]) -> float:
    """Return the area of an alert with these changes: of extensions, together with what was seen before."""
    pieces = [(piece, outline) for piece, outline in candidate.pieces if piece is not None and piece.appeared]
    extends = any(follows(change.before_date, piece.after) for change in changes for piece, _ in pieces)
    if not extends:
        return sum(change.area_m2 for change in changes)
    outlines = [outline for _, outline in pieces] + [make_valid(change.outline) for change in changes]
    return area_m2(union_all(outlines))


def _list_alerts(overlapping: Sequence[tuple[OverlapRatios, Candidate]]) -> str:
    return ", ".join(
        f"{candidate.alert.alert_id} ({ratios.of_smaller:.0%}, {candidate.alert.state})"
        for ratios, candidate in overlapping
    )


def _again_reason(
    change: ScanChange,
    best: tuple[OverlapRatios, Candidate],
    others: Sequence[tuple[OverlapRatios, Candidate]],
) -> Reason:
    ratios, candidate = best
    alert_id, share = candidate.alert.alert_id, ratios.of_smaller
    message = f"same place as alert {alert_id}: the overlap is {share:.0%} of the smaller polygon"
    code = "alert.again"
    if change.error or candidate.alert.error:
        message, code = f"{message}, within the position error", "alert.again_within"
    reasons = [Reason(message, code, alert=alert_id, share=share)]
    if change.kind == DEMOLITION != candidate.alert.kind:
        reasons.append(Reason("the works to be corrected seem to be gone", "alert.gone"))
    if others:
        listed = _list_alerts(others)
        reasons.append(Reason(f"also on alert {listed}", "alert.also_on", others=listed))
    return Reason.combine(reasons)


def _new_reason(overlapping: Sequence[tuple[OverlapRatios, Candidate]], settings: AlertSettings) -> Reason:
    if overlapping:
        listed = _list_alerts(overlapping)
        return Reason(
            f"at the place of alert {listed}, but after its closing or of another kind",
            "alert.other_story",
            others=listed,
        )
    share = settings.overlap
    return Reason(f"no known alert overlaps by {share:.0%} of the smaller polygon", "alert.unknown", share=share)
