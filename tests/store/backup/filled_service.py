"""A service with rows and object files, to be backed up."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from shapely import box
from sqlalchemy import select, text

from configs.service import ServiceSettings
from store.objects.factory import open_object_store
from store.schema.database import Database
from store.schema.migrate import downgrade
from store.schema.outlines import bounds_of
from store.schema.tables import Area, Base, Batch, Counter, Feature, Job, Layer
from tests.databases import embedded_database

NOW = dt.datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=dt.UTC)
FILES = {"scenes/ab/abc.tif": bytes(range(256)) * 5000, "evidence/1/before.png": b"before", "received/x": b""}


def fill(settings: ServiceSettings) -> None:
    """Fill a service with rows and objects: a new embedded one, or one whose database on a server has all tables."""
    database = Database(settings.database_url) if settings.database else embedded_database(settings.home / "tuban.db")
    with database.write() as session:
        for number in range(3):
            outline = box(113 + number, 34, 114 + number, 35)
            session.add(Area(code=f"41012{number}", name="中牟县", level="county", loaded_at=NOW, **bounds_of(outline)))
        session.add(Layer(name="批文", kind="approval", dated=NOW.date(), loaded_at=NOW))
        session.flush()
        session.add(Feature(layer_id=1, attributes={"面积": 1.5}, valid_to=None, **bounds_of(box(113, 34, 114, 35))))
        session.add(Batch(area_code="410120", name="十一月", origin="upload", state="done", created_at=NOW))
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
    """Return the content of all objects by key."""
    objects = open_object_store(settings)
    return {key: objects.read(key) for key in objects.keys("")}


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


def other(settings: ServiceSettings, tmp_path: Path) -> ServiceSettings:
    """Return settings of an empty service in another home."""
    return settings.model_copy(update={"home": tmp_path / "other"})
