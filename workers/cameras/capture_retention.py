"""Daily job that deletes old captures, except those that an alert refers to."""

from __future__ import annotations

import datetime as dt

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.cameras.capture_retention import expired_captures, remove_captures
from store.schema.database import Session

logger = structlog.get_logger("tuban.cameras")


def delete_old_captures(context: Context, job: JobRun) -> Commit | None:
    """Delete captures older than ``cameras.keep_days``; if there are very many, only some of them.

    Frames are deleted before their rows, so that a killed process can be repeated.
    """
    before = context.clock() - dt.timedelta(days=context.settings.cameras.keep_days)
    with context.database.read() as session:
        old = expired_captures(session, before)
    if not old.ids:
        return None
    for number, key in enumerate(old.keys):
        context.objects.delete(key)
        job.progress(number / len(old.keys))
    logger.info("deleted old captures", captures=len(old.ids), frames=len(old.keys))

    def commit(session: Session) -> None:
        remove_captures(session, old.ids)

    return commit


JOB_KINDS = (JobKind("camera.forget", "capture", delete_old_captures),)
