"""Documents of alerts with their numbers, versions of their templates, and what happened to each.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "document_templates",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        _text("kind", 40),
        sa.Column("version", sa.Integer(), nullable=False),
        _text("source", 10),
        _text("name", 200),
        _text("sha256", 64),
        _text("object_key", 400),
        sa.Column("size", sa.BigInteger(), nullable=False),
        _text("state", 10),
        sa.Column("notes", sa.JSON(), nullable=False),
        _text("who", 100),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_document_templates"),
        sa.UniqueConstraint("kind", "version", name="uq_document_templates_kind_version"),
        sa.UniqueConstraint("kind", "sha256", name="uq_document_templates_kind_sha256"),
    )
    op.create_index("ix_document_templates_kind", "document_templates", ["kind"])
    op.create_table(
        "documents",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        _text("kind", 40),
        _text("state", 10),
        sa.Column("about_id", _ID, nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=True),
        sa.Column("series", sa.String(length=40), nullable=True),
        sa.Column("series_area", sa.String(length=12), nullable=True),
        sa.Column("series_year", sa.Integer(), nullable=True),
        sa.Column("series_value", sa.Integer(), nullable=True),
        sa.Column("template_id", _ID, nullable=True),
        sa.Column("template_version", sa.Integer(), nullable=True),
        _text("template_sha256", 64),
        _text("docx_key", 400),
        _text("docx_sha256", 64),
        _text("pdf_key", 400),
        _text("pdf_sha256", 64),
        _text("pdf_state", 20),
        _text("drafted_by", 100),
        sa.Column("drafted_at", Instant(), nullable=False),
        _text("changed_by", 100),
        _text("checked_by", 100),
        sa.Column("checked_at", Instant(), nullable=True),
        _text("issued_by", 100),
        sa.Column("issued_at", Instant(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        _text("served_by", 100),
        sa.Column("served_at", Instant(), nullable=True),
        sa.Column("served_on", sa.Date(), nullable=True),
        _text("replied_by", 100),
        sa.Column("replied_at", Instant(), nullable=True),
        sa.Column("replied_on", sa.Date(), nullable=True),
        sa.Column("reply_due", sa.Date(), nullable=True),
        _text("voided_by", 100),
        sa.Column("voided_at", Instant(), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _refers("documents", "alert_id", "alerts"),
        _refers("documents", "about_id", "documents"),
        _refers("documents", "template_id", "document_templates"),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("series", "series_area", "series_year", "series_value", name="uq_documents_series_value"),
        sa.UniqueConstraint("series_area", "number", name="uq_documents_series_area_number"),
    )
    for name in ("alert_id", "kind", "state", "about_id", "template_id", "issued_on", "reply_due"):
        op.create_index(f"ix_documents_{name}", "documents", [name])
    op.create_table(
        "document_entries",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("document_id", _ID, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        _text("who", 100),
        _text("what", 20),
        sa.Column("detail", sa.JSON(), nullable=False),
        _refers("document_entries", "document_id", "documents"),
        sa.PrimaryKeyConstraint("id", name="pk_document_entries"),
    )
    op.create_index("ix_document_entries_document_id", "document_entries", ["document_id"])


def downgrade() -> None:
    """Drop them."""
    for name in ("document_entries", "documents", "document_templates"):
        op.drop_table(name)


def _text(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")
