"""Migrations run up, down and up again, keep the data, and create geometry columns that QGIS finds."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from errors import SettingsError
from store.schema import migrate
from store.schema.database import Database, Session
from store.schema.migrate import check_current, current_revision, downgrade, head_revision, upgrade
from store.schema.outlines import bounds_of
from store.schema.tables import Area, Base, Counter, Job, Night

EMPTIED = {"0008": {"failed_sign_ins"}}
"""Tables that a revision empties on purpose: failed sign-ins only delay the next ones, for a day."""

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
REVISIONS = [
    script.revision
    for script in reversed(
        list(ScriptDirectory(str(Path(migrate.__file__).parents[1] / "migrations")).walk_revisions())
    )
]


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """A database of each kind without tables."""
    database = Database(database_url)
    yield database
    database.close()


def _tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names()) - {"spatial_ref_sys"}


def _reflect(connection: sa.Connection) -> sa.MetaData:
    found = sa.MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)  # SQLAlchemy does not know PostGIS' type
        found.reflect(connection, only=lambda name, _: name not in ("spatial_ref_sys", "alembic_version"))
    return found


def _value(column: sa.Column[Any], number: int, dialect: str) -> Any:
    """A value that fits a column of any revision."""
    if column.foreign_keys:
        key = next(iter(column.foreign_keys)).column
        return sa.select(sa.func.max(key)).select_from(key.table).scalar_subquery()
    if column.name == "outline":
        outline = shapely.to_wkb(shapely.box(113, 34, 114, 35 + number))
        return sa.func.ST_GeomFromWKB(outline, 4490) if dialect == "postgresql" else outline
    fitting: tuple[tuple[type, Any], ...] = (
        (sa.Boolean, True),
        (sa.Integer, number),
        (sa.Float, number + 0.5),
        (sa.String, str(number)),
        (sa.JSON, {"number": number}),
        (sa.DateTime, NOW if dialect == "postgresql" else NOW.replace(tzinfo=None)),
        (sa.Date, NOW.date() + dt.timedelta(days=number)),
    )
    return next(value for kind, value in fitting if isinstance(column.type, kind))


def _count(session: Session, tables: Mapping[str, sa.Table]) -> dict[str, int]:
    return {name: session.scalar(select(sa.func.count()).select_from(table)) or 0 for name, table in tables.items()}


def count_and_fill(database: Database, number: int) -> tuple[dict[str, int], dict[str, int]]:
    """Add one row to every table of the database's current revision; return the numbers of rows before and after."""
    with database.write() as session:
        dialect, found = session.connection().dialect.name, _reflect(session.connection())
        before = _count(session, found.tables)
        for table in found.sorted_tables:
            session.execute(table.insert().values({c.name: _value(c, number, dialect) for c in table.columns}))
        return before, _count(session, found.tables)


def test_an_empty_database_is_upgraded_downgraded_and_upgraded_again(empty: Database) -> None:
    assert current_revision(empty) is None
    upgrade(empty)
    assert current_revision(empty) == head_revision()
    assert _tables(empty) == {*Base.metadata.tables, "alembic_version"}
    downgrade(empty, "base")
    assert current_revision(empty) is None
    assert _tables(empty) == {"alembic_version"}
    upgrade(empty)
    assert _tables(empty) == {*Base.metadata.tables, "alembic_version"}


def test_upgrading_a_current_database_changes_nothing(database: Database) -> None:
    with database.write() as session:
        session.add(Counter(name="alerts", value=3))
    upgrade(database)
    with database.read() as session:
        assert session.scalars(select(Counter.value)).one() == 3


def test_the_migrated_schema_matches_the_declared_tables(database: Database) -> None:
    """If this fails, tables.py was changed without a revision, or a revision does not match tables.py."""
    with database.engine.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    unexpected = [
        d
        for d in differences
        if not (d[0] == "remove_table" and d[1].name == "spatial_ref_sys")
        and not (d[0] == "remove_index" and d[1].name == f"ix_{d[1].table.name}_outline")  # GiST, PostgreSQL's alone
    ]
    assert unexpected == []


