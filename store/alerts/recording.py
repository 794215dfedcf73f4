"""Alerts: what scans saw becomes alerts, each there once however often its place is seen.

What is announced to the enforcement queue, in the same transaction:

- a new alert that no approval covers, as *created*, if it comes under the cap of its grid and week. One that exceeds the
  cap is kept, ranked and visible, but not announced: flooding the townships with alerts is itself a fault. It is
  announced as *created* when a place becomes free, because another alert of that week is suppressed;
- an alert that an approval covers, as *suppressed*, with the reason;
- a later image of an alert that is being worked on, as *seen again*; the same image compared once more is no news;
- a rejected alert that has grown or changed, and a suppressed one that its approval covers no longer, as *returned*.

A rejected alert that is seen unchanged, and a closed one, get their observation and no event.
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
from enforcement.alert_number import alert_number, iso_week
from enforcement.events import EventKind
from enforcement.match import Found, Known, Match, match_changes
from enforcement.states import read_states
from errors import Reason
from store.alerts.outbox import announce_all
from store.alerts.placed_changes import PlacedChange, merge_changes, place_changes
from store.alerts.transitions import append_transition, closings
from store.alerts.weekly_quota import rank_alerts
from store.schema.counters import hold, next_number
from store.schema.outlines import bounds_of, error_of, kept_error, near
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

SYSTEM = "system"
"""Who does what no person does, and in which role."""

_ALERTS = "alerts"
_FROM_SIDE = "camera_"


@dataclass
class Recorded:
    """What became of the changes of a scan: number of alerts by verdict, and how many events are told of."""

    new: int = 0
    again: int = 0
    still_rejected: int = 0
    returned: int = 0
    suppressed: int = 0
    over_cap: int = 0

    def counts(self) -> dict[str, int]:
        """Those that are not 0."""
        return {verdict: number for verdict, number in asdict(self).items() if number}


def hold_alerts(session: Session) -> None:
    """Let no other transaction add alerts or rank them until this one ends.

    One for all areas: scans of neighbouring areas overlap, and the transactions are short. Take it before the row of
    any alert is changed.
    """
    hold(session, _ALERTS)


def record_changes(
    session: Session, scan: Scan, sightings: Sequence[PlacedChange], settings: ServiceSettings, now: dt.datetime
) -> Recorded:
    """Write down what a scan saw: new alerts, further observations of known ones, events for the queue.

    Args:
        session: of the transaction that ends the scan: so it happens once.
        scan: with its result set.
        sightings: all of its changes.
        settings: overlap, growth, cap, targets of events.
        now: this moment.
    """
    hold_alerts(session)
    after = session.get(SceneRow, scan.after_id)
    before = session.get(SceneRow, scan.before_id)
    assert after is not None  # foreign keys
    assert before is not None
    book = AlertRecorder(session, scan, before, after, settings, now)
    by_number = {sighting.change.number: sighting for sighting in sightings}
    known = book.known(sightings)
    of_alert: dict[int, list[Match]] = {}
    for match in match_changes(book.found(sightings), known, settings.alerts):
        if match.alert_id is None:
            book.add(by_number[match.found.number], match)
        else:
            of_alert.setdefault(match.alert_id, []).append(match)
    for alert_id, matches in of_alert.items():
        book.see_again(alert_id, [by_number[match.found.number] for match in matches], matches)
    book.announce()
    return book.recorded


@dataclass
class AlertRecorder:
    """The alerts while one scan is written into them."""

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
        """The local day."""
        return self.now.astimezone(self.settings.zone).date()

    def found(self, sightings: Sequence[PlacedChange]) -> list[Found]:
        """The changes, to be matched."""
        return [
            Found(c.number, c.kind, c.outline, c.area_m2, c.score, self.before.date, self.after.date, c.error)
            for c in (sighting.change for sighting in sightings)
        ]

    def known(self, sightings: Sequence[PlacedChange]) -> list[Known]:
        """Alerts that may be the same places."""
        if not sightings:
            return []
        around = box(*shapely.total_bounds([sighting.change.outline for sighting in sightings]))
        alerts = list(
            self.session.scalars(
                select(AlertRow)
                .where(near(AlertRow, around))
                .order_by(AlertRow.id)
                .with_for_update(key_share=True)  # nobody moves one between being matched and being written
                .execution_options(populate_existing=True)
            )
        )
        states = read_states()
        ended = [alert.id for alert in alerts if states.means(alert.state) in ("closed", "rejected")]
        ends = closings(self.session, ended, self.settings.zone)
        return [
            Known(
                alert.id,
                alert.kind,
                alert.outline,
                alert.area_m2,
                alert.state,
                ends[alert.id].on if alert.id in ends else None,
                ends[alert.id].cleared if alert.id in ends else False,
                error_of(alert.position_error),
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
            position_error=kept_error(change.error),
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
        self._observe(alert, sighting)
        if sighting.approval:
            self._suppress(alert, sighting.approval)
        else:
            self.recorded.new += 1
            self.ranked.add((alert.grid_code, alert.week))
            self._event(alert, "tuban.alert.created")

    def see_again(self, alert_id: int, sightings: Sequence[PlacedChange], matches: Sequence[Match]) -> None:
        """One more observation of an alert; several changes on it are one."""
        alert = self.session.get_one(AlertRow, alert_id)
        sighting = sightings[0] if len(sightings) == 1 else self._joined(sightings)
        means = read_states().means(alert.state)
        returned = next((match for match in matches if match.verdict == "returned"), None)
        news = self._is_news(alert)
        latest = self._is_latest(alert, sighting)
        self._observe(alert, sighting)
        if matches[0].verdict == "still_rejected" or (returned and sighting.approval):
            self.recorded.still_rejected += 1
        elif returned:
            self._update(alert, sighting, matches[0].kind)
            self._return(alert, returned.why)
        elif means == "suppressed":
            self._look_at_approval_again(alert, sighting, latest)
        elif means in ("open", "correcting"):
            self._go_on(alert, sighting, matches[0], latest, news)
        else:
            self.recorded.again += 1

    def announce(self) -> None:
        """Rank the weeks that changed, then tell what happened, each alert as it is at the end."""
        for alert in rank_alerts(self.session, self.ranked, self.settings.alerts.cap_per_grid_and_week):
            self.events = [(told, kind) for told, kind in self.events if told is not alert]
            self._event(alert, "tuban.alert.returned" if alert.state == "returned" else "tuban.alert.created")
        self.recorded.over_cap += sum(
            alert.over_cap and kind != "tuban.alert.seen_again" for alert, kind in self.events
        )
        told = [(alert, kind) for alert, kind in self.events if not alert.over_cap]
        announce_all(self.session, told, self.settings, self.now)

    def _go_on(self, alert: AlertRow, sighting: PlacedChange, match: Match, latest: bool, news: bool) -> None:
        """An alert that is being worked on."""
        removal = sighting.change.kind == "demolition" and alert.kind != "demolition"
        if latest and not removal:  # what is gone does not become the outline of what was built
            self._update(alert, sighting, match.kind)
        may_suppress = self._by_system(alert) and "suppressed" in read_states().ways_out(alert.state, SYSTEM)
        if sighting.approval and not removal and may_suppress:
            self._suppress(alert, sighting.approval)
            return
        self.recorded.again += 1
        if news:
            self._event(alert, "tuban.alert.seen_again")

    def _look_at_approval_again(self, alert: AlertRow, sighting: PlacedChange, latest: bool) -> None:
        """An alert that an approval covered."""
        if latest:
            self._update(alert, sighting, alert.kind)
        if sighting.approval or not self._by_system(alert):
            self.recorded.again += 1
        else:
            words = "the approvals that covered it do not cover it as it is seen now"
            self._return(alert, Reason(words, "alert.not_approved"))

    def _return(self, alert: AlertRow, why: str) -> None:
        self.recorded.returned += 1
        self._step(alert, "returned", why, {"reason": why, "scan": self.scan.id})
        # it takes a place among the alerts of the week in which it comes back
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
        """Whether no person brought the alert into its state: what a person decided, a scan does not undo."""
        last = self.session.scalars(
            select(Transition.role).where(Transition.alert_id == alert.id).order_by(Transition.sequence.desc()).limit(1)
        ).first()
        return last == SYSTEM

    def _is_news(self, alert: AlertRow) -> bool:
        """Whether this later image has not shown the alert yet."""
        shown = select(Observation.id).join(Scan, Scan.id == Observation.scan_id)
        return (
            self.session.scalar(shown.where(Observation.alert_id == alert.id, Scan.after_id == self.after.id).limit(1))
            is None
        )

    def _is_latest(self, alert: AlertRow, sighting: PlacedChange) -> bool:
        """Whether this is the latest sight of the alert; of two of one day, the one that shows more of it."""
        if self.after.date is None or alert.last_date is None:
            return alert.last_date is None
        if self.after.date == alert.last_date:
            return sighting.change.area_m2 > alert.area_m2
        return self.after.date > alert.last_date

    def _update(self, alert: AlertRow, sighting: PlacedChange, kind: str) -> None:
        change = sighting.change
        if change.error is not None and alert.position_error is None:
            # seen from the side: it confirms an alert that was seen from above, and does not make its outline worse
            alert.kind, alert.changed_at = kind, self.now
            alert.evidence = {**alert.evidence, **_from_side(change.evidence)}
            return
        for name, value in bounds_of(change.outline).items():
            setattr(alert, name, value)
        alert.kind, alert.score, alert.area_m2 = kind, change.score, change.area_m2
        kept = {name: key for name, key in alert.evidence.items() if name.startswith(_FROM_SIDE)}
        if alert.position_error and change.error is None:  # seen from above for the first time
            kept = _from_side(alert.evidence)
        alert.detected, alert.evidence = dict(change.detected), {**kept, **change.evidence}
        alert.overlaps, alert.legal_weight = sighting.overlaps, sighting.legal_weight
        alert.position_error = kept_error(change.error)
        alert.changed_at = self.now

    def _observe(self, alert: AlertRow, sighting: PlacedChange) -> None:
        change = sighting.change
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
                position_error=kept_error(change.error),
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

    def _joined(self, sightings: Sequence[PlacedChange]) -> PlacedChange:
        joined = merge_changes([sighting.change for sighting in sightings])
        return place_changes(
            self.session,
            [joined],
            area_code=self.scan.area_code,
            on=self.after.date,
            settings=self.settings.alerts,
        )[0]


def _from_side(evidence: Mapping[str, str]) -> dict[str, str]:
    """Pictures of a camera, kept beside those from above under names of their own."""
    return {f"{_FROM_SIDE}{when}": evidence[when] for when in ("before", "after") if when in evidence}
