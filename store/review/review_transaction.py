"""A user's decisions in one transaction: transitions, then ranking of the affected weeks, then events.

An alert beyond the weekly quota was never announced, so its rejection is not announced either. If a user publishes it
nevertheless, it counts as within the quota from then on. When a rejected alert frees a place, the next alert of that
week takes it and is announced.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert_number import iso_week
from enforcement.events import EventKind
from enforcement.offered_steps import share_evidence
from enforcement.states import read_states
from errors import Reason, SettingsError
from store.access.rights import Viewer
from store.alerts.outbox import announce_all
from store.alerts.transitions import append_transition, steps_of, undo_transition
from store.alerts.weekly_quota import rank_alerts
from store.evidence.step_evidence import fix_files, prepare_evidence
from store.schema.tables import AlertRow

UNDO_WITHIN = dt.timedelta(minutes=10)
"""How long a user can undo their last decision."""

MAX_REASON_LENGTH = 2000

_PUBLISHED = ("published", "dispatched")
_KINDS: dict[str, EventKind] = {"returned": "tuban.alert.returned", "suppressed": "tuban.alert.suppressed"}
_CHANGED: EventKind = "tuban.alert.state_changed"


@dataclass
class ReviewTransaction:
    """Decisions on alerts locked by :func:`store.review.review_guard.hold_for_review`. Call :meth:`finish` last.

    Attributes:
        session: a writing transaction.
        viewer: the current user.
        settings: quota, targets of events, time zone.
        now: time of all transitions.
    """

    session: Session
    viewer: Viewer
    settings: ServiceSettings
    now: dt.datetime
    _weeks: set[tuple[str, str]] = field(default_factory=set)
    _events: list[tuple[AlertRow, EventKind]] = field(default_factory=list)

    @property
    def today(self) -> dt.date:
        """Local day."""
        return self.now.astimezone(self.settings.zone).date()

    def step(
        self,
        alert: AlertRow,
        states: Sequence[str],
        why: str,
        evidence: Mapping[str, Any],
        kind: EventKind | None = None,
    ) -> None:
        """Move an alert through one or more states in one decision, all of them or none.

        The evidence goes to the transition that requires it, or to the last one. The event is of type ``kind``; None:
        derived from the state.

        Raises:
            TubanError: :class:`enforcement.states.NotAllowed` by the state machine; :class:`errors.SettingsError`:
                ``why`` cannot be stored.
        """
        check_reason(why)
        table = read_states()
        checked = prepare_evidence(self.session, alert, evidence, states=states, now=self.now, zone=self.settings.zone)
        shares = share_evidence(table, alert.state, states, checked)
        if len(states) > 1:
            self._check(alert, states, shares)
        announced = not alert.over_cap
        was_closed = table.category(alert.state) not in ("open", "correcting")
        # its place in the ranking of its week, restored by an undo
        place = {"place": {"week": alert.week, "rank": alert.rank, "over_cap": alert.over_cap}}
        for number, state in enumerate(states):
            data = shares[number] | (place if number == 0 else {})
            row = append_transition(
                self.session,
                alert,
                state,
                who=self.viewer.login,
                role=table.acting_role(alert.state, state, self.viewer.roles),
                why=why,
                at=self.now,
                evidence=data,
                zone=self.settings.zone,
            )
            fix_files(self.session, alert, row)
        self._weeks.add((alert.grid_code, alert.week))
        if was_closed and alert.state == "returned":  # counts towards the quota of the week in which it returns
            alert.week, alert.rank, alert.over_cap = iso_week(self.today), None, False
        elif alert.state in _PUBLISHED:
            alert.over_cap = False
        self._add_event(alert, announced or alert.state in _PUBLISHED, kind)

    def _check(self, alert: AlertRow, states: Sequence[str], shares: Sequence[Mapping[str, Any]]) -> None:
        """Check all steps before the first one is written.

        Raises:
            NotAllowed: one of them is not allowed.
        """
        table, who, before = read_states(), self.viewer.login, alert.state
        history = [(row.to_state, row.who) for row in steps_of(self.session, alert)]
        for state, share in zip(states, shares, strict=True):
            role = table.acting_role(before, state, self.viewer.roles)
            table.check_transition(before, state, role, share, who=who, history=history)
            history.append((state, who))
            before = state

    def undo(self, alert: AlertRow) -> None:
        """Undo the user's last decision on an alert, with all of its transitions.

        Raises:
            TubanError: :class:`enforcement.states.NotAllowed`: it is another user's, too old, or undone already.
        """
        log = steps_of(self.session, alert)[::-1]
        steps = 1
        for number, row in enumerate(log, 1):
            if row.at != log[0].at or row.who != self.viewer.login or "undoes" in row.evidence:
                break
            if "place" in row.evidence:  # first transition of a decision
                steps = number
                break
        announced = not alert.over_cap
        undo_transition(
            self.session,
            alert,
            who=self.viewer.login,
            role=self.viewer.role,
            at=self.now,
            within=UNDO_WITHIN,
            steps=steps,
            zone=self.settings.zone,
        )
        self._weeks.add((alert.grid_code, alert.week))
        place = log[steps - 1].evidence.get("place")
        if place is not None:
            alert.week, alert.rank, alert.over_cap = place["week"], place["rank"], place["over_cap"]
        was_published = any(row.to_state in _PUBLISHED for row in log[:steps])
        self._add_event(alert, was_published or (announced and not alert.over_cap))

    def announce(self, alert: AlertRow, kind: EventKind = _CHANGED) -> None:
        """Add an event of an alert, unless it is beyond the quota of its week; that week is ranked as well."""
        self._add_event(alert, not alert.over_cap, kind)

    def finish(self) -> None:
        """Rank the affected weeks, then store the events; each contains the final state of its alert."""
        for alert in rank_alerts(self.session, self._weeks, self.settings.alerts.cap_per_grid_and_week):
            self._events = [(row, kind) for row, kind in self._events if row is not alert]
            self._events.append((alert, _KINDS.get(alert.state, "tuban.alert.created")))
        silent = ("tuban.alert.created", "tuban.alert.returned")  # not sent for alerts beyond the quota
        events = [(alert, kind) for alert, kind in self._events if not (alert.over_cap and kind in silent)]
        announce_all(self.session, events, self.settings, self.now)
        self._weeks.clear()
        self._events.clear()

    def _add_event(self, alert: AlertRow, announced: bool, kind: EventKind | None = None) -> None:
        self._weeks.add((alert.grid_code, alert.week))
        if announced:
            self._events.append((alert, kind or _KINDS.get(alert.state, _CHANGED)))


def strip_reason(text: str) -> str:
    """Remove surrounding whitespace; a :class:`errors.Reason` is returned unchanged, with its code."""
    return text if isinstance(text, Reason) else text.strip()


def check_reason(text: str) -> None:
    """Check that a reason can be stored.

    Raises:
        SettingsError: it is too long, or contains a character that PostgreSQL cannot store.
    """
    if len(text) > MAX_REASON_LENGTH or "\x00" in text:
        raise SettingsError(
            f"The reason has {len(text)} characters; expected at most {MAX_REASON_LENGTH}, without NUL.",
            "why.too_long",
            letters=len(text),
            most=MAX_REASON_LENGTH,
        )
