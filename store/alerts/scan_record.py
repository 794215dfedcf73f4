"""Writes of one scan to alerts: transitions, sightings, columns derived from them, and events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import shapely
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert import CRS
from enforcement.events import EventKind
from enforcement.ledger.sighting import Sighting
from enforcement.overlap_ratio import area_m2, overlap_ratios
from enforcement.position_uncertainty import METRES_PER_DEGREE
from enforcement.states import read_states
from imagery.set_operations import make_valid
from store.alerts.derived_alert import SAME_OUTLINE, refresh_alert
from store.alerts.ledger import Comparison, comparison_of, count_sightings
from store.alerts.placed_changes import DetectedChange, PlacedChange, merge_changes, place_changes
from store.alerts.sighting_chain import append_sighting
from store.alerts.transitions import append_transition
from store.scans.nights import UNFINISHED
from store.schema.outlines import bounds_intersect, bounds_of, error_ellipse_to_json
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

SYSTEM = "system"
"""Actor and role of automatic transitions."""


_MOST_PLACES = 100
"""Changes of a scan up to which alerts are looked for at each of them, instead of between all."""


@dataclass
class Recorded:
    """Number of alerts of a scan by outcome. ``over_cap`` counts those beyond the weekly quota."""

    new: int = 0
    again: int = 0
    still_rejected: int = 0
    returned: int = 0
    suppressed: int = 0
    merged: int = 0
    transient: int = 0
    over_cap: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts that are not 0, by name."""
        return {verdict: number for verdict, number in asdict(self).items() if number}


