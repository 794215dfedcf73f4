"""Complete data of all alerts that match a filter, for exports."""

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

_PAGE_SIZE = 200


def filtered_alerts(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002  (the word of the field)
    public_url: str,
    now: dt.datetime,
) -> Iterator[Alert]:
    """Yield the viewer's alerts in the filter's order, loading one page at a time.

    Args:
        session: one read transaction, so that all alerts are of the same snapshot.
        viewer: the current user.
        filter: conditions and order.
        public_url: as of :func:`store.alerts.alert_data.read_alert`.
        now: current time.
    """
    after: str | None = None
    while True:
        page = search_alerts(session, viewer, filter, limit=_PAGE_SIZE, after=after, now=now)
        found = {
            alert.id: alert
            for alert in session.scalars(select(AlertRow).where(AlertRow.id.in_([r.id for r in page.rows])))
        }
        yield from read_alerts(session, [found[row.id] for row in page.rows], public_url)
        session.expunge_all()
        after = page.after
        if after is None:
            return
