"""Transactions are atomic on both databases, writers wait for each other, and lost connections are replaced."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from shapely import box
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import IntegrityError

from errors import SettingsError
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import Counter, Feature, Layer, Transition

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


def _count(database: Database, name: str) -> int:
    with database.read() as session:
        return session.scalar(select(Counter.value).where(Counter.name == name)) or 0


@pytest.fixture
def counted(database: Database) -> Database:
    """A database with one counter at 0."""
    with database.write() as session:
        session.add(Counter(name="alerts", value=0))
    return database


def test_a_committed_transaction_persists(counted: Database) -> None:
    with counted.write() as session:
        counter = session.get(Counter, "alerts")
        assert counter is not None
        counter.value = 7
    assert _count(counted, "alerts") == 7


def test_a_failed_transaction_is_rolled_back(counted: Database) -> None:
    def fail(name: str) -> None:
        with counted.write() as session:
            session.add(Counter(name="other", value=1))
            session.flush()
            session.add(Counter(name=name, value=1))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail("another")
    with pytest.raises(IntegrityError):
        fail("alerts")  # exists already
    assert _count(counted, "other") == 0


def test_changes_in_a_read_transaction_are_not_committed(counted: Database) -> None:
    with counted.read() as session:
        session.add(Counter(name="other", value=1))
        session.flush()
    assert _count(counted, "other") == 0


def test_a_reader_sees_one_snapshot(counted: Database) -> None:
    with counted.read() as reader:
        seen = reader.scalar(select(func.count()).select_from(Counter))
        with counted.write() as writer:
            writer.add(Counter(name="other", value=1))
        assert reader.scalar(select(func.count()).select_from(Counter)) == seen
    assert _count(counted, "other") == 1


def test_a_row_that_refers_to_a_missing_row_is_rejected(database: Database) -> None:
    step = Transition(alert_id=99, sequence=1, at=NOW, who="a", role="b", from_state="", to_state="new")
    step.previous_hash = step.hash = ""
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(step)


def test_deleting_a_layer_deletes_its_features(database: Database) -> None:
    with database.write() as session:
        session.add(Layer(name="plan", kind="plan", loaded_at=NOW))
        session.flush()
        session.add(Feature(layer_id=1, **bounds_of(box(113, 34, 114, 35))))
    with database.write() as session:
        session.delete(session.get(Layer, 1))
    with database.read() as session:
        assert session.scalars(select(Feature)).all() == []


def test_writers_on_sqlite_wait_for_each_other(sqlite: Database) -> None:
    """Each reads before it writes, which deadlocks with SQLite's default transactions."""
    with sqlite.write() as session:
        session.add(Counter(name="alerts", value=0))
    barrier = threading.Barrier(2)

    def count_up() -> None:
        barrier.wait()
        for _ in range(25):
            with sqlite.write() as session:
                counter = session.get(Counter, "alerts")
                assert counter is not None
                counter.value += 1

    writers = [threading.Thread(target=count_up) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert _count(sqlite, "alerts") == 50


def test_a_reader_on_sqlite_does_not_wait_for_a_writer(sqlite: Database) -> None:
    with sqlite.write() as session:
        session.add(Counter(name="alerts", value=1))
        session.flush()
        assert _count(sqlite, "alerts") == 0
    assert _count(sqlite, "alerts") == 1


def test_connections_of_the_engine_begin_transactions_too(postgresql: Database) -> None:
    """Migrations and dumps use them."""
    with postgresql.engine.connect() as connection:
        connection.execute(text("INSERT INTO counters (name, value) VALUES ('a', 1)"))
        connection.rollback()
        connection.execute(text("INSERT INTO counters (name, value) VALUES ('b', 1)"))
        connection.commit()
    with postgresql.engine.begin() as connection:
        assert connection.scalars(text("SELECT name FROM counters")).all() == ["b"]
    with postgresql.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM counters"))


def test_a_connection_closed_by_the_server_is_replaced(postgresql: Database) -> None:
    other = create_engine(postgresql.url, isolation_level="AUTOCOMMIT")
    with postgresql.read() as session:
        first = session.scalar(text("SELECT pg_backend_pid()"))
    with other.connect() as connection:
        assert connection.scalar(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": first})
    with postgresql.write() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != first
    other.dispose()


def test_statements_of_concurrent_threads_are_cached() -> None:
    """If the class of a kind of statement were made by two threads at once, the process would never cache one."""
    code = """
import store.schema.database
from sqlalchemy import Delete, Insert, Update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.annotation import annotated_classes
made = [annotated_classes[kind] for kind in (Insert, Update, Delete, postgresql.Insert, sqlite.Insert)]
print([kind.__name__ for kind in made if "inherit_cache" not in vars(kind) and "_traverse_internals" not in vars(kind)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql+psycopg://tuban:secret@127.0.0.1:1/tuban", "Connection refused"),
        ("postgresql+psycopg://tuban:secret@127.0.0.1/tuban?nonsense=1", "nonsense"),
        ("postgresql+psycopg://tuban:secret@127.0.0.1:port/tuban", "URL is invalid"),
        ("sqlite:////proc/tuban.db", "unable to open database file"),
    ],
)
def test_an_unusable_database_is_reported_in_one_line_without_its_password(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Database(url).check()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "tuban.db").write_text("not a database" * 100)
    with pytest.raises(SettingsError, match="file is not a database"):
        Database(f"sqlite:///{tmp_path / 'tuban.db'}").check()


def test_a_database_on_a_read_only_disk_is_reported(small_disk: Path) -> None:
    database = Database(f"sqlite:///{small_disk / 'tuban.db'}")
    database.check()
    database.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SettingsError, match="cannot be reached"):
        database.check()
    database.close()
