"""What commands about the service begin with: its settings and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from configs.service import read_service
from service.context import Context
from service.logs import begin_journal
from store.schema.migrate import check_current


@contextmanager
def service() -> Iterator[Context]:
    """The service's settings with its database, which must be of this version.

    Raises:
        SettingsError: settings that cannot be used, or a database that is not there or of another version.
    """
    settings = read_service()
    begin_journal(settings)  # on standard error: what a command prints stays its own
    context = Context.of(settings)
    try:
        check_current(context.database)
        yield context
    finally:
        context.database.close()
