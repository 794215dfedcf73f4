"""Migration of a database in use: back it up first, and start no empty database beside existing data.

An archive of :func:`backup_before_migration` holds the database alone, because migrations do not change objects.
`tuban restore ARCHIVE --overwrite` restores it and keeps the objects.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.engine import make_url

from configs.service import ServiceSettings
from errors import SettingsError
from store.backup.backup import backup, check_service_stopped
from store.backup.database_dump import tables
from store.objects.object_store import ObjectStore
from store.schema.database import Database
from store.schema.migrate import current_revision, downgrade, head_revision, is_known_revision, upgrade
from store.schema.tables import Base

FOLDER = "backups"
"""Folder in home that receives the archives."""

KEPT_ARCHIVES = 5

_TABLES_OF_DATA = ("batches", "scenes", "scans", "alerts", "camera_captures", "camera_presets")
"""Objects are referenced from rows of these tables, or were created by jobs of them."""

_TABLES_OF_USE = ("people", "areas", *_TABLES_OF_DATA)
"""A database with a row in any of these tables has been used."""

_PROBES = "check/"
"""Prefix of the test objects of :meth:`store.objects.s3.S3ObjectStore.check`."""

logger = structlog.get_logger("tuban.migrate")


def safe_upgrade(
    settings: ServiceSettings,
    database: Database,
    objects: ObjectStore,
    *,
    to: str = "head",
    now: dt.datetime,
    with_backup: bool = True,
) -> Path | None:
    """Upgrade the schema to revision ``to``; an outdated database is backed up first.

    Args:
        settings: of the service.
        database: the database of the settings.
        objects: the object store of the settings.
        to: target revision.
        now: current time.
        with_backup: False: do not back up.

    Returns:
        The archive of the database as it was; None: there was nothing to upgrade.

    Raises:
        SettingsError: the database is empty, and data exists beside it; or it cannot be migrated or backed up.
    """
    check_not_empty_beside_data(settings, database, objects)
    found = current_revision(database) if tables(database) else None
    target = head_revision() if to == "head" else to
    archive = None
    if found is not None and found != target and is_known_revision(found):
        archive = backup_before_migration(settings, found, now) if with_backup else None
        logger.info("migrating the database", from_revision=found, to_revision=target)
    upgrade(database, to)
    if found is not None and (reached := current_revision(database)) != found:
        logger.info("database migrated", revision=reached)
    return archive


def safe_downgrade(
    settings: ServiceSettings, database: Database, *, to: str, lose: Collection[str], now: dt.datetime
) -> Path | None:
    """Downgrade the schema to revision ``to``, after a backup, while no process of the service runs.

    Args:
        settings: of the service.
        database: the database of the settings.
        to: target revision.
        lose: tables (``cameras``) and columns (``alerts.assignee``) whose content may be deleted.
        now: current time.

    Returns:
        The archive of the database as it was; None: it had no tables.

    Raises:
        SettingsError: a process of the service runs, or content would be deleted that ``lose`` does not name; nothing
            was changed.
    """
    check_service_stopped(database, now)
    found = current_revision(database) if tables(database) else None
    # a first pass is rolled back, so that a refused downgrade leaves no archive
    if found is not None:
        _rehearse(database, to, lose)
    archive = backup_before_migration(settings, found, now) if found is not None else None
    downgrade(database, to, lambda lost: _check_loss(lost, to, lose))
    logger.info("database downgraded", revision=current_revision(database) or "none")
    return archive


def backup_before_migration(settings: ServiceSettings, revision: str, now: dt.datetime) -> Path:
    """Write the database, without objects, to an archive in ``home/backups``; the oldest archives are deleted.

    Raises:
        SettingsError: pg_dump is missing or fails.
        OutputError: the archive cannot be written.
    """
    folder = settings.home.resolve() / FOLDER
    path = folder / f"before-migration-{revision}-{now.astimezone(dt.UTC):%Y%m%dT%H%M%S%fZ}.tar"
    logger.info("backing up the database before its migration", archive=str(path), revision=revision)
    summary = backup(settings, path, now=now, with_objects=False)
    logger.info("database backed up", archive=str(path), bytes=summary.size)
    archives = sorted(folder.glob("before-migration-*.tar"), key=lambda file: file.stat().st_mtime)
    for old in archives[:-KEPT_ARCHIVES]:
        old.unlink(missing_ok=True)
    return path


def check_not_empty_beside_data(settings: ServiceSettings, database: Database, objects: ObjectStore) -> None:
    """Refuse a database without data if the home folder has another database, or the object store has objects.

    Such settings are mistaken: the service would start as a new installation that does not show the existing data.

    Raises:
        SettingsError: the message says where the data is and what to do.
    """
    if _has_rows(database, _TABLES_OF_DATA):
        return
    url = database.engine.url.render_as_string(hide_password=True)
    embedded = settings.home.resolve() / "tuban.db"
    separate = not _is_database(database, embedded)
    if separate and not _has_rows(database, _TABLES_OF_USE) and _is_filled(embedded):
        raise SettingsError(
            f"The database {url} is empty, but {embedded} holds the data of this home folder. `tuban move` copies it "
            "and its objects to the database of the settings; to work with it as before, unset TUBAN_DATABASE."
        )
    key = next((key for key in objects.keys("") if not key.startswith(_PROBES)), None)
    if key is not None:
        raise SettingsError(
            f"The database {url} is empty, but the object store {settings.objects_url} holds objects, such as {key}. "
            "Set TUBAN_DATABASE to the database that belongs to them, or restore a backup with `tuban restore "
            "--overwrite`; for a new installation, set TUBAN_OBJECTS or TUBAN_HOME to an empty folder."
        )


def _rehearse(database: Database, to: str, lose: Collection[str]) -> None:
    class Rehearsed(Exception):  # noqa: N818  (not an error: it rolls the transaction back)
        pass

    def check(lost: Mapping[str, int]) -> None:
        _check_loss(lost, to, lose)
        raise Rehearsed

    try:
        downgrade(database, to, check)
    except Rehearsed:
        return


def _check_loss(lost: Mapping[str, int], to: str, lose: Collection[str]) -> None:
    """Raise SettingsError if the downgrade deletes content that is not in ``lose``."""
    if unnamed := {name: rows for name, rows in lost.items() if name not in lose}:
        listed = ", ".join(f"{name} ({rows} row{'s' if rows != 1 else ''})" for name, rows in sorted(unnamed.items()))
        raise SettingsError(
            f"Revision {to} does not have {listed}; their content would be deleted. Nothing was changed. To delete it, "
            f"run the command again with --lose {','.join(sorted(lost))}"
        )


def _has_rows(database: Database, names: Sequence[str]) -> bool:
    existing = set(tables(database))
    if not existing:  # connecting would create a missing SQLite file, or fail in a missing folder
        return False
    with database.engine.connect() as connection:
        return any(
            connection.execute(select(1).select_from(Base.metadata.tables[name]).limit(1)).first() is not None
            for name in names
            if name in existing
        )


def _is_database(database: Database, path: Path) -> bool:
    return database.sqlite and Path(str(make_url(database.url).database)).resolve() == path


def _is_filled(path: Path) -> bool:
    """Return whether a SQLite file exists and holds data of Tuban."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return any(
                connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() is not None
                for name in _TABLES_OF_USE
                if name in names
            )
    except sqlite3.Error:  # a damaged file is data as well
        return True
