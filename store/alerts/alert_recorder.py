"""The outcome of each change of a scan: a new alert, another observation, a suppression or a return."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import shapely
from shapely.geometry import box
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert_number import iso_week
from enforcement.events import EventKind
from enforcement.match import KnownAlert, Match, ScanChange
from enforcement.states import read_states
from errors import Reason
from store.alerts.alert_row import create_alert
from store.alerts.outbox import announce_all
from store.alerts.placed_changes import PlacedChange, merge_changes, place_changes
from store.alerts.transitions import append_transition, closings
from store.alerts.weekly_quota import rank_alerts
from store.schema.outlines import bounds_intersect, bounds_of, error_ellipse_from_json, error_ellipse_to_json
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

SYSTEM = "system"
"""Actor and role of automatic transitions."""

_CAMERA_PREFIX = "camera_"


@dataclass
class Recorded:
    """Number of alerts of a scan by outcome. ``over_cap`` counts those beyond the weekly quota."""

    new: int = 0
    again: int = 0
    still_rejected: int = 0
    returned: int = 0
    suppressed: int = 0
    over_cap: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts that are not 0, by name."""
        return {verdict: number for verdict, number in asdict(self).items() if number}


@dataclass
class AlertRecorder:
    """Records the changes of one scan in the alerts."""

    session: Session
    scan: Scan
    before: SceneRow
    after: SceneRow
    settings: ServiceSettings
    now: dt.datetime
    recorded: Recorded = field(default_factory=Recorded)
    events: list[tuple[AlertRow, EventKind]] = field(default_factory=list)
    ranked: set[tuple[str, str]] = field(default_factory=set)

    @property
    def today(self) -> dt.date:
        """Local day."""
        return self.now.astimezone(self.settings.zone).date()

    def found(self, changes: Sequence[PlacedChange]) -> list[ScanChange]:
        """Return the changes as input of the matching."""
        return [
            ScanChange(c.number, c.kind, c.outline, c.area_m2, c.score, self.before.date, self.after.date, c.error)
            for c in (placed.change for placed in changes)
        ]

    def known(self, changes: Sequence[PlacedChange]) -> list[KnownAlert]:
        """Lock and return the existing alerts that may be at the same places."""
        if not changes:
            return []
        around = box(*shapely.total_bounds([placed.change.outline for placed in changes]))
        alerts = list(
            self.session.scalars(
                select(AlertRow)
                .where(bounds_intersect(AlertRow, around))
                .order_by(AlertRow.id)
                .with_for_update(key_share=True)  # no other transaction changes them between matching and writing
                .execution_options(populate_existing=True)
            )
        )
        states = read_states()
        closed_ids = [alert.id for alert in alerts if states.category(alert.state) in ("closed", "rejected")]
        ends = closings(self.session, closed_ids, self.settings.zone)
        return [
            KnownAlert(
                alert.id,
                alert.kind,
                alert.outline,
                alert.area_m2,
                alert.state,
                ends[alert.id].on if alert.id in ends else None,
                ends[alert.id].cleared if alert.id in ends else False,
                error_ellipse_from_json(alert.position_error),
            )
            for alert in alerts
        ]

    def add(self, placed: PlacedChange, match: Match) -> None:
        """Create an alert for a change that matches no existing one."""
        change = placed.change
        alert = create_alert(
            self.session,
            placed,
            kind=match.kind,
            source=self.after.source,
            county_code=placed.placement.county_code,
            today=self.today,
            now=self.now,
        )
        why = Reason(
            f"scan {self.scan.id}, change {change.number}: {match.reason}",
            "alert.found",
            scan=self.scan.id,
            change=change.number,
            why=match.reason,
        )
        self._step(alert, alert.state, why, {"scan": self.scan.id, "change": change.number})
        self._observe(alert, placed)
        if placed.approval:
            self._suppress(alert, placed.approval)
        else:
            self.recorded.new += 1
            self.ranked.add((alert.grid_code, alert.week))
            self._event(alert, "tuban.alert.created")

    def see_again(self, alert_id: int, changes: Sequence[PlacedChange], matches: Sequence[Match]) -> None:
        """Add an observation to an existing alert; several changes on it are merged into one observation."""
        alert = self.session.get_one(AlertRow, alert_id)
        placed = changes[0] if len(changes) == 1 else self._merged(changes)
        means = read_states().category(alert.state)
        returned = next((match for match in matches if match.verdict == "returned"), None)
        new_image = self._is_new_image(alert)
        latest = self._is_latest(alert, placed)
        self._observe(alert, placed)
        if matches[0].verdict == "still_rejected" or (returned and placed.approval):
            self.recorded.still_rejected += 1
        elif returned:
            self._update(alert, placed, matches[0].kind)
            self._return(alert, returned.reason)
        elif means == "suppressed":
            self._recheck_approval(alert, placed, latest)
        elif means in ("open", "correcting"):
            self._update_open(alert, placed, matches[0], latest, new_image)
        else:
            self.recorded.again += 1

    def announce(self) -> None:
        """Rank the changed weeks again, then store the events; each contains the final state of its alert."""
        for alert in rank_alerts(self.session, self.ranked, self.settings.alerts.cap_per_grid_and_week):
            self.events = [(row, kind) for row, kind in self.events if row is not alert]
            self._event(alert, "tuban.alert.returned" if alert.state == "returned" else "tuban.alert.created")
        self.recorded.over_cap += sum(
            alert.over_cap and kind != "tuban.alert.seen_again" for alert, kind in self.events
        )
        within_quota = [(alert, kind) for alert, kind in self.events if not alert.over_cap]
        announce_all(self.session, within_quota, self.settings, self.now)

    def _update_open(self, alert: AlertRow, placed: PlacedChange, match: Match, latest: bool, new_image: bool) -> None:
        """Update an open alert."""
        removal = placed.change.kind == "demolition" and alert.kind != "demolition"
        if latest and not removal:  # a demolition does not replace the outline of the construction
            self._update(alert, placed, match.kind)
        may_suppress = self._by_system(alert) and "suppressed" in read_states().allowed_targets(alert.state, SYSTEM)
        if placed.approval and not removal and may_suppress:
            self._suppress(alert, placed.approval)
            return
        self.recorded.again += 1
        if new_image:
            self._event(alert, "tuban.alert.seen_again")

    def _recheck_approval(self, alert: AlertRow, placed: PlacedChange, latest: bool) -> None:
        """Update a suppressed alert, and return it if approvals no longer cover it."""
        if latest:
            self._update(alert, placed, alert.kind)
        if placed.approval or not self._by_system(alert):
            self.recorded.again += 1
        else:
            self._return(alert, Reason("approvals no longer cover it", "alert.not_approved"))

    def _return(self, alert: AlertRow, why: str) -> None:
        self.recorded.returned += 1
        self._step(alert, "returned", why, {"reason": why, "scan": self.scan.id})
        # it counts towards the quota of the week in which it returns
        alert.week, alert.rank, alert.over_cap = iso_week(self.today), None, False
        self.ranked.add((alert.grid_code, alert.week))
        self._event(alert, "tuban.alert.returned")

    def _suppress(self, alert: AlertRow, approval: str) -> None:
        self.recorded.suppressed += 1
        self._step(alert, "suppressed", approval, {"approval": approval, "scan": self.scan.id})
        self.ranked.add((alert.grid_code, alert.week))
        self._event(alert, "tuban.alert.suppressed")

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

    def _by_system(self, alert: AlertRow) -> bool:
        """Return whether the latest transition was automatic: scans do not override decisions of users."""
        last = self.session.scalars(
            select(Transition.role).where(Transition.alert_id == alert.id).order_by(Transition.sequence.desc()).limit(1)
        ).first()
        return last == SYSTEM

    def _is_new_image(self, alert: AlertRow) -> bool:
        """Return whether no earlier observation of the alert used this later image."""
        observed = select(Observation.id).join(Scan, Scan.id == Observation.scan_id)
        return (
            self.session.scalar(
                observed.where(Observation.alert_id == alert.id, Scan.after_id == self.after.id).limit(1)
            )
            is None
        )

    def _is_latest(self, alert: AlertRow, placed: PlacedChange) -> bool:
        """Return whether this is the latest observation; of two on one day, the one with the larger area."""
        if self.after.date is None or alert.last_date is None:
            return alert.last_date is None
        if self.after.date == alert.last_date:
            return placed.change.area_m2 > alert.area_m2
        return self.after.date > alert.last_date

    def _update(self, alert: AlertRow, placed: PlacedChange, kind: str) -> None:
        change = placed.change
        if change.error is not None and alert.position_error is None:
            # an oblique camera view confirms an alert known from orthoimages, but does not replace its better outline
            alert.kind, alert.changed_at = kind, self.now
            alert.evidence = {**alert.evidence, **_camera_pictures(change.evidence)}
            return
        for name, value in bounds_of(change.outline).items():
            setattr(alert, name, value)
        alert.kind, alert.score, alert.area_m2 = kind, change.score, change.area_m2
        camera = {name: key for name, key in alert.evidence.items() if name.startswith(_CAMERA_PREFIX)}
        if alert.position_error and change.error is None:  # first orthoimage of an alert known from a camera
            camera = _camera_pictures(alert.evidence)
        alert.detected, alert.evidence = dict(change.detected), {**camera, **change.evidence}
        alert.overlaps, alert.legal_weight = placed.overlaps, placed.legal_weight
        alert.position_error = error_ellipse_to_json(change.error)
        alert.changed_at = self.now

    def _observe(self, alert: AlertRow, placed: PlacedChange) -> None:
        change = placed.change
        self.session.add(
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
                evidence=dict(change.evidence),
                created_at=self.now,
                **bounds_of(change.outline),
            )
        )
        alert.seen += 1
        self.session.flush()
        sources = select(func.count(Observation.source.distinct())).where(Observation.alert_id == alert.id)
        alert.sources_seen = self.session.scalar(sources) or 1
        if self.after.date is not None:
            alert.first_date = min(alert.first_date or self.after.date, self.after.date)
            alert.last_date = max(alert.last_date or self.after.date, self.after.date)

    def _merged(self, changes: Sequence[PlacedChange]) -> PlacedChange:
        merged = merge_changes([placed.change for placed in changes])
        return place_changes(
            self.session,
            [merged],
            area_code=self.scan.area_code,
            on=self.after.date,
            settings=self.settings.alerts,
        )[0]


def _camera_pictures(evidence: Mapping[str, str]) -> dict[str, str]:
    """Rename the pictures of a camera, so that they are stored alongside those of orthoimages."""
    return {f"{_CAMERA_PREFIX}{when}": evidence[when] for when in ("before", "after") if when in evidence}
