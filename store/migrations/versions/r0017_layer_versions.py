"""Versions of layers, each with its file, dates and effects; layers of an area; polygons with a kind of their own.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Column = tuple[str, sa.String | sa.Integer, str]
_ADDED: dict[str, tuple[_Column, ...]] = {
    "layers": (("area_code", sa.String(length=12), ""), ("version", sa.Integer(), "1")),
    "features": (("version", sa.Integer(), "1"), ("kind", sa.String(length=20), "")),
}
_JSON = ("remarks", "invalid", "why", "preview", "applied", "options")


def upgrade() -> None:
    """Add the table and columns. Each layer that exists becomes version 1 of itself, of an unknown file."""
    op.create_table(
        "layer_versions",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("layer_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("dated", sa.Date(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("file_name", sa.String(length=400), nullable=False),
        sa.Column("object_key", sa.String(length=400), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("features", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("invalid_count", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in _JSON),
        sa.Column("loaded_by", sa.String(length=100), nullable=False),
        sa.Column("loaded_at", Instant(), nullable=False),
        sa.Column("used_by", sa.String(length=100), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["layer_id"], ["layers.id"], name="fk_layer_versions_layer_id_layers", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_layer_versions"),
        sa.UniqueConstraint("layer_id", "number", name="uq_layer_versions_layer_id_number"),
    )
    op.create_index("ix_layer_versions_state", "layer_versions", ["state"])
    for table, columns in _ADDED.items():
        with op.batch_alter_table(table) as batch:
            for name, kind, default in columns:
                batch.add_column(sa.Column(name, kind, nullable=False, server_default=default))
        with op.batch_alter_table(table) as batch:
            for name, kind, _ in columns:
                batch.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    with op.batch_alter_table("layers") as batch:
        batch.drop_constraint("uq_layers_name", type_="unique")
        batch.create_unique_constraint("uq_layers_area_code_name", ["area_code", "name"])
    op.drop_index("ix_features_layer_id", "features")
    op.create_index("ix_features_layer_id_version", "features", ["layer_id", "version"])
    empty = ", ".join("'[]'" if name in ("remarks", "invalid") else "'{}'" for name in _JSON)
    op.execute(
        "INSERT INTO layer_versions (layer_id, number, state, kind, dated, file_name, object_key, sha256, size, "
        f"features, kept, invalid_count, error, {', '.join(_JSON)}, loaded_by, loaded_at, used_by, used_at) "
        "SELECT l.id, 1, 'used', l.kind, l.dated, '', '', '', 0, "
        "(SELECT count(*) FROM features f WHERE f.layer_id = l.id), true, 0, '', "
        f"{empty}, '', l.loaded_at, '', l.loaded_at FROM layers l"
    )


def downgrade() -> None:
    """Remove the table and columns, with the polygons of versions that are not in use and layers of one name."""
    op.execute(
        "DELETE FROM features WHERE EXISTS "
        "(SELECT 1 FROM layers l WHERE l.id = features.layer_id AND l.version <> features.version)"
    )
    op.execute("DELETE FROM layers WHERE id NOT IN (SELECT min(id) FROM layers GROUP BY name)")
    op.drop_index("ix_features_layer_id_version", "features")
    op.create_index("ix_features_layer_id", "features", ["layer_id"])
    with op.batch_alter_table("layers") as batch:
        batch.drop_constraint("uq_layers_area_code_name", type_="unique")
        batch.create_unique_constraint("uq_layers_name", ["name"])
    for table, columns in _ADDED.items():
        with op.batch_alter_table(table) as batch:
            for name, _, _ in columns:
                batch.drop_column(name)
    op.drop_index("ix_layer_versions_state", "layer_versions")
    op.drop_table("layer_versions")
