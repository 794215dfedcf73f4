"""Log of the reads of receiving bodies: who, when, by which way, what, and how many rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.schema.chain.sharing_tables import BodyRow, ShareReadRow


def record_read(
    session: Session,
    body: BodyRow,
    *,
    who: str,
    channel: str,
    what: str,
    rows: int,
    now: dt.datetime,
    address: str = "",
) -> None:
    """Record one read in a writing transaction, before the answer is sent.

    Args:
        session: a writing transaction.
        body: the receiving body.
        who: login; ``system`` for files that are written at night and for hooks.
        channel: page, api, file or hook.
        what: the query, the number of an alert, or the name of a file.
        rows: number of rows that were shown.
        now: current time.
        address: IP address.
    """
    row = ShareReadRow(
        body_id=body.id, who=who[:100], at=now, channel=channel, what=what[:400], rows=rows, address=address[:64]
    )
    session.add(row)
    session.flush()


def list_reads(
    session: Session, viewer: Viewer, *, body_id: int | None = None, before_id: int | None = None, limit: int = 100
) -> Sequence[tuple[ShareReadRow, BodyRow]]:
    """List the reads of the bodies in an administrator's area, newest first."""
    query = select(ShareReadRow, BodyRow).join(BodyRow, BodyRow.id == ShareReadRow.body_id)
    query = query.where(visible_to(BodyRow.code, viewer))
    if body_id is not None:
        query = query.where(ShareReadRow.body_id == body_id)
    if before_id is not None:
        query = query.where(ShareReadRow.id < before_id)
    rows = session.execute(query.order_by(ShareReadRow.id.desc()).limit(limit))
    return [(read, body) for read, body in rows]


def last_reads(session: Session, body_ids: Sequence[int]) -> dict[int, tuple[int, dt.datetime]]:
    """Return number of reads and time of the last one, by body."""
    query = select(ShareReadRow.body_id, func.count(), func.max(ShareReadRow.at)).where(
        ShareReadRow.body_id.in_(body_ids)
    )
    return {body_id: (count, at) for body_id, count, at in session.execute(query.group_by(ShareReadRow.body_id))}
