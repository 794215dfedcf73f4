"""Observations become sightings of a ledger, from which dates, area and confidence of alerts are derived.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FILLED: tuple[tuple[str, str, sa.types.TypeEngine[Any]], ...] = (
    ("scans", "withdrawn_why", sa.Text()),
    ("observations", "copied_from", sa.String(length=40)),
    ("alerts", "area_error_m2", sa.Double()),
    ("alerts", "confidence_parts", sa.JSON()),
    ("alerts", "site", sa.String(length=40)),
)
_SCANS = ("windows", "withdrawn_at", "withdrawn_why")
_OBSERVATIONS = ("gsd_m", "copied_from")
_ALERTS = ("not_yet_on", "there_on", "gone_on", "area_error_m2", "confidence", "confidence_parts", "site")


def upgrade() -> None:
    """Add the columns, and fill those of existing alerts with what their observations say."""
    with op.batch_alter_table("scans") as table:
        table.add_column(sa.Column("windows", sa.JSON(), nullable=True))
        table.add_column(sa.Column("withdrawn_at", Instant(), nullable=True))
        table.add_column(sa.Column("withdrawn_why", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("observations") as table:
        table.add_column(sa.Column("gsd_m", sa.Double(), nullable=True))
        table.add_column(sa.Column("copied_from", sa.String(length=40), nullable=False, server_default=""))
    with op.batch_alter_table("alerts") as table:
        table.add_column(sa.Column("not_yet_on", sa.Date(), nullable=True))
        table.add_column(sa.Column("there_on", sa.Date(), nullable=True))
        table.add_column(sa.Column("gone_on", sa.Date(), nullable=True))
        table.add_column(sa.Column("area_error_m2", sa.Double(), nullable=False, server_default="0"))
        table.add_column(sa.Column("confidence", sa.Double(), nullable=True))
        table.add_column(sa.Column("confidence_parts", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("site", sa.String(length=40), nullable=False, server_default=""))
    op.create_index("ix_alerts_site", "alerts", ["site"])
    op.execute(
        "UPDATE observations SET gsd_m = (SELECT MAX(scenes.gsd_m) FROM scans"
        " JOIN scenes ON scenes.id = scans.before_id OR scenes.id = scans.after_id"
        " WHERE scans.id = observations.scan_id)"
    )
    op.execute("UPDATE alerts SET confidence = score, there_on = first_date")
    op.execute(
        "UPDATE alerts SET not_yet_on = (SELECT MAX(observations.before_date) FROM observations"
        " WHERE observations.alert_id = alerts.id AND observations.before_date < alerts.first_date)"
    )
    for name, column, kind in _FILLED:
        with op.batch_alter_table(name) as table:
            table.alter_column(column, server_default=None, existing_type=kind, existing_nullable=False)


def downgrade() -> None:
    """Remove the columns; observations stay."""
    op.drop_index("ix_alerts_site", "alerts")
    for name, columns in (("alerts", _ALERTS), ("observations", _OBSERVATIONS), ("scans", _SCANS)):
        with op.batch_alter_table(name) as table:
            for column in columns:
                table.drop_column(column)
