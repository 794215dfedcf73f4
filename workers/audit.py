"""The weekly audit as a job: the hash chain of every alert's log is verified, and the result kept."""

from __future__ import annotations

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind, ReleaseJob
from store.alerts.audit import Audit, audit_alerts, record_audit
from store.schema.database import Session

logger = structlog.get_logger("tuban.audit")


def log_audit(audit: Audit) -> None:
    """Log the result of an audit: as an error where a log is broken."""
    for chain in audit.listed:
        logger.error("the log of an alert is broken", alert=chain.number, alert_id=chain.alert_id, reason=chain.reason)
    if audit.intact:
        logger.info("the logs of all alerts are whole", alerts=audit.alerts, transitions=audit.transitions)
    else:
        logger.error("logs of alerts are broken", broken=audit.broken, alerts=audit.alerts)


def audit(context: Context, job: JobRun) -> Commit:
    """Verify the logs of all alerts. That some are broken is a result, not a failure of the job."""

    def progress(verified: int, total: int) -> None:
        if job.should_stop():
            raise ReleaseJob
        job.progress(verified / total)

    begun_at = context.clock()
    found = audit_alerts(context.database, progress=progress)
    log_audit(found)

    def commit(session: Session) -> None:
        record_audit(session, found, begun_at=begun_at, now=context.clock(), origin="schedule")

    return commit


JOB_KINDS = (JobKind("alerts.audit", "ingest", audit),)
