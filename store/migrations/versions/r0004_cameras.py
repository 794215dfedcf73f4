"""Fixed cameras, and how well the place of a lead is known.

A revision never changes once it has been released: what comes later is a revision of its own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant, Outline

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _points_to(table: str, column: str, other: str, **given: Any) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}", **given)


def upgrade() -> None:
    """Add the tables, and the error of their position to leads and to what was seen of them."""
    op.create_table(
        "cameras",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("area_code", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("times", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("state_since", Instant(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("tried_at", Instant(), nullable=True),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cameras"),
        sa.UniqueConstraint("name", name="uq_cameras_name"),
    )
    op.create_index("ix_cameras_area_code", "cameras", ["area_code"])
    op.create_table(
        "camera_presets",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("camera_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("reference_key", sa.String(length=400), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("control_points", sa.JSON(), nullable=False),
        sa.Column("region", sa.JSON(), nullable=False),
        sa.Column("range_m", sa.Double(), nullable=False),
        sa.Column("calibrated_at", Instant(), nullable=True),
        sa.Column("calibrated_by", sa.String(length=100), nullable=False),
        _points_to("camera_presets", "camera_id", "cameras", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_camera_presets"),
        sa.UniqueConstraint("camera_id", "name", name="uq_camera_presets_camera_id_name"),
    )
    op.create_index("ix_camera_presets_camera_id", "camera_presets", ["camera_id"])
    op.create_table(
        "camera_captures",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("camera_id", _ID, nullable=False),
        sa.Column("preset_id", _ID, nullable=True),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.Column("object_key", sa.String(length=400), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.Column("light", sa.JSON(), nullable=False),
        sa.Column("comparison", sa.JSON(), nullable=False),
        sa.Column("scene_id", _ID, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        _points_to("camera_captures", "camera_id", "cameras", ondelete="CASCADE"),
        _points_to("camera_captures", "preset_id", "camera_presets", ondelete="CASCADE"),
        _points_to("camera_captures", "scene_id", "scenes"),
        sa.PrimaryKeyConstraint("id", name="pk_camera_captures"),
        sa.UniqueConstraint("camera_id", "taken_at", name="uq_camera_captures_camera_id_taken_at"),
    )
    op.create_index("ix_camera_captures_preset_id", "camera_captures", ["preset_id"])
    op.create_index("ix_camera_captures_scene_id", "camera_captures", ["scene_id"])
    op.create_index("ix_camera_captures_history", "camera_captures", ["preset_id", "usable", "taken_at"])
    op.create_table(
        "camera_changes",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("preset_id", _ID, nullable=False),
        sa.Column("scan_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("in_frame", sa.Text(), nullable=False),
        sa.Column("area_m2", sa.Double(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("first_seen", Instant(), nullable=False),
        sa.Column("last_seen", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("outline", Outline(), nullable=False),
        *(sa.Column(side, sa.Double(), nullable=False) for side in ("west", "south", "east", "north")),
        _points_to("camera_changes", "preset_id", "camera_presets", ondelete="CASCADE"),
        _points_to("camera_changes", "scan_id", "scans"),
        sa.PrimaryKeyConstraint("id", name="pk_camera_changes"),
    )
    op.create_index("ix_camera_changes_preset_id", "camera_changes", ["preset_id"])
    op.create_index("ix_camera_changes_scan_id", "camera_changes", ["scan_id"])
    op.create_index("ix_camera_changes_bounds", "camera_changes", ["west", "east", "south", "north"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_camera_changes_outline", "camera_changes", ["outline"], postgresql_using="gist")
    for table in ("alerts", "observations"):
        op.add_column(table, sa.Column("position_error", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Remove the tables with what is in them, and the two columns."""
    for table in ("alerts", "observations"):
        with op.batch_alter_table(table) as altered:
            altered.drop_column("position_error")
    for table in ("camera_changes", "camera_captures", "camera_presets", "cameras"):
        op.drop_table(table)
