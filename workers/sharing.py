"""Nightly job that applies the rules of sharing and writes the files of receiving bodies."""

from __future__ import annotations

from service.context import Context, JobRun
from service.job_registry import JobKind
from service.sharing.jobs import WRITE
from service.sharing.packages import write_all


def write_shares(context: Context, job: JobRun) -> None:
    """Write the file of each receiving body; a repetition replaces them."""
    write_all(context)


JOB_KINDS = (JobKind(WRITE, "deliver", write_shares),)
