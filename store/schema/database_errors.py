"""Database errors that callers outside the store may catch."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

__all__ = ["CONCURRENT_CHANGE", "DatabaseError", "DatabaseUnavailable"]

DatabaseError = SQLAlchemyError
"""Any database error."""

DatabaseUnavailable = OperationalError
"""The database is unreachable or closed the connection; a retry may succeed."""

CONCURRENT_CHANGE = (StaleDataError, IntegrityError)
"""Another transaction changed the same rows first."""
