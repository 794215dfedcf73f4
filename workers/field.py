"""Job of checks on the ground: waiting steps of phones, with the rights of their senders."""

from __future__ import annotations

import structlog

from service.context import Commit, Context, JobRun
from service.evidence.field_photos import settle_waiting
from service.job_registry import JobKind
from store.access.users import viewer_of
from store.field.settlement import SETTLE, senders_of_waiting_steps
from store.schema.database import Session
from store.schema.tables import AlertRow

logger = structlog.get_logger("tuban.field")


def settle(context: Context, job: JobRun) -> Commit:
    """Apply the waiting steps of an alert, as if the phones of their senders had asked."""
    alert_id = int(job.payload["alert_id"])

    def commit(session: Session) -> None:
        alert = session.get(AlertRow, alert_id)
        if alert is None:
            return
        senders = senders_of_waiting_steps(session, alert_id)
        for user in senders:
            settle_waiting(context, session, viewer_of(user), alert)
        logger.info("waiting steps of phones looked at", alert=alert.number, senders=len(senders))

    return commit


JOB_KINDS = (JobKind(SETTLE, "deliver", settle),)
