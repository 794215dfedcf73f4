"""A restore drill finds what a backup lacks, and leaves the running service as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from configs.service import ServiceSettings
from errors import SettingsError
from store.access.audit_log import record_action
from store.backup.backup import backup
from store.backup.drill import DrillResult, restore_drill
from store.schema.database import Database
from store.schema.user_tables import Action
from tests.store.backup.filled_service import FILES, NOW, files, rows


def add_actions(settings: ServiceSettings, *logins: str) -> None:
    database = Database(settings.database_url)
    with database.write() as session:
        for login in logins:
            record_action(session, who=login, what="signed_in", now=NOW)
    database.close()


def drill(settings: ServiceSettings, archive: Path, folder: Path, database_url: str = "") -> DrillResult:
    folder.mkdir(exist_ok=True)
    result = restore_drill(settings, archive, folder=folder, database_url=database_url, now=NOW)
    assert list(folder.iterdir()) == [], "the scratch home is deleted"
    return result


def test_a_good_backup_has_no_problem_and_the_service_is_unchanged(embedded: ServiceSettings, tmp_path: Path) -> None:
    add_actions(embedded, "li", "wang")
    backup(embedded, tmp_path / "backup.tar", now=NOW)
    add_actions(embedded, "zhang")
    before = rows(embedded)
    result = drill(embedded, tmp_path / "backup.tar", tmp_path / "scratch")
    assert (result.problems, result.summary.objects) == ([], len(FILES))
    assert (result.rows["areas"], result.rows["actions"]) == ((3, 3), (2, 3))
    assert (rows(embedded), files(embedded)) == (before, FILES)


def test_rows_that_the_service_has_lost_since_are_a_problem(embedded: ServiceSettings, tmp_path: Path) -> None:
    add_actions(embedded, "li", "wang")
    backup(embedded, tmp_path / "backup.tar", now=NOW)
    database = Database(embedded.database_url)
    with database.write() as session:
        session.execute(delete(Action).where(Action.who == "li"))
    database.close()
    (problem,) = drill(embedded, tmp_path / "backup.tar", tmp_path / "scratch").problems
    assert problem == "actions: the backup has 2 rows and the running service only 1"


def test_postgresql_needs_a_database_of_its_own(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path, database="postgresql+psycopg://tuban@127.0.0.1/tuban")
    for url in ("", settings.database):
        with pytest.raises(SettingsError, match="database with PostGIS of its own"):
            restore_drill(settings, tmp_path / "backup.tar", folder=None, database_url=url, now=NOW)
