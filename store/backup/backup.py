"""Backup and restore of the database and the object files.

A backup does not contain settings, weights, and files delivered to the drop folder. Broker messages need no backup:
jobs are database rows, and waiting jobs are published again.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import DBAPIError

from configs.service import ServiceSettings
from errors import OutputError, SettingsError
from store.backup.archive import DATABASE, OBJECTS, ArchiveWriter, Manifest, extract, verify
from store.backup.database_dump import check_tools, dump_database, restore_database, tables
from store.integrity.check import verify_object
from store.integrity.damage import Damage
from store.integrity.references import Reference, references
from store.jobs.processes import list_processes
from store.objects.factory import open_object_store
from store.objects.folder import create_folder, fsync_path
from store.objects.object_store import ObjectNotFound, ObjectStore
from store.schema.database import Database
from store.schema.migrate import current_revision, head_revision, is_known_revision

STALE_PROCESS_SECONDS = 60
"""Time without a heartbeat after which a process is considered stopped; heartbeats come every few seconds."""


@dataclass(frozen=True)
class BackupSummary:
    """Summary of a backup.

    Attributes:
        created_at: time of the backup.
        objects: number of object files.
        size: total size of the files in bytes.
        revision: schema revision of the database.
        outdated: whether the restored database must be migrated before the service can use it.
    """

    created_at: dt.datetime
    objects: int
    size: int
    revision: str
    outdated: bool

    @classmethod
    def of(cls, manifest: Manifest) -> BackupSummary:
        """Summarize a manifest."""
        outdated = manifest.revision != head_revision()
        return cls(manifest.made_at, len(manifest.keys), manifest.size, manifest.revision, outdated)


def backup(
    settings: ServiceSettings, out: Path, *, now: dt.datetime, with_objects: bool = True, allow_damage: bool = False
) -> BackupSummary:
    """Write the database and all object files to one tar file, atomically. The service may be running.

    Args:
        settings: of the service.
        out: the new file. Its folder also needs space for a temporary copy of the database.
        now: current time, aware.
        with_objects: False: the database alone.
        allow_damage: write the backup although objects are missing or damaged.

    Raises:
        DamagedBackup: objects are missing or damaged, which the message names; the file was not created.
        SettingsError: there is nothing to back up, ``out`` exists already, or pg_dump is missing.
        OutputError: the file cannot be written.
    """
    out = out.resolve()
    if out.exists():
        raise SettingsError(f"{out} exists already; choose another file.", "backup.exists", file=str(out))
    objects = open_object_store(settings)
    with _database(settings) as database:
        revision = current_revision(database) if tables(database) else None
        if revision is None:
            raise SettingsError("The database has no tables of Tuban; there is nothing to back up.", "backup.nothing")
        partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
        try:
            create_folder(out.parent)
            with (
                tempfile.TemporaryDirectory(dir=out.parent, prefix=".tuban-backup-") as work,
                _open_private(partial) as file,
            ):
                writer = ArchiveWriter(file, now)
                # objects added during the first pass are copied after the dump, which may refer to them
                digests = _add_objects(writer, objects, set()) if with_objects else {}
                copy = Path(work) / "database"
                dump_database(database, copy)
                writer.add(DATABASE, copy)
                if with_objects:
                    digests |= _add_objects(writer, objects, set(digests))
                    damage = _find_damage(database, objects, digests, revision)
                    if damage and not allow_damage:
                        raise DamagedBackup(damage)
                manifest = writer.finish(
                    database="sqlite" if database.sqlite else "postgresql", revision=revision, tables=tables(database)
                )
            fsync_path(partial)
            partial.replace(out)
            fsync_path(out.parent)
        except OSError as error:
            raise OutputError(
                f"The backup {out} cannot be written ({error.strerror}); it was not created.",
                "backup.not_written",
                file=str(out),
                error=error.strerror or "",
            ) from error
        finally:
            partial.unlink(missing_ok=True)
    return BackupSummary.of(manifest)


def _open_private(path: Path) -> BinaryIO:
    """Create a file that only its owner may read: a backup contains personal data and evidence."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def restore(settings: ServiceSettings, archive: Path, *, overwrite: bool = False, now: dt.datetime) -> BackupSummary:
    """Restore the database and the object files. All checksums are verified before anything is written.

    Args:
        settings: of the service, which must be stopped.
        archive: from :func:`backup`, with the same kind of database.
        overwrite: replace an existing database and existing objects; objects that are not in the backup are kept.
        now: current time, aware.

    Raises:
        ArchiveError: the file is damaged or not a backup.
        SettingsError: the backup does not match the settings, data exists already, or the service is running.
        OutputError: the data cannot be written; try again with ``overwrite``.
    """
    archive = archive.resolve()
    manifest = verify(archive)
    objects = open_object_store(settings)
    with _database(settings) as database:
        _check_compatible(manifest, database)
        check_tools(database)
        _check_empty(database, objects, overwrite)
        check_service_stopped(database, now)
        objects.check()
        home = settings.home.resolve()
        try:
            create_folder(home)
            with tempfile.TemporaryDirectory(dir=home, prefix=".tuban-restore-") as work:
                dump = Path(work) / "database"
                for name, path in extract(archive, Path(work)):
                    if name == DATABASE:
                        path.rename(dump)
                    else:
                        objects.put(name.removeprefix(OBJECTS), path)
                # last, so that a restored database never refers to missing objects
                restore_database(database, dump, replace=overwrite, dumped=manifest.tables)
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


