"""What one person decides in one transaction: steps of alerts, then their weeks ranked anew, then what is told of it.

An alert that exceeds the share of its week was told to nobody; so nobody is told when it is rejected. One that a person
publishes nevertheless is given out from then on. Where a rejected alert gives its place free, the next one of that week
gets it, and is announced as it would have been.
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
from enforcement.states import read_states
from errors import SettingsError
from store.access.rights import Viewer
from store.alerts.outbox import announce_all
from store.alerts.transitions import append_transition, steps_of, undo_transition
from store.alerts.weekly_quota import rank_alerts
from store.schema.tables import AlertRow

UNDO_WITHIN = dt.timedelta(minutes=10)
"""How long a person may take back what they decided last."""

MAX_REASON_LENGTH = 2000

_GIVEN_OUT = ("published", "dispatched")
_KINDS: dict[str, EventKind] = {"returned": "tuban.alert.returned", "suppressed": "tuban.alert.suppressed"}
_CHANGED: EventKind = "tuban.alert.state_changed"


@dataclass
class ReviewTransaction:
    """Decisions of one transaction on alerts that are held (:func:`store.review.review_guard.hold_for_review`). End it last.

    Attributes:
        session: a transaction that writes.
        viewer: who decides.
        settings: cap, targets of events, time zone.
        now: the moment of all steps.
    """

    session: Session
    viewer: Viewer
    settings: ServiceSettings
    now: dt.datetime
    _weeks: set[tuple[str, str]] = field(default_factory=set)
    _events: list[tuple[AlertRow, EventKind]] = field(default_factory=list)

    @property
    def today(self) -> dt.date:
        """The local day."""
        return self.now.astimezone(self.settings.zone).date()

    def step(
        self,
        alert: AlertRow,
        states: Sequence[str],
        why: str,
        evidence: Mapping[str, Any],
        kind: EventKind | None = None,
    ) -> None:
        """Move an alert on, through several states when they are one decision; evidence is given with the last.

        Told is ``kind``; None: what follows from the state.

        Raises:
            TubanError: :class:`enforcement.states.NotAllowed` by the table; :class:`errors.SettingsError`, when ``why``
                cannot be kept.
        """
        check_reason(why)
        told = not alert.over_cap
        over = read_states().means(alert.state) not in ("open", "correcting")
        # where it was among the alerts of its week, to be put back there
        place = {"place": {"week": alert.week, "rank": alert.rank, "over_cap": alert.over_cap}}
        for number, state in enumerate(states):
            given = (dict(evidence) if state == states[-1] else {}) | (place if number == 0 else {})
            append_transition(
                self.session,
                alert,
                state,
                who=self.viewer.login,
                role=self.viewer.role,
                why=why,
                at=self.now,
                evidence=given,
                zone=self.settings.zone,
            )
        self._weeks.add((alert.grid_code, alert.week))
        if over and alert.state == "returned":  # takes a place among the alerts of the week in which it comes back
            alert.week, alert.rank, alert.over_cap = iso_week(self.today), None, False
        elif alert.state in _GIVEN_OUT:
            alert.over_cap = False
        self._settle(alert, told or alert.state in _GIVEN_OUT, kind)

    def undo(self, alert: AlertRow) -> None:
        """Take back the person's last decision on an alert, all of its steps.

        Raises:
            TubanError: :class:`enforcement.states.NotAllowed`: it is another person's, too old, or taken back already.
        """
        log = steps_of(self.session, alert)[::-1]
        steps = 1
        for number, row in enumerate(log, 1):
            if row.at != log[0].at or row.who != self.viewer.login or "undoes" in row.evidence:
                break
            if "place" in row.evidence:  # the first step of a decision
                steps = number
                break
        told = not alert.over_cap
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
        given_out = any(row.to_state in _GIVEN_OUT for row in log[:steps])
        self._settle(alert, given_out or (told and not alert.over_cap))

    def tell(self, alert: AlertRow, kind: EventKind = _CHANGED) -> None:
        """Announce something else of an alert, unless it exceeds the share of its week; rank that week as well."""
        self._settle(alert, not alert.over_cap, kind)

    def end(self) -> None:
        """Rank the weeks that changed, then tell what happened, each alert as it is at the end."""
        for alert in rank_alerts(self.session, self._weeks, self.settings.alerts.cap_per_grid_and_week):
            self._events = [(told, kind) for told, kind in self._events if told is not alert]
            self._events.append((alert, _KINDS.get(alert.state, "tuban.alert.created")))
        silent = ("tuban.alert.created", "tuban.alert.returned")  # of one that exceeds the share nobody is told
        told = [(alert, kind) for alert, kind in self._events if not (alert.over_cap and kind in silent)]
        announce_all(self.session, told, self.settings, self.now)
        self._weeks.clear()
        self._events.clear()

    def _settle(self, alert: AlertRow, told: bool, kind: EventKind | None = None) -> None:
        self._weeks.add((alert.grid_code, alert.week))
        if told:
            self._events.append((alert, kind or _KINDS.get(alert.state, _CHANGED)))


def check_reason(text: str) -> None:
    """Refuse what cannot be kept as a reason.

    Raises:
        SettingsError: it is too long, or holds a sign that PostgreSQL cannot keep.
    """
    if len(text) > MAX_REASON_LENGTH or "\x00" in text:
        raise SettingsError(
            f"The reason has {len(text)} letters; expected at most {MAX_REASON_LENGTH}, and none of them null.",
            "why.too_long",
            letters=len(text),
            most=MAX_REASON_LENGTH,
        )
