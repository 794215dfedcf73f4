"""Recording of scan results: each changed place is one alert, with an observation per scan that shows it.

Events for the enforcement queue, stored in the same transaction:

- *created*: a new alert that no approval covers, if it is within the weekly quota of its area. An alert beyond the
  quota is stored, ranked and visible, but not announced: flooding the townships with alerts is itself a fault. It is
  announced as *created* when a place becomes free because another alert of that week is suppressed;
- *suppressed*: an alert that an approval covers, with the reason;
- *seen again*: a later image shows an open alert; another comparison with the same image sends no event;
- *returned*: a rejected alert has grown or changed, or an approval no longer covers a suppressed one.

Rejected alerts that are unchanged, and closed ones, get an observation but no event.
"""

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
from enforcement.match import Found, Known, Match, match_changes
from enforcement.states import read_states
from errors import Reason
from store.alerts.alert_row import create_alert
from store.alerts.outbox import announce_all
from store.alerts.placed_changes import PlacedChange, merge_changes, place_changes
from store.alerts.transitions import append_transition, closings
from store.alerts.weekly_quota import rank_alerts
from store.schema.counters import lock_counter, next_number
from store.schema.outlines import bounds_intersect, bounds_of, error_ellipse_from_json, error_ellipse_to_json
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

SYSTEM = "system"
"""Actor and role of automatic transitions."""

_ALERTS = "alerts"
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


def hold_alerts(session: Session) -> None:
    """Block other transactions from adding or ranking alerts until this one ends.

    There is one lock for all areas: scans of neighbouring areas overlap, and the transactions are short. Acquire it
    before changing the row of any alert.
    """
    lock_counter(session, _ALERTS)


def record_changes(
    session: Session, scan: Scan, changes: Sequence[PlacedChange], settings: ServiceSettings, now: dt.datetime
) -> Recorded:
    """Record the changes of a scan: new alerts, observations of existing ones, events for the queue.

    Args:
        session: the transaction that ends the scan, so that changes are recorded exactly once.
        scan: with its result set.
        changes: all changes of the scan.
        settings: matching thresholds, quota, targets of events.
        now: current time.
    """
    hold_alerts(session)
    after = session.get(SceneRow, scan.after_id)
    before = session.get(SceneRow, scan.before_id)
    assert after is not None  # foreign keys
    assert before is not None
    recorder = AlertRecorder(session, scan, before, after, settings, now)
    by_number = {placed.change.number: placed for placed in changes}
    known = recorder.known(changes)
    matches_by_alert: dict[int, list[Match]] = {}
    for match in match_changes(recorder.found(changes), known, settings.alerts):
        if match.alert_id is None:
            recorder.add(by_number[match.found.number], match)
        else:
            matches_by_alert.setdefault(match.alert_id, []).append(match)
    for alert_id, matches in matches_by_alert.items():
        recorder.see_again(alert_id, [by_number[match.found.number] for match in matches], matches)
    recorder.announce()
    return recorder.recorded


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

    def found(self, changes: Sequence[PlacedChange]) -> list[Found]:
        """Return the changes as input of the matching."""
        return [
            Found(c.number, c.kind, c.outline, c.area_m2, c.score, self.before.date, self.after.date, c.error)
            for c in (placed.change for placed in changes)
        ]

    def known(self, changes: Sequence[PlacedChange]) -> list[Known]:
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
        closed_ids = [alert.id for alert in alerts if states.means(alert.state) in ("closed", "rejected")]
        ends = closings(self.session, closed_ids, self.settings.zone)
        return [
            Known(
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

    def add(self, sighting: PlacedChange, match: Match) -> None:
        """A new alert."""
        change, place = sighting.change, sighting.placement
        source = self.after.source
        running = next_number(self.session, f"alert:{place.county_code}:{source}:{self.today:%Y%m}")
        alert = AlertRow(
            number=alert_number(place.county_code, source, self.today, running),
            kind=match.kind,
            state=read_states().initial,
            score=change.score,
            area_m2=change.area_m2,
            detected=dict(change.detected),
            source=source,
            position_error=error_ellipse_to_json(change.error),
            county_code=place.county_code,
            township_code=place.township_code,
            grid_code=place.grid_code,
            also_in=place.also_in,
            overlaps=sighting.overlaps,
            legal_weight=sighting.legal_weight,
            week=iso_week(self.today),
            seen=0,
            evidence=dict(change.evidence),
            created_at=self.now,
            changed_at=self.now,
            **bounds_of(change.outline),
        )
        self.session.add(alert)
        why = Reason(
            f"scan {self.scan.id}, change {change.number}: {match.why}",
            "alert.found",
            scan=self.scan.id,
            change=change.number,
            why=match.why,
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
        means = read_states().means(alert.state)
        returned = next((match for match in matches if match.verdict == "returned"), None)
        new_image = self._is_new_image(alert)
        latest = self._is_latest(alert, placed)
        self._observe(alert, placed)
        if matches[0].verdict == "still_rejected" or (returned and placed.approval):
            self.recorded.still_rejected += 1
        elif returned:
            self._update(alert, placed, matches[0].kind)
            self._return(alert, returned.why)
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
        may_suppress = self._by_system(alert) and "suppressed" in read_states().ways_out(alert.state, SYSTEM)
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
            words = "the approvals that covered it do not cover it as it is seen now"
            self._return(alert, Reason(words, "alert.not_approved"))

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