class DamagedBackup(SettingsError):  # noqa: N818  (what was found, not a malfunction)
    """Objects are missing or damaged, so that a backup would be incomplete."""

    def __init__(self, damage: Sequence[Damage]) -> None:
        """List the first of them."""
        listed = "; ".join(each.detail for each in damage[:5]) + (" …" if len(damage) > 5 else "")
        super().__init__(
            f"The backup was not created, because {len(damage)} objects are missing or damaged: {listed}. Restore them "
            "with `tuban check --repair BACKUP`, or back up all the same with --allow-damage."
        )


def _find_damage(database: Database, objects: ObjectStore, digests: Mapping[str, str], revision: str) -> list[Damage]:
    """Compare copied objects with their checksums, and find objects of rows that are missing.

    Args:
        database: the database.
        objects: the object store.
        digests: checksums of the copies.
        revision: of the database; rows of other revisions than this version's are not read.
    """
    wanted: dict[str, Reference] = {}
    if revision == head_revision():
        with database.read() as session:
            wanted = references(session)
    damage = []
    for key, digest in digests.items():
        with suppress(ObjectNotFound):  # deleted meanwhile
            reference = wanted.get(key, Reference(""))
            expected = (reference.sha256,) if reference.sha256 else objects.recorded_digests(key)
            # an object that was replaced since it was copied is verified as it is now
            if expected and digest not in expected and (found := verify_object(objects, key, reference)) is not None:
                damage.append(found)
    return damage + [
        Damage(key, "missing", f"The object {key} ({wanted[key].owner}) is missing")
        for key in sorted(set(wanted) - set(digests))
        if not objects.exists(key)
    ]


def _add_objects(writer: ArchiveWriter, objects: ObjectStore, done: set[str]) -> dict[str, str]:
    """Add all objects except those in ``done``; return the keys of the added ones with the checksums of the copies."""
    digests: dict[str, str] = {}
    for key in objects.keys(""):
        if key in done:
            continue
        with suppress(ObjectNotFound), objects.local(key) as path:  # a concurrently deleted object is no longer needed
            digests[key] = writer.add(OBJECTS + key, path).sha256
    return digests


def _check_compatible(manifest: Manifest, database: Database) -> None:
    kind = "sqlite" if database.sqlite else "postgresql"
    if manifest.database != kind:
        raise SettingsError(
            f"The backup contains a {manifest.database} database, but TUBAN_DATABASE is a {kind} database; "
            "restore it to a database of the same kind."
        )
    if not is_known_revision(manifest.revision):
        raise SettingsError(
            f"The backup is at revision {manifest.revision}, which this version of Tuban does not know; "
            "restore it with the version that created it, or a newer one."
        )


def _check_empty(database: Database, objects: ObjectStore, overwrite: bool) -> None:
    if overwrite:
        return
    if found := tables(database):
        raise SettingsError(
            f"The database is not empty (it has the tables {', '.join(found[:3])} …); restore to an empty one, or "
            "replace the existing data with --overwrite.",
            "backup.not_empty",
        )
    if (key := next(objects.keys(""), None)) is not None:
        raise SettingsError(
            f"Object files exist already, such as {key}; restore to an empty object store, or replace the existing "
            "data with --overwrite.",
            "backup.objects_exist",
            key=str(key),
        )


def check_service_stopped(database: Database, now: dt.datetime) -> None:
    """Check that no process uses the database, since files must not change under open connections."""
    alive: list[str] = []
    with suppress(SettingsError, DBAPIError):  # no process can use a database that is damaged or of another revision
        if "processes" in tables(database):
            with database.read() as session:
                alive = [p.name for p in list_processes(session, now - dt.timedelta(seconds=STALE_PROCESS_SECONDS))]
    if alive:
        raise SettingsError(
            f"The service uses this database, or did so within the last minute ({', '.join(alive[:3])}); "
            "stop it first.",
            "backup.in_use",
        )
