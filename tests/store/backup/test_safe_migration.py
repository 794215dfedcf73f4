"""A database is backed up before its schema changes, and no empty one is started beside existing data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from configs.service import ServiceSettings
from errors import SettingsError
from store.backup import safe_migration
from store.backup.backup import STALE_PROCESS_SECONDS, restore
from store.backup.safe_migration import safe_downgrade, safe_upgrade
from store.jobs.processes import record_heartbeat
from store.objects.factory import open_object_store
from store.schema.database import Database
from store.schema.migrate import current_revision, downgrade, head_revision, upgrade
from store.schema.tables import CameraRow, Counter
from tests.databases import embedded_database
from tests.store.backup.filled_service import FILES, NOW, files, fill, rows

LATER = NOW + dt.timedelta(seconds=STALE_PROCESS_SECONDS + 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceSettings:
    """A filled service on each kind of database, whose address is stated."""
    if request.param == "sqlite":
        url = embedded_database(tmp_path / "tuban.db").url
    else:
        url = request.getfixturevalue("migrated_postgresql_url")
    settings = ServiceSettings(home=tmp_path / "home", database=url, objects=str(tmp_path / "home" / "objects"))
    fill(settings)
    return settings


@pytest.fixture
def database(settings: ServiceSettings) -> Iterator[Database]:
    database = Database(settings.database_url)
    yield database
    database.close()


def _upgrade(settings: ServiceSettings, database: Database, now: dt.datetime = NOW) -> Path | None:
    return safe_upgrade(settings, database, open_object_store(settings), now=now)


def test_an_outdated_database_is_backed_up_before_its_upgrade_and_the_log_says_so(
    settings: ServiceSettings, database: Database
) -> None:
    downgrade(database, "0006")
    outdated = rows_of(database)
    with capture_logs() as log:
        archive = _upgrade(settings, database)
    assert archive is not None
    assert archive.parent == settings.home / "backups"
    events = [entry["event"] for entry in log]
    assert events == [
        "backing up the database before its migration",
        "database backed up",
        "migrating the database",
        "database migrated",
    ]
    assert log[1]["archive"] == str(archive)
    assert (log[2]["from_revision"], log[3]["revision"]) == ("0006", head_revision())
    assert _upgrade(settings, database) is None, "a current database needs no backup"
    database.close()
    restored = restore(settings, archive, overwrite=True, now=LATER)
    assert (restored.revision, restored.objects, restored.outdated) == ("0006", 0, True)
    assert rows_of(database) == outdated
    assert files(settings) == FILES


def rows_of(database: Database) -> dict[str, int]:
    """Return the number of rows of each table of any revision."""
    from store.backup.database_dump import tables

    with database.engine.connect() as connection:
        return {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in tables(database)
        }


def test_only_the_latest_archives_are_kept(settings: ServiceSettings, database: Database) -> None:
    for number in range(safe_migration.KEPT_ARCHIVES + 2):
        downgrade(database, "0006")
        assert _upgrade(settings, database, NOW + dt.timedelta(seconds=number))
    archives = sorted(path.name for path in (settings.home / "backups").iterdir())
    assert len(archives) == safe_migration.KEPT_ARCHIVES
    assert "120000" not in archives[0]


def test_a_downgrade_deletes_only_content_that_is_named(settings: ServiceSettings, database: Database) -> None:
    with database.write() as session:
        session.add(CameraRow(name="塔", area_code="410122", kind="still", host="h", secret="s", created_at=NOW))
    before = rows(settings)
    with pytest.raises(SettingsError, match=r"does not have .*cameras \(1 row\).*--lose .*cameras") as refused:
        safe_downgrade(settings, database, to="0003", lose=(), now=LATER)
    with pytest.raises(SettingsError, match=r"cameras \(1 row\)"):
        safe_downgrade(settings, database, to="0003", lose=("people",), now=LATER)
    assert rows(settings) == before
    assert not (settings.home / "backups").exists()
    named = str(refused.value).rsplit("--lose ", 1)[1].split(",")
    archive = safe_downgrade(settings, database, to="0003", lose=named, now=LATER)
    assert current_revision(database) == "0003"
    database.close()
    assert archive is not None
    restore(settings, archive, overwrite=True, now=LATER)
    assert rows(settings) == before


def test_nothing_is_downgraded_while_a_process_runs(settings: ServiceSettings, database: Database) -> None:
    with database.write() as session:
        record_heartbeat(session, "host:77:worker", "worker", NOW)
    with pytest.raises(SettingsError, match=r"\(host:77:worker\); stop it first"):
        safe_downgrade(settings, database, to="0006", lose=(), now=NOW + dt.timedelta(seconds=10))
    assert current_revision(database) == head_revision()


def test_an_empty_database_beside_objects_is_refused(database_url: str, tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home", database=database_url)
    open_object_store(settings).put("scenes/ab/abc.tif", b"image")
    database = Database(database_url)
    for _ in range(2):  # without tables, and with tables but no rows
        with pytest.raises(SettingsError, match=r"holds objects, such as scenes/ab/abc\.tif.*tuban restore"):
            _upgrade(settings, database)
        upgrade(database)
    database.close()


def test_an_empty_database_beside_that_of_the_home_folder_is_refused(postgresql_url: str, tmp_path: Path) -> None:
    embedded = ServiceSettings(home=tmp_path / "home", objects=str(tmp_path / "objects"))
    fill(embedded)
    settings = ServiceSettings(home=tmp_path / "home", database=postgresql_url, objects=str(tmp_path / "empty"))
    database = Database(postgresql_url)
    with pytest.raises(SettingsError, match=r"is empty, but .*tuban\.db holds the data.*`tuban move`"):
        _upgrade(settings, database)
    (embedded.home / "tuban.db").write_bytes(b"damaged")
    with pytest.raises(SettingsError, match="`tuban move`"):
        _upgrade(settings, database)
    database.close()


def test_a_new_installation_starts(database_url: str, tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home", database=database_url)
    database = Database(database_url)
    assert _upgrade(settings, database) is None
    assert current_revision(database) == head_revision()
    with database.write() as session:
        session.add(Counter(name="a", value=1))
    assert _upgrade(settings, database) is None
    database.close()


def test_a_home_folder_that_does_not_exist_is_created(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "new" / "home")
    database = Database(settings.database_url)
    assert _upgrade(settings, database) is None
    assert current_revision(database) == head_revision()
    assert (settings.home / "tuban.db").is_file()
    database.close()
