"""Statistics of a day of reviewing: alerts judged, alerts left, and rate."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.schema.tables import AlertRow, Transition
from store.search.alert_columns import all_alerts
from store.search.alert_counts import filter_mask, visible_mask
from store.search.alert_filter import AlertFilter

TO_BE_JUDGED = ("new", "returned", "triaged")
"""States of alerts that have to be judged on the images."""

PAUSE = dt.timedelta(minutes=5)
"""Longer gaps between two judgements do not count as working time."""


MIN_WORKED = dt.timedelta(minutes=1)
"""Shorter working times give no rate."""


class DayStatistics(NamedTuple):
    """Alerts judged on the day and not undone; alerts left to judge; decisions per working hour, 0: unknown."""

    done: int
    left: int
    per_hour: float


def day_statistics(
    session: Session, viewer: Viewer, login: str | None, day: dt.date, zone: dt.tzinfo = dt.UTC
) -> DayStatistics:
    """Count the judgements of a local day.

    Args:
        session: a read transaction.
        viewer: the current user, whose area is counted.
        login: count only the judgements of this user; None: of all users.
        day: local day.
        zone: time zone of the day.
    """
    begin, end = (dt.datetime.combine(d, dt.time(), zone) for d in (day, day + dt.timedelta(days=1)))
    query = (
        select(Transition.alert_id, Transition.sequence, Transition.at, Transition.who, Transition.evidence)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(Transition.at >= begin, Transition.at < end, visible_to(AlertRow.grid_code, viewer))
        .order_by(Transition.at, Transition.id)
    )
    if login is not None:
        query = query.where(Transition.who == login)
    judged: dict[tuple[int, int], tuple[str, dt.datetime]] = {}
    for row in session.execute(query):
        if "verdict" in row.evidence:
            judged[row.alert_id, row.sequence] = (row.who, row.at)
        elif "undoes" in row.evidence:
            for sequence in range(row.evidence["undoes"], row.sequence):
                judged.pop((row.alert_id, sequence), None)
    return DayStatistics(len(judged), _left(session, viewer), _per_hour(sorted(judged.values())))


def _left(session: Session, viewer: Viewer) -> int:
    alerts = all_alerts(session)
    waiting = AlertFilter(states=TO_BE_JUDGED, over_cap=False)
    return int(np.count_nonzero(visible_mask(alerts, viewer) & filter_mask(alerts, waiting)))


def _per_hour(judged: list[tuple[str, dt.datetime]]) -> float:
    """Return the rate of decisions: intervals between those of the same user, without pauses.

    Alerts judged together, in bulk or as one site, are one decision.
    """
    gaps = [later - earlier for (who, earlier), (same, later) in pairwise(judged) if who == same and later > earlier]
    worked = [gap for gap in gaps if gap < PAUSE]
    time = sum(worked, dt.timedelta())
    return len(worked) / (time.total_seconds() / 3600) if time >= MIN_WORKED else 0.0
