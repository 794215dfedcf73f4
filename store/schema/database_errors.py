"""Errors of the database that callers outside the store may catch."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

__all__ = ["CONCURRENT_CHANGE", "DatabaseError", "DatabaseUnavailable"]

DatabaseError = SQLAlchemyError
"""Any error of the database."""

DatabaseUnavailable = OperationalError
"""The database does not answer, or ended the connection; the same work may succeed later."""

CONCURRENT_CHANGE = (StaleDataError, IntegrityError)
"""Another transaction changed the same rows first."""
