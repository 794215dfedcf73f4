"""A move from SQLite and files to PostgreSQL and S3, and back, keeps every row and object."""

from __future__ import annotations

import datetime as dt
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from cli.main import main
from configs.service import ServiceSettings
from errors import SettingsError
from store.alerts.audit import audit_alerts
from store.backup.move import move
from store.backup.safe_migration import check_not_empty_beside_data
from store.jobs.processes import record_heartbeat
from store.objects.factory import open_object_store
from store.objects.object_store import ObjectStore
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Area, Base
from tests.databases import embedded_database
from tests.store.alerts.test_transitions import three_steps
from tests.store.backup.filled_service import FILES, NOW, files
from tests.store.schema.test_migrate import count_and_fill

LATER = NOW + dt.timedelta(hours=1)


@pytest.fixture
def embedded(tmp_path: Path) -> ServiceSettings:
    """An embedded service with rows in every table, logs of alerts, and objects."""
    settings = ServiceSettings(home=tmp_path / "home")
    database = embedded_database(settings.home / "tuban.db")
    three_steps(database)
    for number in (11, 12):
        count_and_fill(database, number)
    database.close()
    for key, content in FILES.items():
        open_object_store(settings).put(key, content)
    return settings


@pytest.fixture
def served(tmp_path: Path, postgresql_url: str, s3_endpoint: str) -> ServiceSettings:
    """Settings of an empty service on PostgreSQL and S3, with the same home folder."""
    return ServiceSettings(
        home=tmp_path / "home", database=postgresql_url, objects="s3://tuban/prefix", s3_endpoint=s3_endpoint
    )


@pytest.fixture
def returned(tmp_path: Path) -> ServiceSettings:
    """Settings of an empty embedded service."""
    return ServiceSettings(home=tmp_path / "returned")


class _Databases:
    """Opens and closes the databases of settings."""

    def __init__(self) -> None:
        self.opened: list[Database] = []

    def __call__(self, settings: ServiceSettings) -> tuple[Database, ObjectStore]:
        database = Database(settings.database_url)
        self.opened.append(database)
        return database, open_object_store(settings)


@pytest.fixture
def of() -> Iterator[_Databases]:
    databases = _Databases()
    yield databases
    for database in databases.opened:
        database.close()


def raw_rows(settings: ServiceSettings) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of a SQLite database as stored, with the type of each value."""
    tables = (*Base.metadata.tables, "alembic_version")
    with closing(sqlite3.connect(settings.home / "tuban.db")) as connection:
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    return {
        name: sorted((tuple((type(value).__name__, value) for value in row) for row in found), key=repr)
        for name, found in rows.items()
    }


def test_sqlite_to_postgresql_to_sqlite_is_identical(
    embedded: ServiceSettings, served: ServiceSettings, returned: ServiceSettings, of: _Databases
) -> None:
    before = raw_rows(embedded)
    assert min(len(rows) for rows in before.values()) >= 1
    there = move(*of(embedded), *of(served), now=LATER)
    assert there.rows == {name: len(rows) for name, rows in before.items() if name != "alembic_version"}
    assert (there.objects, there.copied) == (3, 3)
    assert (there.alerts, there.transitions) == (len(before["alerts"]), len(before["transitions"]))
    assert raw_rows(embedded) == before, "the source is not changed"
    database, _ = of(served)
    with database.write() as session:  # sequences continue
        highest = max(session.scalars(select(Area.id)))
        outline = session.scalars(select(Area.outline).limit(1)).one()
        added = Area(code="419999", name="", level="county", loaded_at=NOW, **bounds_of(outline))
        session.add(added)
        session.flush()
        assert added.id == highest + 1
        session.delete(added)
    back = move(*of(served), *of(returned), now=LATER)
    assert back.rows == there.rows
    assert raw_rows(returned) == before
    assert files(returned) == FILES


def test_an_interrupted_move_resumes_and_verifies_what_is_there(
    embedded: ServiceSettings, returned: ServiceSettings, of: _Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(part: str, fraction: float) -> None:
        if part == "Comparing rows" and fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(*of(embedded), *of(returned), now=LATER, progress=interrupt)
    assert not any(rows for name, rows in raw_rows(returned).items() if name != "alembic_version")
    database, objects = of(returned)
    with pytest.raises(
        SettingsError, match="is empty, but the object store"
    ):  # the service does not start with half of it
        check_not_empty_beside_data(returned, database, objects)
    (Path(returned.objects_url) / "scenes/ab/abc.tif").write_bytes(b"cut off")
    summary = move(*of(embedded), *of(returned), now=LATER)
    assert (summary.objects, summary.copied) == (3, 1)
    assert raw_rows(returned) == raw_rows(embedded)
    assert files(returned) == FILES


def test_a_copy_that_differs_is_not_committed(
    embedded: ServiceSettings, returned: ServiceSettings, of: _Databases
) -> None:
    database, objects = of(returned)
    upgrade(database)
    with database.write() as session:
        session.execute(
            text("CREATE TRIGGER change AFTER INSERT ON areas BEGIN UPDATE areas SET name = 'x' WHERE id = new.id; END")
        )
    with pytest.raises(
        SettingsError, match=r"table areas has .* rows and its copy .* values differ; nothing was written"
    ):
        move(*of(embedded), database, objects, now=LATER)
    assert not any(rows for name, rows in raw_rows(returned).items() if name != "alembic_version")


def test_a_move_needs_a_stopped_service_and_an_empty_database(
    embedded: ServiceSettings, returned: ServiceSettings, of: _Databases
) -> None:
    database, objects = of(embedded)
    move(database, objects, *of(returned), now=LATER)
    with pytest.raises(SettingsError, match=r"is not empty: its table \w+ has rows"):
        move(database, objects, *of(returned), now=LATER)
    with database.write() as session:
        record_heartbeat(session, "host:7:worker", "worker", LATER)
    with pytest.raises(SettingsError, match=r"host:7:worker.*stop it first"):
        move(database, objects, *of(returned), now=LATER)


def test_the_command_moves_to_the_database_of_the_settings(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ServiceSettings(home=tmp_path / "home")
    database = embedded_database(settings.home / "tuban.db")
    three_steps(database)
    audit = audit_alerts(database)
    assert audit.intact
    database.close()
    monkeypatch.setenv("TUBAN_HOME", str(settings.home))
    monkeypatch.setenv("TUBAN_LIMITS__FREE_DISK_MIB", "0")

    def tuban_move(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tuban", "move", *arguments])
        with pytest.raises(SystemExit) as exit_info:
            main()
        captured = capsys.readouterr()
        return int(exit_info.value.code or 0), captured.out + captured.err

    code, output = tuban_move()
    assert code == 2
    assert "Set TUBAN_DATABASE to the new one" in output
    monkeypatch.setenv("TUBAN_DATABASE", postgresql_url)
    code, output = tuban_move()
    assert code == 0, output
    assert f"logs of {audit.alerts} alerts with {audit.transitions} transitions" in output
    target = Database(postgresql_url)
    assert audit_alerts(target) == audit
    with target.read() as session:
        assert session.scalars(select(AlertRow.number)).all()
    target.close()
