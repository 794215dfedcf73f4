"""The service context that administration commands work with: settings and database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from configs.service import read_service
from service.context import Context
from service.home import temporary_files_in_home
from service.logs import set_up_logging
from store.schema.migrate import check_current


@contextmanager
def open_service() -> Iterator[Context]:
    """Open the service: its settings and its database, which must have the schema of this version.

    Raises:
        SettingsError: the settings are invalid, or the database is missing or has the schema of another version.
    """
    settings = read_service()
    set_up_logging(settings)  # logs go to standard error, so that standard output holds only the command's output
    context = Context.from_settings(settings)
    try:
        check_current(context.database)
        with temporary_files_in_home(settings):
            yield context
    finally:
        context.database.close()
