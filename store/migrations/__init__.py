"""Alembic migrations, run by :mod:`store.schema.migrate`."""
