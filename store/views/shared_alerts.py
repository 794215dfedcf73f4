"""The alerts that a receiving body sees, as plain data with their share and determination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from enforcement.alert import Alert
from store.alerts.alert_data import read_alerts
from store.schema.chain.sharing_tables import BodyRow, ShareRow
from store.schema.tables import AlertRow
from store.sharing.shares import determinations, sees

_PAGE = 500


@dataclass(frozen=True)
class SharedAlert:
    """An alert that a body sees: as plain data, with its share and its determination ("": none)."""

    alert: Alert
    share: ShareRow
    determination: str


def shared_alerts(
    session: Session,
    body: BodyRow,
    *conditions: ColumnElement[bool],
    before_id: int | None = None,
    limit: int = 100,
) -> list[SharedAlert]:
    """List the alerts that a body sees, the latest share first.

    Args:
        session: a read transaction.
        body: the receiving body.
        conditions: further ones on :class:`store.schema.tables.AlertRow`.
        before_id: only shares with a smaller id (keyset pagination).
        limit: maximum number.
    """
    query = select(ShareRow, AlertRow).join(AlertRow, AlertRow.id == ShareRow.alert_id)
    query = query.where(*sees(body), *conditions)
    if before_id is not None:
        query = query.where(ShareRow.id < before_id)
    rows = session.execute(query.order_by(ShareRow.id.desc()).limit(limit)).all()
    found = determinations(session, [alert.id for _, alert in rows])
    alerts = read_alerts(session, [alert for _, alert in rows])
    return [
        SharedAlert(alert, share, found.get(row.id, "")) for alert, (share, row) in zip(alerts, rows, strict=True)
    ]  # fmt: skip


def all_shared_alerts(session: Session, body: BodyRow) -> Iterator[SharedAlert]:
    """Generate all alerts that a body sees, the latest share first."""
    before: int | None = None
    while page := shared_alerts(session, body, before_id=before, limit=_PAGE):
        yield from page
        before = page[-1].share.id
