"""Old captures as a job: once a day they are deleted, except those that an alert refers to."""

from __future__ import annotations

import datetime as dt

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.cameras.capture_retention import expired_captures, remove_captures
from store.schema.database import Session

logger = structlog.get_logger("tuban.cameras")


def forget_captures(context: Context, job: JobRun) -> Commit | None:
    """Delete captures that are older than ``cameras.keep_days``, a part of them if there are very many.

    Frames go first: if this process dies in between, their rows are found again.
    """
    before = context.clock() - dt.timedelta(days=context.settings.cameras.keep_days)
    with context.database.read() as session:
        old = expired_captures(session, before)
    if not old.ids:
        return None
    for number, key in enumerate(old.keys):
        context.objects.delete(key)
        job.progress(number / len(old.keys))
    logger.info("old captures are deleted", captures=len(old.ids), frames=len(old.keys))

    def commit(session: Session) -> None:
        remove_captures(session, old.ids)

    return commit


JOB_KINDS = (JobKind("camera.forget", "capture", forget_captures),)
