"""Identity of changes across scans: what a scan found is a new alert, or one more sight of a known one.

The rules, in the order in which they are asked:

1. Two polygons are one place when their common area is at least ``settings.overlap`` of the smaller one. Of several
   such alerts the found change belongs to the one it is most alike (common area over the area of both together); the
   others are named. Where the place of one is known only to an error, as from a camera, it may first be moved towards
   the other by ``settings.sigmas`` standard deviations at most; the farther, the less it counts as alike.
2. *Construction* and *ground* are one story: an excavation becomes a building. *Demolition* is another: it never
   belongs to a construction or ground alert, except while that one is to be corrected, when it is the evidence that is
   waited for.
3. A *rejected* alert stays rejected, unless what is found on it is grown to ``settings.grown`` times what was
   rejected, or is a building where ground works were rejected: then it is returned. An area seen from the side is no
   measure of one seen from above: what has an error of position is grown only against what has one too.
4. A *closed* alert is over: what happens there later is a new alert. The same works seen again are not: an earlier
   image from before the closing shows them as new for years. So the later image must be from after the closing and,
   besides, the earlier one too, or the ground had been cleared, or it is grown or of another kind as in 3. Without
   dates it is the same works.
5. Alerts that were merged or split live on in others and are not asked.
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
from enforcement.overlap_ratio import Overlap, overlap, sound
from enforcement.position_uncertainty import brought_together, reach
from enforcement.states import Means, StateTable, read_states
from errors import Reason
from imagery.error_ellipse import ErrorEllipse

Verdict = Literal["new", "again", "still_rejected", "returned"]


@dataclass(frozen=True)
class Found:
    """One change of a scan.

    Attributes:
        number: of the change in its scan.
        kind: construction, ground or demolition.
        outline: longitude, latitude.
        area_m2: ellipsoidal m².
        score: mean probability, 0…1.
        before_date: of the earlier image, if known.
        after_date: of the later image, if known.
        error: of the outline's position; None: as good as an orthophoto's.
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
class Known:
    """One alert that is known already.

    Attributes:
        alert_id: of its row.
        kind: construction, ground or demolition.
        outline: longitude, latitude.
        area_m2: ellipsoidal m²; of a rejected or closed alert as it was when that was decided, so that slow growth
            counts.
        state: a name of ``configs/states.yaml``.
        closed_on: local date on which a closed alert was closed, if known.
        cleared: whether a closed alert was closed because nothing was left standing.
        error: of the outline's position; None: as good as an orthophoto's.
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
    """What a found change is.

    Attributes:
        found: the change.
        alert_id: the alert it is an observation of; None: it is a new one.
        verdict: new; again: one more observation; still_rejected: the same, of a rejected alert; returned: an
            observation that brings a rejected alert back, given to one change of a scan only.
        why: for people.
        kind: of the alert from now on.
    """

    found: Found
    alert_id: int | None
    verdict: Verdict
    why: Reason
    kind: str


@dataclass(frozen=True)
class _Place:
    alert: Known
    means: Means
    outline: BaseGeometry


def match_changes(
    found: Sequence[Found], known: Sequence[Known], settings: AlertSettings, states: StateTable | None = None
) -> list[Match]:
    """Tell which found changes are known alerts. Neither the order of ``found`` nor that of ``known`` matters.

    Args:
        found: changes of one scan.
        known: alerts that may touch them, in whatever state.
        settings: when two polygons are one place, and what counts as grown.
        states: what the states mean; those of ``configs/states.yaml``, if None.

    Returns:
        one match for each found change, by its number. Several may be observations of one alert.

    Raises:
        SettingsError: a known alert is in a state that the table does not have.
    """
    table = states or read_states()
    places = [_Place(alert, table.means(alert.state), sound(alert.outline)) for alert in known]
    places = [place for place in places if place.means != "gone"]
    tree = STRtree([reach(place.outline, place.alert.error, settings.sigmas) for place in places])
    matches: dict[int, Match] = {}
    of_alert: dict[int, tuple[_Place, list[tuple[Found, Reason]]]] = {}
    for change in sorted(found, key=lambda f: f.number):
        outline = sound(change.outline)
        hit = tree.query(reach(outline, change.error, settings.sigmas), predicate="intersects")
        near = [(_compared(change, outline, places[i], settings), places[i]) for i in hit]
        near = [(lap, place) for lap, place in near if lap.of_smaller >= settings.overlap]
        near.sort(key=lambda item: (-item[0].likeness, -item[0].of_smaller, item[1].alert.alert_id))
        own = next((item for item in near if _belongs(change, item[1], settings)), None)
        if own is None:
            matches[change.number] = Match(change, None, "new", _why_new(near, settings), change.kind)
        else:
            why = _why_again(change, own, [item for item in near if item is not own])
            of_alert.setdefault(own[1].alert.alert_id, (own[1], []))[1].append((change, why))
    for place, sights in of_alert.values():
        for match in _sights(place, sights, settings):
            matches[match.found.number] = match
    return [matches[number] for number in sorted(matches)]


def _compared(change: Found, outline: BaseGeometry, place: _Place, settings: AlertSettings) -> Overlap:
    moved, sigmas = brought_together(outline, change.error, place.outline, place.alert.error, settings.sigmas)
    lap = overlap(moved, place.outline)
    return Overlap(lap.of_smaller, lap.likeness * math.exp(-(sigmas**2) / 2)) if sigmas else lap


def _belongs(change: Found, place: _Place, settings: AlertSettings) -> bool:
    """Rules 2 and 4."""
    alert = place.alert
    if (change.kind == "demolition") != (alert.kind == "demolition"):
        return change.kind == "demolition" and place.means == "correcting"
    if place.means != "closed" or alert.closed_on is None or change.after_date is None:
        return True
    if change.after_date <= alert.closed_on:
        return True
    began_later = change.before_date is not None and change.before_date >= alert.closed_on
    return not (
        began_later or alert.cleared or _risen(change, alert) or _grown(change.area_m2, change.error, alert, settings)
    )


def _risen(change: Found, alert: Known) -> bool:
    return alert.kind == "ground" and change.kind == "construction"


def _grown(area_m2: float, error: ErrorEllipse | None, alert: Known, settings: AlertSettings) -> bool:
    comparable = (error is None) == (alert.error is None)
    return comparable and area_m2 >= settings.grown * alert.area_m2


def _sights(place: _Place, sights: list[tuple[Found, Reason]], settings: AlertSettings) -> list[Match]:
    """All observations of one alert; rule 3."""
    alert = place.alert
    kind = "construction" if any(_risen(change, alert) for change, _ in sights) else alert.kind
    if place.means != "rejected":
        return [Match(change, alert.alert_id, "again", why, kind) for change, why in sights]
    area = sum(change.area_m2 for change, _ in sights)
    if kind != alert.kind:
        words = "it comes back: a building stands where ground works were rejected"
        reason = Reason(words, "alert.risen")
    elif _grown(area, sights[0][0].error, alert, settings):
        words = f"it comes back: it was rejected with {alert.area_m2:.0f} m² and has {area:.0f} m² now"
        reason = Reason(words, "alert.grown", before=alert.area_m2, now=area)
    else:
        said = Reason("a person rejected it, and it has neither grown nor changed in kind", "alert.still_rejected")
        return [
            Match(change, alert.alert_id, "still_rejected", Reason.combine([why, said]), alert.kind)
            for change, why in sights
        ]
    (first, why), *rest = sights
    returned = Match(first, alert.alert_id, "returned", Reason.combine([why, reason]), kind)
    return [returned, *(Match(change, alert.alert_id, "again", why, kind) for change, why in rest)]


def _named(near: Sequence[tuple[Overlap, _Place]]) -> str:
    return ", ".join(f"{place.alert.alert_id} ({lap.of_smaller:.0%}, {place.alert.state})" for lap, place in near)


def _why_again(change: Found, own: tuple[Overlap, _Place], others: Sequence[tuple[Overlap, _Place]]) -> Reason:
    lap, place = own
    alert = place.alert.alert_id
    words = f"alert {alert} is the same place: {lap.of_smaller:.0%} of the smaller polygon are common"
    code = "alert.again"
    if change.error or place.alert.error:
        words, code = f"{words} within the error of its position", "alert.again_within"
    why = [Reason(words, code, alert=alert, share=lap.of_smaller)]
    if change.kind == "demolition" != place.alert.kind:
        why.append(Reason("what was to be corrected seems to be gone", "alert.gone"))
    if others:
        named = _named(others)
        why.append(Reason(f"also on alert {named}", "alert.also_on", others=named))
    return Reason.combine(why)


def _why_new(near: Sequence[tuple[Overlap, _Place]], settings: AlertSettings) -> Reason:
    if near:
        named = _named(near)
        return Reason(
            f"on the place of alert {named}, but another story: it came after the end, or is of another kind",
            "alert.other_story",
            others=named,
        )
    share = settings.overlap
    return Reason(f"no known alert shares {share:.0%} of the smaller polygon with it", "alert.unknown", share=share)
