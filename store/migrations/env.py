"""Alembic environment: runs migrations on the connection, and in the transaction, of :mod:`store.schema.migrate`."""

from __future__ import annotations

from alembic import context

from store.schema.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite can change a column only by recreating the table
)
context.run_migrations()
