"""Add outlines that people drew or corrected.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant, Outline

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "outline_edits",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("scan_id", _ID, nullable=True),
        sa.Column("detected_wkb", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("outline", Outline(), nullable=False),
        *(sa.Column(side, sa.Double(), nullable=False) for side in ("west", "south", "east", "north")),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_outline_edits_alert_id_alerts"),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="fk_outline_edits_scan_id_scans"),
        sa.PrimaryKeyConstraint("id", name="pk_outline_edits"),
    )
    op.create_index("ix_outline_edits_alert_id", "outline_edits", ["alert_id"])
    op.create_index("ix_outline_edits_scan_id", "outline_edits", ["scan_id"])
    op.create_index("ix_outline_edits_bounds", "outline_edits", ["west", "east", "south", "north"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_outline_edits_outline", "outline_edits", ["outline"], postgresql_using="gist")


def downgrade() -> None:
    """Drop the table; alerts keep their outlines."""
    op.drop_table("outline_edits")
