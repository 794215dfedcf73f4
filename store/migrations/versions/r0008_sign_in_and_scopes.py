"""Count failed sign-ins by name and address, remember known devices, and limit API keys to scopes.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Replace the failed sign-ins of the last day, which are only a delay; existing API keys keep all scopes."""
    op.drop_table("failed_sign_ins")
    op.create_table(
        "failed_sign_ins",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("origin", sa.String(length=100), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_failed_sign_ins"),
    )
    op.create_index("ix_failed_sign_ins_login", "failed_sign_ins", ["login"])
    op.create_index("ix_failed_sign_ins_at", "failed_sign_ins", ["at"])
    op.create_table(
        "known_devices",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_known_devices_person_id_people", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_known_devices"),
    )
    op.create_index("ix_known_devices_person_id", "known_devices", ["person_id"])
    with op.batch_alter_table("api_tokens") as table:
        table.add_column(
            sa.Column(
                "scopes",
                sa.String(length=100),
                nullable=False,
                server_default="read upload review steps administer",
            )
        )
    with op.batch_alter_table("api_tokens") as table:
        table.alter_column("scopes", server_default=None, existing_type=sa.String(length=100), existing_nullable=False)


def downgrade() -> None:
    """Restore the earlier table of failed sign-ins, empty."""
    with op.batch_alter_table("api_tokens") as table:
        table.drop_column("scopes")
    op.drop_table("known_devices")
    op.drop_table("failed_sign_ins")
    op.create_table(
        "failed_sign_ins",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("subject", sa.String(length=110), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_failed_sign_ins"),
    )
    op.create_index("ix_failed_sign_ins_subject", "failed_sign_ins", ["subject"])
    op.create_index("ix_failed_sign_ins_at", "failed_sign_ins", ["at"])
