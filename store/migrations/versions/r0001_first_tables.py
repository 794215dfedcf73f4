"""The first tables.

A revision never changes once it has been released: what comes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant, Outline

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "alerts",
    "areas",
    "batches",
    "counters",
    "jobs",
    "layers",
    "nights",
    "processes",
    "scenes",
    "ticks",
    "batch_files",
    "deliveries",
    "features",
    "scans",
    "transitions",
    "observations",
    "uncompared",
)
_PLACED = ("alerts", "areas", "features", "observations", "scenes", "uncompared")


def _placed() -> tuple[sa.Column[object], ...]:
    """An outline in longitude and latitude, and its bounds."""
    bounds: list[sa.Column[object]] = [
        sa.Column(side, sa.Double(), nullable=False) for side in ("west", "south", "east", "north")
    ]
    return sa.Column("outline", Outline(), nullable=False), *bounds


def upgrade() -> None:
    """Make the tables; on PostgreSQL with GiST indexes, by which QGIS and queries of a bureau's own find outlines."""
    op.create_table(
        "alerts",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("change_type", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("area_m2", sa.Double(), nullable=False),
        sa.Column("detected", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("county_code", sa.String(length=12), nullable=False),
        sa.Column("township_code", sa.String(length=12), nullable=False),
        sa.Column("grid_code", sa.String(length=12), nullable=False),
        sa.Column("also_in", sa.JSON(), nullable=False),
        sa.Column("overlaps", sa.JSON(), nullable=False),
        sa.Column("legal_weight", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("over_cap", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("first_date", sa.Date(), nullable=True),
        sa.Column("last_date", sa.Date(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_placed(),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("number", name="uq_alerts_number"),
    )
    op.create_index("ix_alerts_bounds", "alerts", ["west", "east", "south", "north"])
    op.create_index("ix_alerts_county_code", "alerts", ["county_code"])
    op.create_index("ix_alerts_created_at", "alerts", ["created_at"])
    op.create_index("ix_alerts_grid_code", "alerts", ["grid_code"])
    op.create_index("ix_alerts_state", "alerts", ["state"])
    op.create_index("ix_alerts_township_code", "alerts", ["township_code"])
    op.create_index("ix_alerts_week", "alerts", ["week"])

    op.create_table(
        "areas",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=400), nullable=False),
        sa.Column("loaded_at", Instant(), nullable=False),
        *_placed(),
        sa.PrimaryKeyConstraint("id", name="pk_areas"),
        sa.UniqueConstraint("code", name="uq_areas_code"),
    )
    op.create_index("ix_areas_bounds", "areas", ["west", "east", "south", "north"])

    op.create_table(
        "batches",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("area_code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("unique_key", sa.String(length=200), nullable=True),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.UniqueConstraint("unique_key", name="uq_batches_unique_key"),
    )
    op.create_index("ix_batches_area_code", "batches", ["area_code"])
    op.create_index("ix_batches_state", "batches", ["state"])

    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )

    op.create_table(
        "jobs",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("queue", sa.String(length=20), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("unique_key", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_after", Instant(), nullable=False),
        sa.Column("published_at", Instant(), nullable=True),
        sa.Column("lease_owner", sa.String(length=200), nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("unique_key", name="uq_jobs_unique_key"),
    )
    op.create_index("ix_jobs_queue_state", "jobs", ["queue", "state"])
    op.create_index("ix_jobs_state_run_after", "jobs", ["state", "run_after"])

    op.create_table(
        "layers",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("dated", sa.Date(), nullable=True),
        sa.Column("loaded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_layers"),
        sa.UniqueConstraint("name", name="uq_layers_name"),
    )

    op.create_table(
        "nights",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_nights"),
        sa.UniqueConstraint("day", name="uq_nights_day"),
    )

    op.create_table(
        "processes",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=20), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_processes"),
    )

    op.create_table(
        "scenes",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("area_code", sa.String(length=12), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("date_source", sa.String(length=100), nullable=False),
        sa.Column("gsd_m", sa.Double(), nullable=False),
        sa.Column("crs", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("valid_share", sa.Double(), nullable=False),
        sa.Column("object_key", sa.String(length=400), nullable=False),
        sa.Column("object_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        *_placed(),
        sa.PrimaryKeyConstraint("id", name="pk_scenes"),
        sa.UniqueConstraint("sha256", name="uq_scenes_sha256"),
    )
    op.create_index("ix_scenes_area_code", "scenes", ["area_code"])
    op.create_index("ix_scenes_bounds", "scenes", ["west", "east", "south", "north"])
    op.create_index("ix_scenes_created_at", "scenes", ["created_at"])
    op.create_index("ix_scenes_date", "scenes", ["date"])

    op.create_table(
        "ticks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.String(length=40), nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.Column("taken_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", "slot", name="pk_ticks"),
    )

    op.create_table(
        "batch_files",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("batch_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("received", sa.String(length=400), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("scene_id", _ID, nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_batch_files_batch_id_batches", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["scene_id"], ["scenes.id"], name="fk_batch_files_scene_id_scenes"),
        sa.PrimaryKeyConstraint("id", name="pk_batch_files"),
        sa.UniqueConstraint("batch_id", "name", name="uq_batch_files_batch_id_name"),
    )
    op.create_index("ix_batch_files_batch_id", "batch_files", ["batch_id"])
    op.create_index("ix_batch_files_scene_id", "batch_files", ["scene_id"])
    op.create_index("ix_batch_files_sha256", "batch_files", ["sha256"])

    op.create_table(
        "deliveries",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(length=400), nullable=False),
        sa.Column("event", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_deliveries_alert_id_alerts"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("alert_id", "sequence", "target", name="uq_deliveries_alert_id_sequence_target"),
        sa.UniqueConstraint("event_id", "target", name="uq_deliveries_event_id_target"),
    )
    op.create_index("ix_deliveries_alert_id", "deliveries", ["alert_id"])
    op.create_index("ix_deliveries_event_id", "deliveries", ["event_id"])
    op.create_index("ix_deliveries_state_next_at", "deliveries", ["state", "next_at"])

    op.create_table(
        "features",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("layer_id", _ID, nullable=False),
        sa.Column("number", sa.String(length=200), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        *_placed(),
        sa.ForeignKeyConstraint(["layer_id"], ["layers.id"], name="fk_features_layer_id_layers", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_features"),
    )
    op.create_index("ix_features_bounds", "features", ["west", "east", "south", "north"])
    op.create_index("ix_features_layer_id", "features", ["layer_id"])

    op.create_table(
        "scans",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("unique_key", sa.String(length=200), nullable=False),
        sa.Column("area_code", sa.String(length=12), nullable=False),
        sa.Column("night_id", _ID, nullable=True),
        sa.Column("before_id", _ID, nullable=False),
        sa.Column("after_id", _ID, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("block_jobs", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("settings_sha256", sa.String(length=64), nullable=False),
        sa.Column("weights_sha256", sa.String(length=64), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["after_id"], ["scenes.id"], name="fk_scans_after_id_scenes"),
        sa.ForeignKeyConstraint(["before_id"], ["scenes.id"], name="fk_scans_before_id_scenes"),
        sa.ForeignKeyConstraint(["night_id"], ["nights.id"], name="fk_scans_night_id_nights"),
        sa.PrimaryKeyConstraint("id", name="pk_scans"),
        sa.UniqueConstraint("unique_key", name="uq_scans_unique_key"),
    )
    op.create_index("ix_scans_after_id", "scans", ["after_id"])
    op.create_index("ix_scans_area_code", "scans", ["area_code"])
    op.create_index("ix_scans_before_id", "scans", ["before_id"])
    op.create_index("ix_scans_created_at", "scans", ["created_at"])
    op.create_index("ix_scans_night_id", "scans", ["night_id"])
    op.create_index("ix_scans_state", "scans", ["state"])

    op.create_table(
        "transitions",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=False),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_transitions_alert_id_alerts"),
        sa.PrimaryKeyConstraint("id", name="pk_transitions"),
        sa.UniqueConstraint("alert_id", "sequence", name="uq_transitions_alert_id_sequence"),
    )

    op.create_table(
        "observations",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("scan_id", _ID, nullable=False),
        sa.Column("change_number", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("before_date", sa.Date(), nullable=True),
        sa.Column("after_date", sa.Date(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("area_m2", sa.Double(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        *_placed(),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_observations_alert_id_alerts"),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="fk_observations_scan_id_scans"),
        sa.PrimaryKeyConstraint("id", name="pk_observations"),
    )
    op.create_index("ix_observations_alert_id", "observations", ["alert_id"])
    op.create_index("ix_observations_bounds", "observations", ["west", "east", "south", "north"])
    op.create_index("ix_observations_scan_id", "observations", ["scan_id"])

    op.create_table(
        "uncompared",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("night_id", _ID, nullable=True),
        sa.Column("scene_id", _ID, nullable=False),
        sa.Column("scan_id", _ID, nullable=True),
        sa.Column("area_code", sa.String(length=12), nullable=False),
        sa.Column("area_m2", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        *_placed(),
        sa.ForeignKeyConstraint(["night_id"], ["nights.id"], name="fk_uncompared_night_id_nights"),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="fk_uncompared_scan_id_scans"),
        sa.ForeignKeyConstraint(["scene_id"], ["scenes.id"], name="fk_uncompared_scene_id_scenes"),
        sa.PrimaryKeyConstraint("id", name="pk_uncompared"),
    )
    op.create_index("ix_uncompared_area_code", "uncompared", ["area_code"])
    op.create_index("ix_uncompared_bounds", "uncompared", ["west", "east", "south", "north"])
    op.create_index("ix_uncompared_night_id", "uncompared", ["night_id"])
    op.create_index("ix_uncompared_scan_id", "uncompared", ["scan_id"])
    op.create_index("ix_uncompared_scene_id", "uncompared", ["scene_id"])

    if op.get_bind().dialect.name == "postgresql":
        for table in _PLACED:
            op.create_index(f"ix_{table}_outline", table, ["outline"], postgresql_using="gist")


def downgrade() -> None:
    """Remove the tables and all that is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)
