"""Database errors that callers outside the store may catch."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.orm.exc import StaleDataError

__all__ = ["CONCURRENT_CHANGE", "DatabaseError", "DatabaseUnavailable", "is_temporary"]

DatabaseError = SQLAlchemyError
"""Any database error."""

DatabaseUnavailable = OperationalError
"""The database is unreachable or closed the connection; a retry may succeed."""

CONCURRENT_CHANGE = (StaleDataError, IntegrityError)
"""Another transaction changed the same rows first."""


def is_temporary(error: Exception) -> bool:
    """Return whether the database is busy or out of reach, so that the same request may succeed a little later.

    SQLite reports missing tables and damaged files with the same class as a lock, hence the look at its message.
    """
    if isinstance(error, NoFreeConnection):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return "is locked" in str(error.orig)
    return isinstance(error, OperationalError) or error.connection_invalidated
