"""Job of the weekly audit: verify the hash chain of every alert's log and store the result."""

from __future__ import annotations

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind, ReleaseJob
from store.alerts.audit import Audit, audit_alerts, record_audit
from store.schema.database import Session

logger = structlog.get_logger("tuban.audit")


def log_audit(audit: Audit) -> None:
    """Log the result of an audit; broken logs are errors."""
    for chain in audit.listed:
        logger.error("the log of an alert is broken", alert=chain.number, alert_id=chain.alert_id, reason=chain.reason)
    if audit.intact:
        logger.info("the logs of all alerts are intact", alerts=audit.alerts, transitions=audit.transitions)
    else:
        logger.error("logs of alerts are broken", broken=audit.broken, alerts=audit.alerts)


def audit(context: Context, job: JobRun) -> Commit:
    """Verify the logs of all alerts. Broken logs are a result, not a failure of the job."""

    def progress(verified: int, total: int) -> None:
        if job.should_stop():
            raise ReleaseJob
        job.progress(verified / total)

    started_at = context.clock()
    result = audit_alerts(context.database, progress=progress)
    log_audit(result)

    def commit(session: Session) -> None:
        record_audit(session, result, begun_at=started_at, now=context.clock(), origin="schedule")

    return commit


JOB_KINDS = (JobKind("alerts.audit", "ingest", audit),)
