"""Indexes of messages that are in no text yet, and of the reports that the schedule asks for.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    waiting = sa.text("collected_at IS NULL")
    op.create_index(
        "ix_messages_uncollected", "messages", ["person_id", "id"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_index("ix_reports_kind_last_day", "reports", ["kind", "last_day", "area_code"])
    op.create_index("ix_reports_grace_until", "reports", ["grace_until"])


def downgrade() -> None:
    """Remove the indexes."""
    op.drop_index("ix_reports_grace_until", "reports")
    op.drop_index("ix_reports_kind_last_day", "reports")
    op.drop_index("ix_messages_uncollected", "messages")
