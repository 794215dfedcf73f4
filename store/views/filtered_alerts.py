"""All alerts that a filter asks for, told in full, for files that people take away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.alert import Alert
from store.access.rights import Viewer
from store.alerts.alert_data import read_alerts
from store.schema.tables import AlertRow
from store.search.alert_search import AlertFilter, search_alerts

_AT_ONCE = 200


def filtered_alerts(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002  (the word of the field)
    public_url: str,
    now: dt.datetime,
) -> Iterator[Alert]:
    """Give the viewer's alerts one after the other, in the filter's order; few are held at once.

    Args:
        session: one transaction that reads, so that all are of one moment.
        viewer: who asks.
        filter: which alerts.
        public_url: as of :func:`store.alerts.alert_data.read_alert`.
        now: this moment.
    """
    after: str | None = None
    while True:
        page = search_alerts(session, viewer, filter, limit=_AT_ONCE, after=after, now=now)
        found = {
            alert.id: alert
            for alert in session.scalars(select(AlertRow).where(AlertRow.id.in_([r.id for r in page.rows])))
        }
        yield from read_alerts(session, [found[row.id] for row in page.rows], public_url)
        session.expunge_all()
        after = page.after
        if after is None:
            return