@dataclass
class ScanRecord:
    """What one scan writes to alerts: transitions, sightings, derived columns and events."""

    session: Session
    scan: Scan
    before: SceneRow
    after: SceneRow
    settings: ServiceSettings
    now: dt.datetime
    recorded: Recorded = field(default_factory=Recorded)
    events: list[tuple[AlertRow, EventKind]] = field(default_factory=list)
    changes: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    ranked: set[tuple[str, str]] = field(default_factory=set)
    ledger: dict[int, list[Sighting]] = field(default_factory=dict)
    shown: dict[int, AlertRow] = field(default_factory=dict)
    unaffected: set[int] = field(default_factory=set)
    touched: dict[int, AlertRow] = field(default_factory=dict)
    added: list[AlertRow] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    merged_into: dict[int, int] = field(default_factory=dict)

    @cached_property
    def comparison(self) -> Comparison:
        """This scan as a sighting."""
        return comparison_of(self.scan, self.before, self.after)

    @property
    def today(self) -> dt.date:
        """Local day."""
        return self.now.astimezone(self.settings.zone).date()

    def _remaining(self, alert_id: int) -> AlertRow:
        """Return an alert, or the one into which this scan merged it."""
        while alert_id in self.merged_into:
            alert_id = self.merged_into[alert_id]
        return self.session.get_one(AlertRow, alert_id)

    def _near_changes(self, changes: Sequence[PlacedChange], *, everything: bool) -> list[AlertRow]:
        """Lock and return the alerts that may be at the places of changes; with ``everything``, all between them."""
        margin = 3 * self.settings.alerts.adjacent_m / METRES_PER_DEGREE
        places = [_widened(placed.change.outline.bounds, margin) for placed in changes]
        around = box(*shapely.total_bounds(places))
        if everything or len(places) > _MOST_PLACES:
            return self._lock(bounds_intersect(AlertRow, around))
        # an alert may have been seen beyond its present outline, or, from a camera, at some distance from it
        seen = or_(*(bounds_intersect(Observation, place) for place in places))
        close = or_(*(bounds_intersect(AlertRow, place) for place in places))
        observed = select(Observation.alert_id).where(
            bounds_intersect(Observation, around), or_(seen, Observation.position_error.is_not(None))
        )
        oblique = AlertRow.position_error.is_not(None)
        return self._lock(and_(bounds_intersect(AlertRow, around), or_(close, oblique, AlertRow.id.in_(observed))))

    def _lock(self, which: ColumnElement[bool]) -> list[AlertRow]:
        """Lock and return alerts by id; no other transaction changes them between matching and writing."""
        query = select(AlertRow).where(which, AlertRow.state.not_in(self._gone)).order_by(AlertRow.id)
        locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
        return list(self.session.scalars(locked))

    def _refresh(
        self, alert: AlertRow, placed: PlacedChange | None = None, *, outline: bool = True
    ) -> PlacedChange | None:
        """Derive dates, confidence and, if ``outline``, the outline of an alert; return it placed again."""
        derived = refresh_alert(
            self.session,
            alert,
            self.ledger[alert.id],
            self.settings.alerts,
            self.now,
            outline=outline,
            place=placed is not None,
            on=self.after.date,
        )
        if outline:
            self.touched[alert.id] = alert
        if placed and overlap_ratios(make_valid(placed.change.outline), make_valid(alert.outline)).iou > SAME_OUTLINE:
            alert.detected = dict(placed.change.detected)
        return derived

    def _step(self, alert: AlertRow, state: str, why: str, evidence: dict[str, object]) -> None:
        append_transition(
            self.session,
            alert,
            state,
            who=SYSTEM,
            role=SYSTEM,
            why=why,
            at=self.now,
            evidence=evidence,
            zone=self.settings.zone,
        )

    def _event(self, alert: AlertRow, kind: EventKind) -> None:
        self.events.append((alert, kind))

    def _change(self, alert: AlertRow, kind: EventKind, before_m2: float, after_m2: float, **facts: Any) -> None:
        """Add an event that says what changed."""
        areas = {"area_m2_before": round(before_m2, 2), "area_m2_after": round(after_m2, 2)}
        what = "reopened" if kind == "tuban.alert.returned" else kind.removeprefix("tuban.alert.")
        self.changes[alert.id, kind] = {"what": what, **areas, **facts}
        self._event(alert, kind)

    def _by_system(self, alert: AlertRow) -> bool:
        """Return whether the latest transition was automatic: scans do not override decisions of users."""
        last = self.session.scalars(
            select(Transition.role).where(Transition.alert_id == alert.id).order_by(Transition.sequence.desc()).limit(1)
        ).first()
        return last == SYSTEM

    def _judged(self, alert: AlertRow) -> bool:
        """Return whether a person has decided anything about an alert."""
        steps = select(Transition.id).where(Transition.alert_id == alert.id, Transition.role != SYSTEM).limit(1)
        return bool(alert.change_type or alert.assignee) or self.session.scalar(steps) is not None

    def _may_move(self, alert: AlertRow, state: str) -> bool:
        return state in read_states().allowed_targets(alert.state, SYSTEM)

    def _may_suppress(self, alert: AlertRow) -> bool:
        return self._by_system(alert) and self._may_move(alert, "suppressed")

    def _pending(self, alert: AlertRow) -> bool:
        """Return whether another comparison with the same later image is unfinished, which may see the works stand."""
        others = (
            select(Scan.windows)
            .join(SceneRow, SceneRow.id == Scan.before_id)
            .where(
                Scan.after_id == self.after.id,
                Scan.id != self.scan.id,
                Scan.state.in_(UNFINISHED),
                bounds_intersect(SceneRow, alert.outline),
            )
        )
        return any(
            windows is None or any(box(*window).intersects(alert.outline) for window in windows)
            for windows in self.session.scalars(others)
        )

    @property
    def _gone(self) -> list[str]:
        states = read_states()
        return [name for name in states.states if states.category(name) == "gone"]

    @staticmethod
    def _oblique(changes: Sequence[PlacedChange]) -> bool:
        return any(placed.change.error is not None for placed in changes)

    def _latest_day(self, alert: AlertRow) -> dt.date | None:
        """Return the day of the latest image that showed the alert before this scan."""
        days = [s.after for s in self.ledger[alert.id] if s.outline is not None and s.comparison != self.scan.id]
        return max((day for day in days if day is not None), default=None)

    def _newer(self, day: dt.date | None) -> bool:
        return day is None or self.after.date is None or self.after.date >= day

    def _is_new_image(self, alert: AlertRow) -> bool:
        """Return whether no earlier observation of the alert used this later image."""
        observed = select(Observation.id).join(Scan, Scan.id == Observation.scan_id)
        return (
            self.session.scalar(
                observed.where(Observation.alert_id == alert.id, Scan.after_id == self.after.id).limit(1)
            )
            is None
        )

    def _observe(self, alert: AlertRow, placed: PlacedChange) -> None:
        change = placed.change
        append_sighting(
            self.session,
            Observation(
                alert_id=alert.id,
                scan_id=self.scan.id,
                change_number=change.number,
                source=self.after.source,
                before_date=self.before.date,
                after_date=self.after.date,
                kind=change.kind,
                score=change.score,
                area_m2=change.area_m2,
                position_error=error_ellipse_to_json(change.error),
                gsd_m=self.comparison.gsd_m,
                copied_from="",
                evidence=dict(change.evidence),
                created_at=self.now,
                **bounds_of(change.outline),
            ),
        )
        self._count(alert)
        sighting = Sighting(
            self.scan.id,
            self.before.date,
            self.after.date,
            self.after.source,
            self.comparison.gsd_m,
            self.comparison.visible,
            change.outline,
            change.kind,
            change.score,
            change.error,
        )
        others = [s for s in self.ledger.get(alert.id, ()) if s.outline is not None or s.comparison != self.scan.id]
        self.ledger[alert.id] = [*others, sighting]

    def _count(self, alert: AlertRow) -> None:
        """Count the sightings of an alert, their sources and days; the same comparison counts once."""
        count_sightings(self.session, alert)

    def _with_outline(self, placed: PlacedChange, outline: BaseGeometry) -> PlacedChange:
        """Return a change with another outline, placed again."""
        detected = {"crs": CRS, "wkt": shapely.to_wkt(outline, rounding_precision=8)}
        part = replace(placed.change, outline=outline, area_m2=round(area_m2(outline), 2), detected=detected)
        return self._placed(part)

    def _merged(self, changes: Sequence[PlacedChange]) -> PlacedChange:
        return self._placed(merge_changes([placed.change for placed in changes]))

    def _placed(self, change: DetectedChange) -> PlacedChange:
        [placed] = place_changes(
            self.session,
            [change],
            area_code=self.scan.area_code,
            on=self.after.date,
            settings=self.settings.alerts,
            today=self.today,
        )
        return placed


def _widened(bounds: tuple[float, float, float, float], margin: float) -> Polygon:
    west, south, east, north = bounds
    return box(west - margin, south - margin, east + margin, north + margin)
