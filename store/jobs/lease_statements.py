"""Statements that every worker executes for every job: built once, and without the ORM."""

from __future__ import annotations

from functools import cache
from typing import cast

from sqlalchemy import Table, Update, and_, bindparam, or_, update

from store.schema.tables import Job

_jobs = cast(Table, Job.__table__)

CLAIM = (
    update(_jobs)
    .where(
        _jobs.c.id == bindparam("job"),
        or_(
            and_(_jobs.c.state == "waiting", _jobs.c.run_after <= bindparam("at")),
            and_(
                _jobs.c.state == "running", _jobs.c.lease_until < bindparam("at"), _jobs.c.attempts < bindparam("most")
            ),
        ),
    )
    .values(
        state="running",
        attempts=_jobs.c.attempts + 1,
        lease_owner=bindparam("owner"),
        lease_token=bindparam("token"),
        lease_until=bindparam("until"),
        started_at=bindparam("now"),
        progress=0.0,
    )
    .returning(_jobs.c.kind, _jobs.c.queue, _jobs.c.payload, _jobs.c.attempts, _jobs.c.unique_key)
)
"""Claim the job ``job`` if it is due at ``at``, or if its lease expired and it had fewer than ``most`` attempts."""


@cache
def fenced_update(names: tuple[str, ...]) -> Update:
    """Return the statement that writes ``new_NAME`` into each column of the job ``job`` if its lease is ``token``."""
    return (
        update(_jobs)
        .where(_jobs.c.id == bindparam("job"), _jobs.c.state == "running", _jobs.c.lease_token == bindparam("token"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
