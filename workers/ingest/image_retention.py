"""Daily job that deletes images beyond the limits of the settings ``retention``, and evidence files never submitted."""

from __future__ import annotations

from service.context import Context, JobRun
from service.evidence.abandoned import delete_abandoned
from service.images.retention import delete_expired, expired_images
from service.job_registry import JobKind


def delete_old_images(context: Context, job: JobRun) -> None:
    """Delete the pixels of images that exceed the limits; a repetition finds those that are left."""
    delete_expired(context, expired_images(context), "system")
    delete_abandoned(context)


JOB_KINDS = (JobKind("images.retention", "ingest", delete_old_images),)
