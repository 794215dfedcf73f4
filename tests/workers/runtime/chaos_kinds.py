"""Jobs of the chaos test: slow, failing, and with effects that reveal a repetition."""

from __future__ import annotations

import time
from typing import Any

import shapely
from sqlalchemy.orm import Session

from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.alerts.outbox import announce
from store.alerts.transitions import append_transition
from store.jobs.queue import add_job
from store.schema.counters import next_number
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow

FAIL_EVERY = 7  # every seventh job fails on its first attempt
SLOW_EVERY = 9  # every ninth job takes longer than a lease


def create_alert(context: Context, job: JobRun) -> Commit:
    """Create an alert as a scan does: with its first transition, its event, and a follow-up job."""
    number = int(job.payload["number"])
    _simulate_work(context, job, number)

    def commit(session: Session) -> None:
        now = context.clock()
        # numbered from a counter, so that a repeated effect creates a second alert instead of an error
        alert = AlertRow(
            number=f"CHAOS{next_number(session, 'chaos'):06d}",
            kind="construction",
            state="new",
            score=0.9,
            area_m2=100.0,
            detected={},
            source="drone",
            grid_code=str(number),
            created_at=now,
            changed_at=now,
            **_outline(number),
        )
        session.add(alert)
        append_transition(session, alert, "new", who="system", role="system", why="seen", at=now)
        announce(session, alert, "tuban.alert.created", context.settings, now)
        add_job(
            session,
            kind="chaos.sort",
            queue="scan",
            payload={"alert_id": alert.id, "number": number + 1},
            unique_key=f"sort:{alert.number}",
            now=now,
        )

    return commit


def triage(context: Context, job: JobRun) -> Commit:
    """Change the state of an alert."""
    _simulate_work(context, job, int(job.payload["number"]))

    def commit(session: Session) -> None:
        alert = session.get_one(AlertRow, int(job.payload["alert_id"]))
        append_transition(session, alert, "triaged", who="system", role="system", why="sorted", at=context.clock())
        announce(session, alert, "tuban.alert.state_changed", context.settings, context.clock())

    return commit


def _simulate_work(context: Context, job: JobRun, number: int) -> None:
    if number % FAIL_EVERY == 0 and job.attempt == 1:
        raise ConnectionError("as planned")
    seconds = 2.5 * context.settings.jobs.lease_seconds if number % SLOW_EVERY == 0 else 0.05 * (number % 4)
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        job.progress(elapsed / seconds)
        time.sleep(0.05)


def _outline(number: int) -> Any:
    west = 120.0 + number * 0.001
    return bounds_of(shapely.box(west, 30.0, west + 0.0005, 30.0005))


JOB_KINDS = (JobKind("chaos.see", "scan", create_alert), JobKind("chaos.sort", "scan", triage))
