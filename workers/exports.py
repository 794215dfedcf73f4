"""Jobs of exports: write a file, and delete old ones."""

from __future__ import annotations

from service.context import Commit, Context, JobRun
from service.exports.jobs import delete_expired_exports, write_requested
from service.job_registry import JobKind, ReleaseJob
from store.exports.export_rows import EXPIRE_JOB, JOB


def write_export_file(context: Context, job: JobRun) -> Commit:
    """Write the file of an export that a user requested."""

    def progress(share: float) -> None:
        if job.should_stop():
            raise ReleaseJob
        job.progress(min(share, 1.0))

    return write_requested(context, int(job.payload["export"]), progress)


def expire_exports(context: Context, job: JobRun) -> None:
    """Delete the files of exports older than ``web.export_days``."""
    delete_expired_exports(context)


JOB_KINDS = (JobKind(JOB, "ingest", write_export_file), JobKind(EXPIRE_JOB, "ingest", expire_exports))
