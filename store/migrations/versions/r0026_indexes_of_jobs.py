"""Indexes of unfinished jobs only, one for each question that workers and schedule ask.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_NEW = {
    "ix_jobs_open": (["kind", "state", "queue", "run_after"], "state <> 'done'"),
    "ix_jobs_unpublished": (["run_after", "id"], "state = 'waiting' AND published_at IS NULL"),
    "ix_jobs_published": (["queue", "published_at", "id"], "state = 'waiting'"),
    "ix_jobs_running": (["id"], "state = 'running'"),
    "ix_jobs_dead": (["id"], "state = 'dead'"),
}
_OLD = {"ix_jobs_queue_state": ["queue", "state"], "ix_jobs_state_run_after": ["state", "run_after"]}


def upgrade() -> None:
    """Replace the indexes of all jobs."""
    for name, (columns, rows) in _NEW.items():
        op.create_index(name, "jobs", columns, sqlite_where=sa.text(rows), postgresql_where=sa.text(rows))
    for name in _OLD:
        op.drop_index(name, "jobs")


def downgrade() -> None:
    """Restore the former indexes."""
    for name, columns in _OLD.items():
        op.create_index(name, "jobs", columns)
    for name in _NEW:
        op.drop_index(name, "jobs")
