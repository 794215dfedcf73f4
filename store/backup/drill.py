"""Restore drill: restore a backup into a scratch home, check the result, and compare it with the running service."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from configs.service import ServiceSettings
from errors import SettingsError
from store.backup.backup import BackupSummary, restore
from store.integrity.check import check_chains, check_objects, check_rows
from store.objects.factory import open_object_store
from store.reports.report_rows import check_report_chains
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import Base, Transition

COMPARED = ("alerts", "transitions", "actions", "scenes", "people", "areas")
"""Tables whose numbers of rows are compared: what a bureau would miss first."""

APPEND_ONLY = ("transitions", "actions")


@dataclass(frozen=True)
class DrillResult:
    """Result of a drill.

    Attributes:
        summary: of the backup.
        rows: for each compared table, the number of rows in the restored and in the running database.
        problems: what is missing, damaged or different; empty: the backup can be relied on.
    """

    summary: BackupSummary
    rows: dict[str, tuple[int, int]]
    problems: list[str]


def restore_drill(
    settings: ServiceSettings, archive: Path, *, folder: Path | None, database_url: str, now: dt.datetime
) -> DrillResult:
    """Restore a backup into a scratch home and compare; the running service is only read, the scratch home deleted.

    Args:
        settings: of the running service.
        archive: from :func:`store.backup.backup.backup`.
        folder: parent of the scratch home, with space for the backup; None: the system's temporary folder.
        database_url: empty database to restore into; "": a file in the scratch home, for SQLite only.
        now: current time, aware.

    Raises:
        SettingsError: PostgreSQL is used and ``database_url`` is empty or that of the service itself.
        TubanError: the backup cannot be restored; subclasses as of :func:`store.backup.backup.restore`.
    """
    if settings.database.startswith("postgresql") and database_url in ("", settings.database_url):
        raise SettingsError(
            "The drill needs an empty PostgreSQL database with PostGIS of its own: create one, and name it with "
            "--database."
        )
    with tempfile.TemporaryDirectory(dir=folder, prefix="tuban-drill-") as scratch:
        copy = settings.model_copy(update={"home": Path(scratch), "database": database_url, "objects": ""})
        summary = restore(copy, archive, now=now)
        with _opened(copy.database_url) as restored, _opened(settings.database_url) as live:
            upgrade(restored)
            objects = open_object_store(copy)
            problems = [damage.detail for damage in check_objects(restored, objects).damaged]
            problems += check_rows(restored) + check_chains(restored) + check_report_chains(restored)
            before, after = _counts(restored), _counts(live)
            rows = {name: (before[name], after[name]) for name in COMPARED}
            for name in APPEND_ONLY:
                if before[name] > after[name]:
                    problems.append(
                        f"{name}: the backup has {before[name]} rows and the running service only {after[name]}"
                    )
            if not _continues(restored, live):
                problems.append("the last transition of the backup is not in the log of the running service")
    return DrillResult(summary, rows, problems)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _counts(database: Database) -> dict[str, int]:
    tables = Base.metadata.tables
    with database.read() as session:
        return {name: session.scalar(select(func.count()).select_from(tables[name])) or 0 for name in COMPARED}


def _continues(restored: Database, live: Database) -> bool:
    with restored.read() as session:
        last = session.scalar(select(Transition).order_by(Transition.id.desc()).limit(1))
    if last is None:
        return True
    with live.read() as session:
        same = session.get(Transition, last.id)
        return same is not None and same.hash == last.hash
