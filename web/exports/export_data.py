"""What pages and API show of an export."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from errors import Reason
from store.exports.export_rows import READY, WAITING
from store.schema.chain.export_tables import ExportRow
from store.schema.tables import Job


@dataclass(frozen=True)
class ShownExport:
    """An export of a user.

    Attributes:
        row: of the table.
        state: ``waiting``, ``running``, ``ready``, ``failed`` or ``deleted``.
        progress: completed share, 0…1.
        error: why it failed.
        expires_at: when its file is deleted; None: it has no file.
    """

    row: ExportRow
    state: str
    progress: float
    error: Reason | None
    expires_at: dt.datetime | None


def shown_export(row: ExportRow, job: Job | None, keep_days: float) -> ShownExport:
    """Return an export with the state of its job; one whose job is dead has failed."""
    state, progress = row.state, 0.0
    error = Reason.from_json(row.error, row.why) if row.error else None
    if state == WAITING and job is not None and job.state == "running":
        state, progress = "running", job.progress
    elif state == WAITING and (job is None or job.state == "dead"):
        state, error = "failed", Reason(job.error if job is not None else "")
    expires_at = None
    if state == READY and row.finished_at is not None:
        progress, expires_at = 1.0, row.finished_at + dt.timedelta(days=keep_days)
    return ShownExport(row, state, progress, error, expires_at)
