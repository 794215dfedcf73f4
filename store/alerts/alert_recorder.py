"""The outcome of each change of a scan: a new alert, another sighting, growth, a merge, a suppression or a return."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from enforcement.alert_number import iso_week
from enforcement.known_alert import KnownAlert, ScanChange
from enforcement.ledger.derive import derive_state
from enforcement.ledger.metric_plane import polygons_of
from enforcement.ledger.sighting import DEMOLITION
from enforcement.match import Match
from enforcement.states import read_states
from errors import Reason
from imagery.set_operations import difference, intersection, make_valid
from store.alerts.alert_row import create_alert
from store.alerts.ledger import copy_observations, load_sightings
from store.alerts.nothing_new import NothingNew
from store.alerts.outbox import announce_all
from store.alerts.placed_changes import PlacedChange
from store.alerts.scan_record import ScanRecord
from store.alerts.sites import update_sites
from store.alerts.transitions import closings, last_decision
from store.alerts.weekly_quota import rank_alerts
from store.schema.outlines import error_ellipse_from_json
from store.schema.tables import AlertRow

GROWN = 1.1
"""Factor in area from which an open alert is announced as grown."""


class AlertRecorder(ScanRecord):
    """Records the changes of one scan in the alerts."""

    def found(self, changes: Sequence[PlacedChange]) -> list[ScanChange]:
        """Return the changes as input of the matching."""
        return [
            ScanChange(c.number, c.kind, c.outline, c.area_m2, c.score, self.before.date, self.after.date, c.error)
            for c in (placed.change for placed in changes)
        ]

    def known(self, changes: Sequence[PlacedChange]) -> list[KnownAlert]:
        """Lock the existing alerts that this scan concerns, and return those that may be at the places of its changes.

        Alerts that it shows, and of which it tells nothing new, are not looked at (:class:`NothingNew`): their number
        grows with the archive.
        """
        oblique = self._oblique(changes)
        ground = None if oblique or self.comparison.visible.is_empty else self.comparison.visible
        near = self._near_changes(changes, everything=oblique) if changes else []
        shown = []
        if ground is not None:
            nothing_new = NothingNew(self.session, self.scan, self.comparison)
            ids = {alert.id for alert in near}
            others = [alert for alert in self._lock(nothing_new.concerned()) if alert.id not in ids]
            shown = [alert for alert in (*near, *others) if ground.intersects(make_valid(alert.outline))]
            self.unaffected = nothing_new.unaffected(shown)
        self.shown = {alert.id: alert for alert in sorted(shown, key=lambda alert: alert.id)}
        affected = [alert for alert in shown if alert.id not in self.unaffected]
        self.ledger = load_sightings(self.session, list({alert.id: alert for alert in (*near, *affected)}.values()))
        states = read_states()
        closed_ids = [alert.id for alert in near if states.category(alert.state) in ("closed", "rejected")]
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
                tuple(sighting for sighting in self.ledger[alert.id] if sighting.outline is not None),
                alert.id in ends and ends[alert.id].permitted and self._may_move(alert, "returned"),
            )
            for alert in near
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
        self.added.append(alert)
        if placed.approval:
            self._suppress(alert, placed.approval)
        else:
            self.recorded.new += 1
            self.ranked.add((alert.grid_code, alert.week))
            self._event(alert, "tuban.alert.created")

    def see_again(self, alert_id: int, changes: Sequence[PlacedChange], matches: Sequence[Match]) -> None:
        """Add a sighting to an existing alert; several changes on it are merged into one sighting."""
        alert = self._remaining(alert_id)
        self.seen.add(alert.id)
        whole = changes[0] if len(changes) == 1 else self._merged(changes)
        joined = [self._remaining(other) for match in matches for other in match.joins]
        joined = [other for other in dict.fromkeys(joined) if other is not alert]
        placed = self._leave_to_judged(alert, whole, joined)
        if placed is None:
            self.recorded.again += 1
            return
        returned = next((match for match in matches if match.verdict == "returned"), None)
        new_image = self._is_new_image(alert)
        self._observe(alert, placed)
        if matches[0].verdict == "still_rejected" or (returned and placed.approval):
            self.recorded.still_rejected += 1
            self._refresh(alert, outline=False)
            return
        mergeable = [one for one in (alert, *joined) if one.state in read_states().open and not self._judged(one)]
        merges = alert in mergeable and len(mergeable) > 1
        self._look_again(alert, placed, matches[0].kind, returned, new_image, close=not merges)
        if merges:
            self._merge(mergeable)

    def look_at_others(self) -> None:
        """Evaluate the alerts that this scan shows without a change, and the earlier scans that show the new alerts."""
        if self.added:
            self.session.flush()
            self.ledger |= load_sightings(self.session, self.added)
        for alert in self.added:
            self._refresh(alert)
            self._close_if_gone(alert)
        for alert in self.shown.values():
            if alert.id in self.seen or read_states().category(alert.state) == "gone":
                continue
            unaffected = alert.id in self.unaffected
            if not unaffected:
                self.ledger[alert.id] = [
                    *(sighting for sighting in self.ledger[alert.id] if sighting.comparison != self.scan.id),
                    self.comparison.nothing(),
                ]
            if unaffected:
                if read_states().category(alert.state) == "open":
                    self.touched[alert.id] = alert
                    self._close_if_gone(alert)
            elif read_states().category(alert.state) in ("open", "correcting", "transient"):
                self._look_again(alert, None, alert.kind, None, new_image=False)
            else:
                self._refresh(alert, outline=False)

    def announce(self) -> None:
        """Rank the changed weeks again, then store the events; each contains the final state of its alert."""
        update_sites(self.session, [*self.added, *self.touched.values()], self.settings.alerts.site_m)
        for alert in rank_alerts(self.session, self.ranked, self.settings.alerts.cap_per_grid_and_week):
            self.events = [(row, kind) for row, kind in self.events if row is not alert]
            self._event(alert, "tuban.alert.returned" if alert.state == "returned" else "tuban.alert.created")
        counted = ("tuban.alert.created", "tuban.alert.returned", "tuban.alert.suppressed")
        self.recorded.over_cap += sum(alert.over_cap and kind in counted for alert, kind in self.events)
        within_quota = [(alert, kind) for alert, kind in self.events if not alert.over_cap]
        announce_all(self.session, within_quota, self.settings, self.now, self.changes)

    def _look_again(
        self,
        alert: AlertRow,
        placed: PlacedChange | None,
        kind: str,
        returned: Match | None,
        new_image: bool,
        *,
        close: bool = True,
    ) -> None:
        """Derive an alert again, and apply what follows.

        Args:
            alert: the alert.
            placed: a change that was detected on it; None: the scan shows it without a change.
            kind: kind of the alert after this scan.
            returned: the match that reopens it.
            new_image: whether no earlier sighting used this later image.
            close: close it if it is gone; False: it is merged first.
        """
        category, before_m2, was_gone = read_states().category(alert.state), alert.area_m2, alert.gone_on
        latest = self._latest_day(alert)
        removal = placed is not None and placed.change.kind == DEMOLITION != alert.kind
        derived = self._refresh(alert, placed, outline=category != "closed" or returned is not None)
        if placed is not None and not removal and category != "closed":
            alert.kind = kind
        if returned is not None:
            self._return(alert, returned.reason, before_m2)
        elif category == "transient":
            if placed is not None:
                self.recorded.again += 1
            if alert.gone_on is None:
                state = derive_state(self.ledger[alert.id])
                alert.kind = alert.kind if state is None else state.kind  # of the new works, not of those that are gone
                self._return(alert, Reason("an image shows it again", "alert.reappeared"), 0.0)
        elif category == "suppressed":
            self._recheck_approval(alert, derived)
        elif category in ("open", "correcting"):
            if placed is not None and not removal and self._may_suppress(alert) and derived and derived.approval:
                self._suppress(alert, derived.approval)
                return
            self.recorded.again += placed is not None
            self._report_change(alert, before_m2, was_gone, new_image and self._newer(latest))
            if close:
                self._close_if_gone(alert)
        else:
            self.recorded.again += placed is not None

    def _report_change(self, alert: AlertRow, before_m2: float, was_gone: dt.date | None, new_image: bool) -> None:
        """Add the event of an open alert that grew, vanished or was seen again."""
        if alert.gone_on is not None and was_gone is None and not self._pending(alert):
            self._change(alert, "tuban.alert.vanished", before_m2, 0.0)
        elif alert.area_m2 >= GROWN * before_m2:
            self._change(alert, "tuban.alert.grown", before_m2, alert.area_m2)
        elif new_image:
            self._event(alert, "tuban.alert.seen_again")

    def _close_if_gone(self, alert: AlertRow) -> None:
        """Close an alert that vanished before anybody judged it."""
        if alert.gone_on is None or alert.there_on is None or self._judged(alert) or self._pending(alert):
            return
        if not self._may_move(alert, "transient"):
            return
        reason = Reason(
            f"it was there on {alert.there_on} and no longer on {alert.gone_on}; nobody had judged it",
            "alert.transient",
            there=alert.there_on.isoformat(),
            gone=alert.gone_on.isoformat(),
        )
        pictures = {name: key for name, key in alert.evidence.items() if name in ("before", "after", "gone")}
        self._step(alert, "transient", reason, {"scan": self.scan.id, "pictures": pictures})
        self.recorded.transient += 1
        self.ranked.add((alert.grid_code, alert.week))
        self.touched[alert.id] = alert
        if not any(row is alert and kind == "tuban.alert.vanished" for row, kind in self.events):
            self._change(alert, "tuban.alert.vanished", alert.area_m2, 0.0)

    def _leave_to_judged(
        self, alert: AlertRow, placed: PlacedChange, joined: Sequence[AlertRow]
    ) -> PlacedChange | None:
        """Cut off the ground of joined alerts that cannot be merged, and add that part of the change to them.

        Returns:
            what remains of the change; None: nothing.
        """
        if not joined or not (self._judged(alert) or any(self._judged(other) for other in joined)):
            return placed
        own = placed.change.outline
        for other in joined:
            if not self._judged(alert) and not self._judged(other):
                continue
            part = polygons_of(intersection(placed.change.outline, make_valid(other.outline)))
            rest = polygons_of(difference(own, make_valid(other.outline)))
            if part.is_empty:
                continue
            own = rest
            self._observe(other, self._with_outline(placed, part))
            self.seen.add(other.id)
            self._look_again(other, None, other.kind, None, new_image=False)
        if own.is_empty:
            return None
        return placed if own is placed.change.outline else self._with_outline(placed, own)

    def _merge(self, alerts: Sequence[AlertRow]) -> None:
        """Merge alerts that nobody has judged into the oldest of them."""
        into, *others = sorted(alerts, key=lambda alert: alert.id)
        others = [other for other in others if self._may_move(other, "merged")]
        if not others:
            return
        before_m2 = into.area_m2
        took_place = into.over_cap and any(other.rank is not None and not other.over_cap for other in others)
        for other in others:
            copy_observations(self.session, other, into)
            why = Reason(f"a later comparison shows one site with {into.number}", "alert.joined", into=into.number)
            other_m2 = other.area_m2
            self._step(other, "merged", why, {"into": into.number})
            self.events = [(row, kind) for row, kind in self.events if row is not other]
            self._change(other, "tuban.alert.merged", other_m2, 0.0, into=into.number)
            self.ranked.add((other.grid_code, other.week))
            self.merged_into[other.id] = into.id
            self.recorded.merged += 1
            self.shown.pop(other.id, None)
        self.session.flush()
        self.ledger[into.id] = [*self.ledger[into.id], *(s for other in others for s in self.ledger[other.id])]
        self._refresh(into)
        self.ledger |= load_sightings(self.session, [into])  # comparisons of the larger ground
        self._count(into)
        self._refresh(into)
        if took_place:
            into.rank, into.over_cap = 0, False
        self.seen.add(into.id)
        self.ranked.add((into.grid_code, into.week))
        self.events = [(row, kind) for row, kind in self.events if row is not into or kind == "tuban.alert.created"]
        self._change(into, "tuban.alert.grown", before_m2, into.area_m2, merged=[other.number for other in others])
        self._close_if_gone(into)

    def _recheck_approval(self, alert: AlertRow, derived: PlacedChange | None) -> None:
        """Return a suppressed alert if approvals no longer cover it."""
        if derived is None or derived.approval or not self._by_system(alert):
            self.recorded.again += 1
        else:
            self._return(alert, Reason("approvals no longer cover it", "alert.not_approved"), alert.area_m2)

    def _return(self, alert: AlertRow, why: str, before_m2: float) -> None:
        """Reopen an alert, with the decision that is reopened."""
        verdict = last_decision(self.session, alert)
        self.recorded.returned += 1
        self._step(alert, "returned", why, {"reason": why, "scan": self.scan.id, **verdict})
        # it counts towards the quota of the week in which it returns
        alert.week, alert.rank, alert.over_cap = iso_week(self.today), None, False
        self.ranked.add((alert.grid_code, alert.week))
        self._change(alert, "tuban.alert.returned", before_m2, alert.area_m2, **verdict)

    def _suppress(self, alert: AlertRow, approval: str) -> None:
        self.recorded.suppressed += 1
        self._step(alert, "suppressed", approval, {"approval": approval, "scan": self.scan.id})
        self.ranked.add((alert.grid_code, alert.week))
        self._event(alert, "tuban.alert.suppressed")
