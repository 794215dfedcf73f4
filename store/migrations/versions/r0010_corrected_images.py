"""Images that can be corrected and withdrawn, and the areas whose ground they show.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SCENES = (("bands", sa.JSON(), "[]"), ("state", sa.String(length=20), "ready"), ("state_reason", sa.Text(), ""))
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table; the next night fills the table for the scenes that exist."""
    with op.batch_alter_table("scenes") as table:
        for name, kind, value in _SCENES:
            table.add_column(sa.Column(name, kind, nullable=False, server_default=value))
    with op.batch_alter_table("scenes") as table:
        for name, kind, _ in _SCENES:
            table.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    with op.batch_alter_table("uncompared") as table:
        table.add_column(sa.Column("superseded", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("uncompared") as table:
        table.alter_column("superseded", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
    op.create_table(
        "scene_areas",
        sa.Column("scene_id", _ID, nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["scene_id"], ["scenes.id"], name="fk_scene_areas_scene_id_scenes", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scene_id", "code", name="pk_scene_areas"),
    )
    op.create_index("ix_scene_areas_code", "scene_areas", ["code"])


def downgrade() -> None:
    """Remove them; withdrawn images become usable again."""
    op.drop_table("scene_areas")
    with op.batch_alter_table("uncompared") as table:
        table.drop_column("superseded")
    with op.batch_alter_table("scenes") as table:
        for name, _, _ in _SCENES:
            table.drop_column(name)
