"""Rows of exports: add, read by their maker, finish, expire."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from errors import Reason
from store.jobs.queue import add_job
from store.schema.chain.export_tables import ExportRow
from store.schema.tables import Job
from store.schema.user_tables import User

WAITING, READY, FAILED, DELETED = "waiting", "ready", "failed", "deleted"
JOB, EXPIRE_JOB = "exports.write", "exports.expire"


def add_export(
    session: Session,
    person_id: int,
    format_: str,
    options: Mapping[str, Any],
    query: Mapping[str, str],
    now: dt.datetime,
) -> ExportRow:
    """Add an export and the job that writes it.

    Args:
        session: a write transaction.
        person_id: who requests it; only this user may download it.
        format_: of ``service.exports.formats``.
        options: of the writer.
        query: parameters of :class:`store.search.alert_filter.AlertFilter`.
        now: current time.
    """
    row = ExportRow(
        uid=secrets.token_hex(16),
        person_id=person_id,
        format=format_,
        options=dict(options),
        filter=dict(query),
        state=WAITING,
        requested_at=now,
    )
    session.add(row)
    session.flush()
    key = f"{JOB}:{row.uid}"
    row.job_id = add_job(session, kind=JOB, queue="ingest", payload={"export": row.id}, unique_key=key, now=now)
    return row


def add_expire_job(session: Session, day: dt.date, now: dt.datetime) -> int | None:
    """Add the job that deletes old files; there is one per day."""
    key = f"{EXPIRE_JOB}:{day}"
    return add_job(session, kind=EXPIRE_JOB, queue="ingest", payload={}, unique_key=key, now=now)


def exports_of(session: Session, person_id: int, limit: int = 50) -> Sequence[tuple[ExportRow, Job | None]]:
    """Return the exports of a user with their jobs, newest first."""
    query = (
        select(ExportRow, Job)
        .outerjoin(Job, Job.id == ExportRow.job_id)
        .where(ExportRow.person_id == person_id)
        .order_by(ExportRow.id.desc())
        .limit(limit)
    )
    return [(row, job) for row, job in session.execute(query)]


def export_of(session: Session, person_id: int, uid: str) -> tuple[ExportRow, Job | None] | None:
    """Return an export of a user with its job; None: the user has no such export."""
    query = select(ExportRow, Job).outerjoin(Job, Job.id == ExportRow.job_id)
    found = session.execute(query.where(ExportRow.uid == uid, ExportRow.person_id == person_id)).one_or_none()
    return None if found is None else (found[0], found[1])


def count_waiting(session: Session, person_id: int) -> int:
    """Return the number of a user's exports that are not written yet and whose job is not dead."""
    query = select(func.count()).select_from(ExportRow).join(Job, Job.id == ExportRow.job_id)
    mine = query.where(ExportRow.person_id == person_id, ExportRow.state == WAITING, Job.state != "dead")
    return session.scalar(mine) or 0


def export_to_write(session: Session, export_id: int) -> tuple[ExportRow, User] | None:
    """Return a waiting export and who requested it; None: it was deleted or is written."""
    query = select(ExportRow, User).join(User, User.id == ExportRow.person_id)
    found = session.execute(query.where(ExportRow.id == export_id, ExportRow.state == WAITING)).one_or_none()
    return None if found is None else (found[0], found[1])


def set_failed(session: Session, export_id: int, reason: Reason, now: dt.datetime) -> None:
    """Record why an export was not written."""
    row = session.get_one(ExportRow, export_id, populate_existing=True)
    row.state, row.error, row.why, row.finished_at = FAILED, str(reason), reason.to_json(), now


def expired_exports(session: Session, before: dt.datetime) -> Sequence[ExportRow]:
    """Return the exports with a file that were finished before a moment."""
    query = select(ExportRow).where(ExportRow.object_key != "", ExportRow.finished_at < before)
    return list(session.scalars(query.order_by(ExportRow.id)))


def forget_file(row: ExportRow) -> str:
    """Mark the file of an export as deleted; return the key of the object to delete after the commit."""
    key = row.object_key
    row.state, row.object_key = DELETED, ""
    return key
