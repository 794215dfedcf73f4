"""Job of documents: convert the file of a document into PDF."""

from __future__ import annotations

from service.context import Commit, Context, JobRun
from service.documents.produce import PDF_JOB, convert
from service.job_registry import JobKind


def convert_document(context: Context, job: JobRun) -> Commit:
    """Convert a document into PDF."""
    return convert(context, int(job.payload["document"]), str(job.payload["sha256"]))


JOB_KINDS = (JobKind(PDF_JOB, "ingest", convert_document),)
