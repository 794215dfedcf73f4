"""Tips, patrol records, and sightings that people drew, which have no scan.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key(name: str) -> sa.Column[object]:
    return sa.Column(name, _ID, autoincrement=True, nullable=False)


def _text(name: str, length: int = 0) -> sa.Column[object]:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=False)


def upgrade() -> None:
    """Add the tables; a sighting no longer needs a scan."""
    with op.batch_alter_table("observations") as table:
        table.alter_column("scan_id", existing_type=_ID, nullable=True)
    op.create_table(
        "tips",
        _key("id"),
        _text("number", 40),
        _text("origin", 10),
        _text("channel", 20),
        _text("seriousness", 10),
        _text("handling", 20),
        sa.Column("assignment", sa.JSON(), nullable=False),
        _text("state", 20),
        _text("area_code", 12),
        _text("place"),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("radius_m", sa.Double(), nullable=False),
        _text("happened", 100),
        _text("reported_party", 300),
        _text("summary"),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        _text("informant"),
        _text("code_sha256", 64),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("judge_by", sa.Date(), nullable=True),
        sa.Column("check_by", sa.Date(), nullable=True),
        sa.Column("answer_by", sa.Date(), nullable=True),
        sa.Column("extended_at", Instant(), nullable=True),
        sa.Column("judged_at", Instant(), nullable=True),
        sa.Column("checked_at", Instant(), nullable=True),
        sa.Column("answered_at", Instant(), nullable=True),
        _text("finding", 10),
        sa.Column("case_filed", sa.Boolean(), nullable=True),
        _text("feedback_unit", 200),
        _text("feedback"),
        _text("remarks"),
        sa.Column("alert_id", _ID, nullable=True),
        sa.Column("duplicate_of", _ID, nullable=True),
        _text("handler", 100),
        _text("created_by", 100),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_tips_alert_id_alerts"),
        sa.ForeignKeyConstraint(["duplicate_of"], ["tips.id"], name="fk_tips_duplicate_of_tips"),
        sa.PrimaryKeyConstraint("id", name="pk_tips"),
        sa.UniqueConstraint("number", name="uq_tips_number"),
    )
    for column in ("channel", "state", "area_code", "lon", "answer_by", "alert_id", "handler", "created_at"):
        op.create_index(f"ix_tips_{column}", "tips", [column])
    op.create_table(
        "tip_steps",
        _key("id"),
        sa.Column("tip_id", _ID, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        _text("who", 100),
        _text("what", 20),
        _text("note"),
        sa.ForeignKeyConstraint(["tip_id"], ["tips.id"], name="fk_tip_steps_tip_id_tips"),
        sa.PrimaryKeyConstraint("id", name="pk_tip_steps"),
    )
    op.create_index("ix_tip_steps_tip_id", "tip_steps", ["tip_id"])
    op.create_table(
        "public_attempts",
        _key("id"),
        _text("kind", 10),
        _text("address_hash", 64),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_public_attempts"),
    )
    for column in ("address_hash", "at"):
        op.create_index(f"ix_public_attempts_{column}", "public_attempts", [column])
    _create_patrols()


def _create_patrols() -> None:
    op.create_table(
        "patrols",
        _key("id"),
        _text("number", 40),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        _text("area_code", 12),
        sa.Column("day", sa.Date(), nullable=False),
        _text("unit", 200),
        _text("region", 300),
        _text("people", 300),
        _text("route"),
        sa.Column("found", sa.Boolean(), nullable=False),
        _text("approvals"),
        _text("opinion"),
        _text("remarks"),
        sa.Column("track", sa.JSON(), nullable=False),
        _text("track_source", 10),
        _text("track_key", 400),
        _text("track_sha256", 64),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.Column("length_m", sa.Double(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        _text("created_by", 100),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_patrols"),
        sa.UniqueConstraint("number", name="uq_patrols_number"),
        sa.UniqueConstraint("client_id", name="uq_patrols_client_id"),
    )
    for column in ("area_code", "day", "created_at"):
        op.create_index(f"ix_patrols_{column}", "patrols", [column])
    op.create_table(
        "patrol_findings",
        _key("id"),
        sa.Column("patrol_id", _ID, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("alert_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(["patrol_id"], ["patrols.id"], name="fk_patrol_findings_patrol_id_patrols"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_patrol_findings_alert_id_alerts"),
        sa.PrimaryKeyConstraint("id", name="pk_patrol_findings"),
        sa.UniqueConstraint("patrol_id", "sequence", name="uq_patrol_findings_patrol_id_sequence"),
    )
    for column in ("patrol_id", "alert_id"):
        op.create_index(f"ix_patrol_findings_{column}", "patrol_findings", [column])


def downgrade() -> None:
    """Remove the tables and the sightings that people drew; their alerts stay, and the audit reports their chains."""
    for name in ("patrol_findings", "patrols", "public_attempts", "tip_steps", "tips"):
        op.drop_table(name)
    op.execute("DELETE FROM observations WHERE scan_id IS NULL")
    with op.batch_alter_table("observations") as table:
        table.alter_column("scan_id", existing_type=_ID, nullable=False)
