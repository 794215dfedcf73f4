"""Daily job that deletes what exceeds the limits of the settings ``retention``, and evidence files never submitted."""

from __future__ import annotations

from service.context import Context, JobRun
from service.job_registry import JobKind
from service.retention.categories import purge


def delete_old_images(context: Context, job: JobRun) -> None:
    """Delete what exceeds the limits of all categories; a repetition finds what is left."""
    purge(context, "system")


JOB_KINDS = (JobKind("images.retention", "ingest", delete_old_images),)
