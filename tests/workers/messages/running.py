"""Run the waiting jobs of a service in this process, as its workers would."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from service.context import Context
from store.schema.tables import Job
from workers.runtime.job_runner import run_job


def run_jobs(context: Context, later: dt.timedelta = dt.timedelta(0), rounds: int = 20) -> list[str]:
    """Run all jobs that are due, and those that they add, at the context's time plus ``later``; return their kinds."""
    clock, kinds = context.clock, []
    now = clock() + later
    context.clock = lambda: now
    try:
        for _ in range(rounds):
            with context.database.read() as session:
                due = select(Job.id, Job.kind).where(Job.state == "waiting", Job.run_after <= now).order_by(Job.id)
                jobs = session.execute(due).all()
            if not jobs:
                break
            for job_id, kind in jobs:
                run_job(context, job_id)
                kinds.append(kind)
    finally:
        context.clock = clock
    return kinds
