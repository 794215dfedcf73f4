"""Jobs of layers: load a version, take it into use, and return alerts whose approvals have ended."""

from __future__ import annotations

import structlog

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind, ReleaseJob
from service.layers.administration import Progress, load, return_ended, use
from store.schema.database import Session

logger = structlog.get_logger("tuban.layers")


def _progress(job: JobRun) -> Progress:
    def progress(share: float) -> None:
        if job.should_stop():
            raise ReleaseJob
        job.progress(share)

    return progress


def load_layer(context: Context, job: JobRun) -> Commit:
    """Store the polygons of a version and find what it would change."""
    return load(context, int(job.payload["version"]), _progress(job))


def use_layer(context: Context, job: JobRun) -> Commit:
    """Take a version into use, and suppress and return alerts by it."""
    write = use(context, int(job.payload["version"]), str(job.payload["who"]), _progress(job))

    def commit(session: Session) -> None:
        effects = write(session)
        logger.info("layer in use", version=job.payload["version"], alerts=len(effects))

    return commit


def ended_approvals(context: Context, job: JobRun) -> Commit:
    """Return alerts whose approvals have ended."""
    write = return_ended(context, _progress(job))

    def commit(session: Session) -> None:
        for effect in write(session):
            logger.info("an approval has ended", alert=effect.number)

    return commit


JOB_KINDS = (
    JobKind("layers.load", "ingest", load_layer),
    JobKind("layers.use", "ingest", use_layer),
    JobKind("layers.ended", "ingest", ended_approvals),
)
