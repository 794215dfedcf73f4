"""Everything that the service keeps, as one file, and back: the database and the object files.

Not in it: settings, weights, and what was delivered into the drop folder. Messages of the broker need no backup: jobs
are rows of the database, and what waits is published again.
"""

from __future__ import annotations

import datetime as dt
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from configs.service import ServiceSettings
from errors import OutputError, SettingsError
from store.backup.archive import DATABASE, OBJECTS, ArchiveWriter, Manifest, extract, verify
from store.backup.database_dump import check_tools, dump_database, restore_database, tables
from store.jobs.processes import list_processes
from store.objects.factory import open_object_store
from store.objects.folder import create_folder, fsync_path
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.schema.database import Database
from store.schema.migrate import current_revision, head_revision, is_known_revision

STALE_PROCESS_SECONDS = 60
"""A process that said nothing for this long does not work any more: each says every few seconds that it lives."""


@dataclass(frozen=True)
class BackupSummary:
    """What a backup holds.

    Attributes:
        made_at: when it was made.
        objects: number of object files.
        size: bytes of all files.
        revision: of the tables; older ones are migrated before the service works with them.
        outdated: whether they are.
    """

    made_at: dt.datetime
    objects: int
    size: int
    revision: str
    outdated: bool

    @classmethod
    def of(cls, manifest: Manifest) -> BackupSummary:
        """Sum up."""
        old = manifest.revision != head_revision()
        return cls(manifest.made_at, len(manifest.keys), manifest.size, manifest.revision, old)


def backup(settings: ServiceSettings, out: Path, *, now: dt.datetime) -> BackupSummary:
    """Write the database and all object files into one tar, whole or not at all. The service may run meanwhile.

    Args:
        settings: of the service.
        out: the file; must not be there yet. Beside it there must be room for a copy of the database.
        now: the moment, aware.

    Raises:
        SettingsError: there is nothing to back up, ``out`` is there already, or pg_dump is missing.
        OutputError: it cannot be written.
    """
    out = out.resolve()
    if out.exists():
        raise SettingsError(f"{out} is there already; name another file.")
    objects = open_object_store(settings)
    with _database(settings) as database:
        revision = current_revision(database) if tables(database) else None
        if revision is None:
            raise SettingsError("The database has no tables of Tuban; there is nothing to back up.")
        half = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
        try:
            create_folder(out.parent)
            with tempfile.TemporaryDirectory(dir=out.parent, prefix=".tuban-backup-") as work, half.open("xb") as file:
                writer = ArchiveWriter(file, now)
                # what the database names must be there: files that came while the first were copied follow it
                done = _add_objects(writer, objects, set())
                copy = Path(work) / "database"
                dump_database(database, copy)
                writer.add(DATABASE, copy)
                _add_objects(writer, objects, done)
                manifest = writer.finish(
                    database="sqlite" if database.sqlite else "postgresql", revision=revision, tables=tables(database)
                )
            fsync_path(half)
            half.replace(out)
            fsync_path(out.parent)
        except OSError as error:
            raise OutputError(
                f"The backup {out} cannot be written ({error.strerror}); nothing was kept of it."
            ) from error
        finally:
            half.unlink(missing_ok=True)
    return BackupSummary.of(manifest)


def restore(settings: ServiceSettings, archive: Path, *, overwrite: bool = False, now: dt.datetime) -> BackupSummary:
    """Make database and object files what a backup says. Every checksum is looked at before anything is written.

    Args:
        settings: of the service, which must not run.
        archive: of :func:`backup`, made with the same sort of database.
        overwrite: whether a database and objects that are there are replaced; objects that the backup does not have
            stay.
        now: the moment, aware.

    Raises:
        ArchiveError: the backup is damaged or none.
        SettingsError: it does not fit these settings, something is there already, or the service runs.
        OutputError: it cannot be written; call it again with ``overwrite``.
    """
    archive = archive.resolve()
    manifest = verify(archive)
    objects = open_object_store(settings)
    with _database(settings) as database:
        _check_fit(manifest, database)
        check_tools(database)
        _check_free(database, objects, overwrite)
        _check_silent(database, now)
        objects.check()
        home = settings.home.resolve()
        try:
            create_folder(home)
            with tempfile.TemporaryDirectory(dir=home, prefix=".tuban-restore-") as work:
                kept = Path(work) / "database"
                for name, path in extract(archive, Path(work)):
                    if name == DATABASE:
                        path.rename(kept)
                    else:
                        objects.put(name.removeprefix(OBJECTS), path)
                # last: a database that is there has all that it names
                restore_database(database, kept, replace=overwrite, kept=manifest.tables)
        except OSError as error:
            raise OutputError(f"The backup cannot be restored to {home} ({error.strerror}).") from error
    return BackupSummary.of(manifest)


@contextmanager
def _database(settings: ServiceSettings) -> Iterator[Database]:
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def _add_objects(writer: ArchiveWriter, objects: ObjectStore, done: set[str]) -> set[str]:
    """Add all objects that are not ``done``; return the keys of those that were there."""
    keys = set()
    for key in objects.keys(""):
        if key in done:
            continue
        with suppress(ObjectNotFound), objects.local(key) as path:  # one that was just removed is needed by nothing
            writer.add(OBJECTS + key, path)
        keys.add(key)
    return keys


def _check_fit(manifest: Manifest, database: Database) -> None:
    sort = "sqlite" if database.sqlite else "postgresql"
    if manifest.database != sort:
        raise SettingsError(
            f"The backup is of a {manifest.database} database, TUBAN_DATABASE names one of {sort}; "
            "restore it into the same sort."
        )
    if not is_known_revision(manifest.revision):
        raise SettingsError(
            f"The backup's tables are of revision {manifest.revision}, which this version of Tuban does not know; "
            "restore it with the version that made it, or a newer one."
        )


def _check_free(database: Database, objects: ObjectStore, overwrite: bool) -> None:
    if overwrite:
        return
    if found := tables(database):
        raise SettingsError(
            f"The database is not empty (it has the tables {', '.join(found[:3])} …); restore into an empty one, or "
            "say that what is there is to be replaced (--overwrite)."
        )
    if (key := next(objects.keys(""), None)) is not None:
        raise SettingsError(
            f"There are object files already, like {key}; restore where there are none, or say that they are to be "
            "replaced (--overwrite)."
        )


def _check_silent(database: Database, now: dt.datetime) -> None:
    """Nobody works with the database: else files are changed under open connections."""
    alive: list[str] = []
    with suppress(SettingsError, DBAPIError):  # a database that is broken or of another version is used by nobody
        if "processes" in tables(database):
            with database.read() as session:
                alive = [p.name for p in list_processes(session, now - dt.timedelta(seconds=STALE_PROCESS_SECONDS))]
    if alive:
        raise SettingsError(
            f"The service works with this database, or did a minute ago ({', '.join(alive[:3])}); stop it first."
        )