def test_data_survives_every_revision(empty: Database) -> None:
    """A revision that drops, renames or empties a table on purpose must be listed in EMPTIED."""
    filled: dict[str, int] = {}
    for number, revision in enumerate(REVISIONS, 1):
        before = filled
        upgrade(empty, revision)
        after, filled = count_and_fill(empty, number)
        emptied = EMPTIED.get(revision, set())
        assert {table: after[table] for table in emptied} == dict.fromkeys(emptied, 0)
        assert {table: after.get(table) for table in before if table not in emptied} == {
            table: rows for table, rows in before.items() if table not in emptied
        }
        if number == 1:
            first = set(filled)
    assert set(filled) == set(Base.metadata.tables)
    assert min(filled.values()) >= 1
    downgrade(empty, REVISIONS[0])
    upgrade(empty)
    with empty.read() as session:
        kept = _count(session, _reflect(session.connection()).tables)
    surviving = first.difference(*EMPTIED.values())
    assert {table: kept[table] for table in surviving} == {table: filled[table] for table in surviving}


def test_rows_are_written_to_and_read_from_migrated_tables(database: Database) -> None:
    outline = shapely.box(113, 34, 114, 35)
    with database.write() as session:
        session.add(Area(code="410122", name="中牟县", level="county", loaded_at=NOW, **bounds_of(outline)))
        session.add(Job(kind="scan", queue="scan", payload={"a": [1]}, unique_key="x", run_after=NOW, created_at=NOW))
    with database.read() as session:
        assert session.scalars(select(Area)).one().outline.equals(outline)
        assert session.scalars(select(Job)).one().payload == {"a": [1]}


def test_counters_and_summaries_are_renamed_to_alert_and_keep_their_values(empty: Database) -> None:
    upgrade(empty, "0005")
    old = {"leads": 4, "leads:330106": 5, "lead:330106:W:202611": 7, "night plans": 2}
    with empty.write() as session:
        counters = _reflect(session.connection()).tables["counters"]
        session.execute(counters.insert(), [{"name": name, "value": value} for name, value in old.items()])
        session.add(Night(day=NOW.date(), state="done", begun_at=NOW, summary={"changes": 1, "leads": {"new": 3}}))
    upgrade(empty)
    with empty.read() as session:
        values = {row.name: row.value for row in session.scalars(select(Counter))}
        assert values == {"alerts": 4, "alerts:330106": 5, "alert:330106:W:202611": 7, "night plans": 2}
        assert session.scalars(select(Night.summary)).one() == {"changes": 1, "alerts": {"new": 3}}


