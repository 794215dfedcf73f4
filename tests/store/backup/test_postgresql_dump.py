"""Backups of PostgreSQL databases with pg_dump and pg_restore."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from configs.service import ServiceSettings
from errors import SettingsError
from store.backup.backup import backup, restore
from tests.store.backup.filled_service import NOW, delete_all, rows


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
