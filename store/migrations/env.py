"""What alembic runs for each migration, on the connection that :mod:`store.schema.migrate` gives: within its transaction."""

from __future__ import annotations

from alembic import context

from store.schema.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a column only by making the table anew
)
context.run_migrations()
