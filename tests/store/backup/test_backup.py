"""A restored backup equals the original, row by row and byte by byte, and damaged backups are detected."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import sqlite3
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from shapely import box
from sqlalchemy import create_engine, select, text

from configs.service import ServiceSettings
from errors import OutputError, SettingsError
from store.backup.archive import ArchiveError, verify
from store.backup.backup import STALE_PROCESS_SECONDS, backup, restore
from store.jobs.processes import record_heartbeat
from store.objects.factory import open_object_store
from store.schema.database import Database
from store.schema.migrate import check_current, downgrade, head_revision, upgrade
from store.schema.outlines import bounds_of
from store.schema.tables import Area, Base, Counter, Feature, Job, Layer

NOW = dt.datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=dt.UTC)
FILES = {"scenes/ab/abc.tif": bytes(range(256)) * 5000, "evidence/1/before.png": b"before", "received/x": b""}


def fill(settings: ServiceSettings) -> None:
    """Fill an empty service with rows and objects."""
    database = Database(settings.database_url)
    upgrade(database)
    with database.write() as session:
        for number in range(3):
            outline = box(113 + number, 34, 114 + number, 35)
            session.add(Area(code=f"41012{number}", name="中牟县", level="county", loaded_at=NOW, **bounds_of(outline)))
        session.add(Layer(name="批文", kind="approval", dated=NOW.date(), loaded_at=NOW))
        session.flush()
        session.add(Feature(layer_id=1, attributes={"面积": 1.5}, valid_to=None, **bounds_of(box(113, 34, 114, 35))))
        session.add(Job(kind="a", queue="scan", payload={"n": [1]}, unique_key="a", run_after=NOW, created_at=NOW))
        session.add(Counter(name="alerts", value=2**40))
    database.close()
    objects = open_object_store(settings)
    for key, content in FILES.items():
        objects.put(key, content)


def rows(settings: ServiceSettings) -> dict[str, list[Any]]:
    """Return all rows of all tables."""
    database = Database(settings.database_url)
    with database.read() as session:
        content = {
            name: [tuple(map(repr, row)) for row in session.execute(select(table).order_by(*table.primary_key))]
            for name, table in Base.metadata.tables.items()
        }
    database.close()
    return content


def files(settings: ServiceSettings) -> dict[str, bytes]:
    objects = open_object_store(settings)
    return {key: objects.read(key) for key in objects.keys("")}


@pytest.fixture(params=["sqlite", "postgresql", "postgresql+s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceSettings:
    """A service with data, for each combination of database and object store."""
    options: dict[str, Any] = {"home": tmp_path / "home"}
    if request.param.startswith("postgresql"):
        options["database"] = request.getfixturevalue("postgresql_url")
    if request.param.endswith("s3"):
        options["objects"] = "s3://tuban/prefix"
        options["s3_endpoint"] = request.getfixturevalue("s3_endpoint")
    settings = ServiceSettings(**options)
    fill(settings)
    return settings


def delete_all(settings: ServiceSettings) -> None:
    """Delete the database and the objects."""
    if settings.database:
        database = Database(settings.database_url)
        downgrade(database, "base")
        with database.write() as session:
            session.execute(text("DROP TABLE alembic_version"))
        database.close()
    objects = open_object_store(settings)
    for key in list(objects.keys("")):
        objects.delete(key)
    shutil.rmtree(settings.home, ignore_errors=True)


@pytest.fixture
def embedded(tmp_path: Path) -> ServiceSettings:
    """An embedded service with data."""
    settings = ServiceSettings(home=tmp_path / "home")
    fill(settings)
    return settings


@pytest.fixture
def archive(embedded: ServiceSettings, tmp_path: Path) -> Path:
    """A backup of the embedded service."""
    backup(embedded, tmp_path / "backup.tar", now=NOW)
    return tmp_path / "backup.tar"


def other(settings: ServiceSettings, tmp_path: Path) -> ServiceSettings:
    """Return settings of an empty service in another home."""
    return settings.model_copy(update={"home": tmp_path / "other"})


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


def _flip(path: Path, data: bytes) -> None:
    """Flip a bit in the first occurrence of ``data``."""
    content = path.read_bytes()
    offset = content.index(data)
    path.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])


def _rewrite(path: Path, change: Any) -> None:
    """Rewrite an archive with the members that ``change`` returns for each member."""
    with tarfile.open(path) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as tar:
        for member, content in members:
            for new_member, new_content in change(member, content):
                new_member.size = len(new_content)
                tar.addfile(new_member, io.BytesIO(new_content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: _flip(p, FILES["scenes/ab/abc.tif"][:512]), "scenes/ab/abc.tif does not match its manifest"),
        (lambda p: _flip(p, b"CREATE TABLE scenes"), "database does not match its manifest"),
        (lambda p: p.write_bytes(p.read_bytes()[:100_000]), "damaged|incomplete"),
        (lambda p: p.write_bytes(b"not a tar" * 1000), "not a backup of Tuban"),
        (lambda p: p.write_bytes(b""), "not a backup of Tuban|incomplete"),
        (lambda p: p.unlink(), "does not exist"),
        (
            lambda p: _rewrite(p, lambda m, c: [] if m.name.endswith("abc.tif") else [(m, c)]),
            "does not match its manifest",
        ),
        (lambda p: _rewrite(p, lambda m, c: [] if m.name == "manifest.json" else [(m, c)]), "is incomplete"),
        (lambda p: _rewrite(p, lambda m, c: [(m, c), (m, c)]), "is damaged"),
        (
            lambda p: _rewrite(p, lambda m, c: [(m, c.replace(b'"format": 1', b'"format": 2'))]),
            "not supported by this version",
        ),
    ],
    ids=[
        "object",
        "database",
        "truncated",
        "other",
        "empty",
        "missing",
        "without a file",
        "without manifest",
        "duplicated",
        "newer",
    ],
)
def test_a_damaged_backup_is_reported_before_anything_is_written(
    embedded: ServiceSettings, archive: Path, tmp_path: Path, damage: Any, message: str
) -> None:
    damage(archive)
    target = other(embedded, tmp_path)
    with pytest.raises(ArchiveError, match=message) as caught:
        restore(target, archive, now=NOW)
    assert "\n" not in str(caught.value)
    assert not target.home.exists()


@pytest.mark.parametrize("name", ["../outside", "objects/../../outside", "/etc/outside", "objects/.hidden", "other"])
def test_an_archive_with_unsafe_names_is_rejected(archive: Path, name: str) -> None:
    def rename(member: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if member.name.endswith("abc.tif"):
            member.name = name
        return [(member, content)]

    _rewrite(archive, rename)
    with pytest.raises(ArchiveError, match="was not created by Tuban"):
        verify(archive)


def test_an_archive_with_a_link_is_rejected(archive: Path) -> None:
    def link(member: tarfile.TarInfo, content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if member.name.endswith("abc.tif"):
            member.type, member.linkname, content = tarfile.SYMTYPE, "/etc/passwd", b""
        return [(member, content)]

    _rewrite(archive, link)
    with pytest.raises(ArchiveError, match="is not a regular file"):
        verify(archive)


def test_a_backup_of_an_unknown_revision_is_rejected(embedded: ServiceSettings, archive: Path, tmp_path: Path) -> None:
    _rewrite(archive, lambda m, c: [(m, c.replace(f'"revision": "{head_revision()}"'.encode(), b'"revision": "9999"'))])
    with pytest.raises(SettingsError, match="revision 9999, which this version of Tuban does not know"):
        restore(other(embedded, tmp_path), archive, now=NOW)


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


@pytest.fixture
def served(postgresql_url: str, tmp_path: Path) -> ServiceSettings:
    """A service on PostgreSQL with data."""
    settings = ServiceSettings(home=tmp_path / "home", database=postgresql_url)
    fill(settings)
    return settings


def test_the_message_about_missing_pg_dump_says_what_to_install(
    served: ServiceSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"pg_dump is not installed; .*postgresql-client"):
        backup(served, tmp_path / "backup.tar", now=NOW)
    assert not (tmp_path / "backup.tar").exists()


def test_tables_of_other_programs_in_the_same_database_are_left_alone(served: ServiceSettings, tmp_path: Path) -> None:
    engine = create_engine(served.database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE layer_styles (id INTEGER)"))
        connection.execute(text("INSERT INTO layer_styles VALUES (1)"))
    backup(served, tmp_path / "backup.tar", now=NOW)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO layer_styles VALUES (2)"))
    restore(served, tmp_path / "backup.tar", overwrite=True, now=NOW)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM layer_styles ORDER BY id")).scalars().all() == [1, 2]
    engine.dispose()


def test_an_unprivileged_user_can_restore_to_a_database_with_postgis(served: ServiceSettings, tmp_path: Path) -> None:
    """The spatial index is restored too."""
    backup(served, tmp_path / "backup.tar", now=NOW)
    delete_all(served)
    administrator = create_engine(served.database_url, isolation_level="AUTOCOMMIT")
    name = f"{administrator.url.database}_user"
    with administrator.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'p@ss/word'"))
        connection.execute(text(f"GRANT ALL ON SCHEMA public TO {name}"))
    url = administrator.url.set(username=name, password="p@ss/word").render_as_string(hide_password=False)
    try:
        restore(ServiceSettings(home=tmp_path / "other", database=url), tmp_path / "backup.tar", now=NOW)
        with administrator.connect() as connection:
            owners = connection.execute(text("SELECT tableowner FROM pg_tables WHERE tablename = 'alerts'")).scalars()
            assert owners.all() == [name]
            found = connection.execute(text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_alerts_outline'"))
            assert "USING gist" in found.scalar_one()
    finally:
        with administrator.connect() as connection:
            connection.execute(text(f"DROP OWNED BY {name} CASCADE"))
            connection.execute(text(f"DROP ROLE {name}"))
        administrator.dispose()


def test_a_failed_pg_restore_leaves_the_database_unchanged(served: ServiceSettings, tmp_path: Path) -> None:
    backup(served, tmp_path / "backup.tar", now=NOW)
    engine = create_engine(served.database_url)
    with engine.begin() as connection:  # depends on a table that would be replaced
        connection.execute(text("CREATE VIEW counties AS SELECT code FROM areas"))
    before = rows(served)
    with pytest.raises(SettingsError, match=r"pg_restore failed: .*counties") as caught:
        restore(served, tmp_path / "backup.tar", overwrite=True, now=NOW)
    assert "\n" not in str(caught.value)
    engine.dispose()
    assert rows(served) == before


def test_the_archive_is_a_plain_tar(archive: Path) -> None:
    listed = subprocess.run(["tar", "-tf", str(archive)], capture_output=True, text=True, check=True).stdout.split()
    assert listed == [*(f"objects/{key}" for key in sorted(FILES)), "database", "manifest.json"]
