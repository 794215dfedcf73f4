"""A restored backup equals the original, row by row and byte by byte."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest
from shapely import box
from sqlalchemy import select

from configs.service import ServiceSettings
from errors import OutputError, SettingsError
from store.backup.backup import STALE_PROCESS_SECONDS, backup, restore
from store.jobs.processes import record_heartbeat
from store.objects.factory import open_object_store
from store.schema.database import Database
from store.schema.migrate import check_current, head_revision
from store.schema.outlines import bounds_of
from store.schema.tables import Area, Counter
from tests.store.backup.filled_service import FILES, NOW, delete_all, files, other, rows


def test_a_restore_brings_back_lost_data(settings: ServiceSettings, tmp_path: Path) -> None:
    before = rows(settings)
    assert before["features"]
    created = backup(settings, tmp_path / "backup.tar", now=NOW)
    assert (created.objects, created.revision, created.created_at, created.outdated) == (3, head_revision(), NOW, False)
    delete_all(settings)
    assert restore(settings, tmp_path / "backup.tar", now=NOW) == created
    assert rows(settings) == before
    assert files(settings) == FILES
    database = Database(settings.database_url)
    check_current(database)
    with database.write() as session:  # sequences continue
        session.add(Area(code="410199", name="", level="county", loaded_at=NOW, **bounds_of(box(0, 0, 1, 1))))
        session.flush()
        assert session.scalars(select(Area.id).where(Area.code == "410199")).one() == 4
    database.close()


def test_existing_data_is_only_replaced_with_overwrite(settings: ServiceSettings, tmp_path: Path) -> None:
    before = rows(settings)
    backup(settings, tmp_path / "backup.tar", now=NOW)
    database = Database(settings.database_url)
    with database.write() as session:
        session.delete(session.get_one(Area, 1))
        session.add(Counter(name="later", value=1))
    database.close()
    open_object_store(settings).put("evidence/1/before.png", b"other")
    changed = rows(settings)
    with pytest.raises(SettingsError, match=r"The database is not empty .*--overwrite"):
        restore(settings, tmp_path / "backup.tar", now=NOW)
    assert rows(settings) == changed
    assert files(settings)["evidence/1/before.png"] == b"other"
    restore(settings, tmp_path / "backup.tar", overwrite=True, now=NOW)
    assert rows(settings) == before
    assert files(settings) == FILES


def test_existing_objects_are_not_mixed_with_those_of_a_backup(
    embedded: ServiceSettings, archive: Path, tmp_path: Path
) -> None:
    target = other(embedded, tmp_path)
    open_object_store(target).put("scenes/other.tif", b"")
    with pytest.raises(SettingsError, match=r"Object files exist already, such as scenes/other\.tif"):
        restore(target, archive, now=NOW)
    assert not (target.home / "tuban.db").exists()


def test_nothing_is_restored_while_the_service_is_running(embedded: ServiceSettings, archive: Path) -> None:
    database = Database(embedded.database_url)
    with database.write() as session:
        record_heartbeat(session, "host:77:worker", "worker", NOW)
    database.close()
    with pytest.raises(SettingsError, match=r"\(host:77:worker\); stop it first"):
        restore(embedded, archive, overwrite=True, now=NOW + dt.timedelta(seconds=10))
    restore(embedded, archive, overwrite=True, now=NOW + dt.timedelta(seconds=STALE_PROCESS_SECONDS + 1))


def test_a_backup_is_a_snapshot_without_uncommitted_changes(embedded: ServiceSettings, tmp_path: Path) -> None:
    database = Database(embedded.database_url)
    with database.write() as session:
        session.add(Counter(name="not yet", value=1))
        session.flush()
        backup(embedded, tmp_path / "backup.tar", now=NOW)
    database.close()
    target = other(embedded, tmp_path)
    restore(target, tmp_path / "backup.tar", now=NOW)
    assert len(rows(target)["counters"]) == 1
    assert not list((tmp_path / "other").glob("tuban.db-*"))


def test_a_backup_includes_the_write_ahead_log_of_sqlite(embedded: ServiceSettings, tmp_path: Path) -> None:
    database = Database(embedded.database_url)
    with database.write() as session:
        session.add(Counter(name="in the log", value=1))
    assert Path(f"{embedded.home}/tuban.db-wal").stat().st_size > 0
    backup(embedded, tmp_path / "backup.tar", now=NOW)
    database.close()
    target = other(embedded, tmp_path)
    restore(target, tmp_path / "backup.tar", now=NOW)
    assert len(rows(target)["counters"]) == 2


def test_a_backup_of_another_kind_of_database_is_rejected(archive: Path, postgresql_url: str, tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "other", database=postgresql_url)
    with pytest.raises(SettingsError, match="contains a sqlite database, but TUBAN_DATABASE is a postgresql database"):
        restore(settings, archive, now=NOW)


def test_a_backup_never_overwrites_a_file(embedded: ServiceSettings, archive: Path) -> None:
    content = archive.read_bytes()
    with pytest.raises(SettingsError, match="exists already"):
        backup(embedded, archive, now=NOW)
    assert archive.read_bytes() == content


def test_a_backup_of_nothing_is_rejected_and_creates_no_database(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home")
    with pytest.raises(SettingsError, match="nothing to back up"):
        backup(settings, tmp_path / "backup.tar", now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_partial_backup(embedded: ServiceSettings, small_disk: Path) -> None:
    with pytest.raises(OutputError, match="No space left on device") as caught:
        backup(embedded, small_disk / "backup.tar", now=NOW)
    assert "\n" not in str(caught.value)
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_up_during_a_restore_is_reported(
    embedded: ServiceSettings, archive: Path, small_disk: Path
) -> None:
    with pytest.raises(OutputError, match="No space left on device"):
        restore(embedded.model_copy(update={"home": small_disk / "home"}), archive, now=NOW)
    assert not (small_disk / "home" / "tuban.db").exists()


def test_a_damaged_database_is_not_backed_up(embedded: ServiceSettings, tmp_path: Path) -> None:
    path = embedded.home / "tuban.db"
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_areas_bounds'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xff" * size
    path.write_bytes(content)
    with pytest.raises(OutputError, match="is damaged"):
        backup(embedded, tmp_path / "backup.tar", now=NOW)
    assert [p.name for p in tmp_path.iterdir()] == ["home"]
