"""Alerts that a comparison shows without a change and without telling anything new about them.

Their number grows with the archive, so those that need nothing at all are left out by the database. The rule is that of
:mod:`enforcement.ledger.no_effect`; it needs rows that agree with all other sightings of their alerts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, exists, false, not_, or_, select
from sqlalchemy.orm import Session

from enforcement.ledger.no_effect import EmptyComparison, KnownDates, has_no_effect
from enforcement.states import read_states
from imagery.set_operations import make_valid
from store.alerts.ledger import Comparison, comparisons_since, observed_since
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Scan, Transition

_ENDED = ("closed", "rejected", "suppressed", "transient")
"""Categories of states in which a comparison that tells nothing new has no consequence."""


class NothingNew:
    """Decides which alerts a comparison concerns.

    Attributes:
        comparison: the comparison, from above.
        others: finished comparisons with an image of the same day or a later one.
        observed: latest day on which a change was seen, of the alerts where that is the day of the comparison or later.
    """

    def __init__(self, session: Session, scan: Scan, comparison: Comparison) -> None:
        """Read what else was seen on the day of the comparison and since."""
        self.session = session
        self.comparison = comparison
        day = comparison.after or dt.date.max
        self.others = comparisons_since(session, comparison.visible, day, scan.id)
        self.observed = observed_since(session, day, scan.id)

    def concerned(self) -> ColumnElement[bool]:
        """Return the condition on alerts within the bounds of the comparison, without those it surely leaves alone."""
        before, after = self.comparison.before, self.comparison.after
        inside = bounds_intersect(AlertRow, self.comparison.visible)
        days = [one.before for one in self.others]
        if before is None or after is None or None in days or any(one.after != after for one in self.others):
            return inside
        states = read_states()
        names = [name for name in states.states if states.category(name) in _ENDED]
        transient = [name for name in names if states.category(name) == "transient"]  # it returns if it stands again
        ended = and_(AlertRow.there_on.is_(None), AlertRow.gone_on.is_not(None))
        measured = AlertRow.not_yet_on
        decisive = min((day for day in days if day is not None), default=None)
        no_miss = or_(measured.is_(None), measured < decisive) if decisive is not None else None
        gone = and_(AlertRow.there_on.is_not(None), AlertRow.gone_on.is_not(None), AlertRow.gone_on < after)
        earliest = min(before, decisive) if decisive is not None else before
        standing = and_(
            AlertRow.there_on.is_not(None),
            AlertRow.gone_on.is_(None),
            or_(measured.is_(None), measured < earliest),
            AlertRow.state.not_in(transient),
        )
        left_alone = or_(ended, gone if no_miss is None else and_(gone, no_miss), standing)
        observed = AlertRow.id.in_(sorted(self.observed)) if self.observed else false()
        return and_(inside, not_(and_(AlertRow.state.in_(names), left_alone, not_(observed))))

    def unaffected(self, alerts: Collection[AlertRow]) -> set[int]:
        """Return the ids of the alerts for which the comparison, if it found nothing there, has no effect.

        Alerts being corrected, and those whose outline was not derived at some time because they were decided or
        being corrected, are not among them: their outline may still have to be.
        """
        states = read_states()
        found = {
            alert.id: alert
            for alert in alerts
            if self._has_no_effect(alert)
            and not (alert.gone_on is None and states.category(alert.state) == "transient")  # it returns if it stands
        }
        open_ids = [key for key, alert in found.items() if states.category(alert.state) not in _ENDED]
        open_names = [name for name in states.states if states.category(name) == "open"]
        pending = select(AlertRow.id).where(
            AlertRow.id.in_(open_ids),
            or_(
                AlertRow.state.not_in(open_names),
                exists().where(Transition.alert_id == AlertRow.id, Transition.to_state.not_in(open_names)),
            ),
        )
        return set(found) - (set(self.session.scalars(pending)) if open_ids else set())

    def _has_no_effect(self, alert: AlertRow) -> bool:
        outline = make_valid(alert.outline)
        shown = [one for one in self.others if one.visible.intersects(outline)]
        days = [one.after for one in shown] + [self.observed.get(alert.id)]
        return has_no_effect(
            EmptyComparison(self.comparison.before, self.comparison.after),
            KnownDates(alert.not_yet_on, alert.there_on, alert.gone_on),
            latest_on=max((day for day in days if day is not None), default=None),
            same_day=tuple(EmptyComparison(one.before, one.after) for one in shown),
            changed_on_day=alert.id in self.observed,
        )
