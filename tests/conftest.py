"""What several rooms' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest

import imagery  # noqa: F401  (before any test's rasterio: what GDAL may open is said once)
from tests.brokers import broker, rabbitmq_url, redis_server
from tests.databases import (
    _emptying,
    database,
    database_url,
    each_database,
    migrated_postgresql_url,
    postgis_template,
    postgresql,
    postgresql_url,
    postgresql_with_tables,
    sqlite,
    tables_template,
)
from tests.s3_server import s3_endpoint, s3_server

__all__ = [
    "_emptying",
    "broker",
    "database",
    "database_url",
    "each_database",
    "migrated_postgresql_url",
    "postgis_template",
    "postgresql",
    "postgresql_url",
    "postgresql_with_tables",
    "rabbitmq_url",
    "redis_server",
    "s3_endpoint",
    "s3_server",
    "sqlite",
    "tables_template",
]

cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def real_imagery() -> Path:
    """The folder of real imagery, or the test is skipped."""
    named = os.environ.get("TUBAN_REAL_IMAGERY")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "imagery"
    if not (folder / "README.md").exists():
        pytest.skip(f"no real imagery at {folder}; set TUBAN_REAL_IMAGERY")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Converted networks go to a folder that all processes of one test run share, never to the user's."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    os.environ["TUBAN_CACHE"] = str(base / "tuban-cache")