def test_qgis_finds_the_outlines_and_their_reference_system(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    upgrade(database)
    with database.read() as session:
        listed = session.execute(
            text("SELECT f_table_name, f_geometry_column, coord_dimension, srid FROM geometry_columns")
        ).all()
        keys = {table: inspect(session.connection()).get_pk_constraint(table) for table, *_ in listed}
        plan = session.execute(text("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'ix_%_outline'")).scalars()
        gist = {line.split(" ON public.")[1].split(" ")[0] for line in plan if "USING gist (outline)" in line}
    database.close()
    with_outline = {name for name, table in Base.metadata.tables.items() if "outline" in table.columns}
    assert {tuple(row) for row in listed} == {(name, "outline", 2, 4490) for name in with_outline}
    assert all(key["constrained_columns"] == ["id"] for key in keys.values())  # QGIS needs a single integer key
    assert gist == with_outline


def _upgrade_concurrently(url: str, barrier: Barrier) -> None:
    database = Database(url)
    migrate._known_revisions()  # imports the slow modules before the start
    barrier.wait()
    upgrade(database)
    check_current(database)
    database.close()


def test_two_processes_can_migrate_concurrently(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    processes = [spawn.Process(target=_upgrade_concurrently, args=(database_url, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


def test_a_failed_migration_changes_nothing(empty: Database) -> None:
    with empty.engine.connect().execution_options(tuban_write=True) as connection, connection.begin():
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("CREATE TABLE uncompared (other INTEGER)"))  # the last table of the first revision
    tables = _tables(empty)
    with pytest.raises(SettingsError, match="uncompared") as caught:
        upgrade(empty)
    assert "\n" not in str(caught.value)
    assert _tables(empty) == tables


def test_a_database_of_another_program_is_left_alone(empty: Database) -> None:
    with empty.write() as session:
        session.execute(text("CREATE TABLE payroll (id INTEGER)"))
    with pytest.raises(SettingsError, match=r"did not create \(payroll\); set TUBAN_DATABASE to an empty database"):
        upgrade(empty)
    assert "areas" not in _tables(empty)


def test_tables_of_postgis_extensions_are_not_mistaken_for_another_program(postgresql_url: str) -> None:
    server = sa.create_engine(postgresql_url)
    with server.begin() as connection:  # further extensions, with tables in schemas that are searched as well
        connection.execute(text("CREATE EXTENSION postgis_topology"))
        connection.execute(text("CREATE EXTENSION postgis_tiger_geocoder CASCADE"))
    server.dispose()
    database = Database(postgresql_url)
    assert {"topology", "county"} < _tables(database)
    upgrade(database)
    assert {*Base.metadata.tables} < _tables(database)
    check_current(database)
    database.close()


def test_foreign_keys_are_enforced_again_after_a_migration(empty: Database) -> None:
    upgrade(empty)
    with pytest.raises(sa.exc.IntegrityError), empty.write() as session:
        session.execute(
            text(
                "INSERT INTO batch_files (batch_id, name, size, received, state, reason) "
                "VALUES (99, 'a', 1, '', 'waiting', '')"
            )
        )


def test_the_message_about_another_revision_says_what_to_do(empty: Database) -> None:
    with pytest.raises(SettingsError, match="has no tables of Tuban yet; `tuban up` or `tuban migrate`"):
        check_current(empty)
    upgrade(empty)
    check_current(empty)
    with empty.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match=r"revision 9999, which this version of Tuban does not know"):
        check_current(empty)
    with pytest.raises(SettingsError, match="cannot be migrated to 'head'"):
        upgrade(empty)


def test_checking_a_missing_sqlite_file_does_not_create_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'home' / 'tuban.db'}")
    with pytest.raises(SettingsError, match="has no tables of Tuban yet"):
        check_current(database)
    assert not (tmp_path / "home").exists()
    upgrade(database)
    check_current(database)
    database.close()


def test_an_unknown_target_revision_is_reported(empty: Database) -> None:
    with pytest.raises(SettingsError, match="'nonsense'"):
        upgrade(empty, "nonsense")


def test_the_message_about_missing_postgis_says_what_to_do(postgresql_url: str) -> None:
    administrator = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    name = administrator.url.database
    with administrator.connect() as connection:
        connection.execute(text("DROP EXTENSION postgis"))
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'"))
        connection.execute(text(f"GRANT ALL ON SCHEMA public TO {name}"))
    url = administrator.url.set(username=name, password="secret").render_as_string(hide_password=False)
    database = Database(url)
    try:
        with pytest.raises(SettingsError, match=f"psql -d {name} -c 'CREATE EXTENSION postgis'") as caught:
            upgrade(database)
        assert "\n" not in str(caught.value)
        assert _tables(database) == set()
    finally:
        database.close()
        with administrator.connect() as connection:
            connection.execute(text(f"DROP OWNED BY {name}"))
            connection.execute(text(f"DROP ROLE {name}"))
        administrator.dispose()


def test_migrations_do_not_depend_on_the_working_directory(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / '100% home' / 'tuban.db'}"
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"from store.schema import migrate, database as d; migrate.upgrade(d.Database({url!r}))",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        check=True,
    )
    check_current(Database(url))
