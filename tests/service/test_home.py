"""Nothing that the service stores is readable by other users of the machine."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.service import ServiceSettings
from service.home import prepare_home
from store.backup.backup import backup
from store.objects.factory import open_object_store
from store.schema.database import Database
from store.schema.migrate import upgrade

NOW = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _careless_umask() -> Iterator[None]:
    """New files are readable and writable by everybody unless the program prevents it."""
    previous = os.umask(0)
    yield
    os.umask(previous)


def others_may(path: Path) -> int:
    return path.stat().st_mode & 0o007


@pytest.mark.parametrize("existing", [False, True])
def test_the_home_folder_is_closed_to_other_users(tmp_path: Path, existing: bool) -> None:
    home = tmp_path / "home"
    if existing:
        home.mkdir(mode=0o755)
    prepare_home(ServiceSettings(home=home))
    assert others_may(home) == 0
    assert home.stat().st_mode & 0o070, "the group keeps its rights"


def test_database_objects_and_backup_outside_of_home_are_closed_to_other_users(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o777)
    path = tmp_path / "data" / "tuban.db"
    settings = ServiceSettings(
        home=tmp_path / "home", database=f"sqlite:///{path}", objects=str(tmp_path / "data" / "objects")
    )
    prepare_home(settings)
    database = Database(settings.database_url)
    upgrade(database)
    with database.write():
        written = sorted(path.parent.glob("tuban.db*"))
        assert [others_may(file) for file in written] == [0] * len(written)
    database.close()
    open_object_store(settings).check()
    assert others_may(tmp_path / "data" / "objects") == 0
    out = tmp_path / "data" / "backup.tar"
    backup(settings, out, now=NOW)
    assert out.stat().st_mode & 0o077 == 0
