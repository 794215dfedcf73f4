"""Fixtures of the backup tests: services with data, and a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.service import ServiceSettings
from store.backup.backup import backup
from tests.store.backup.filled_service import NOW, fill


@pytest.fixture(params=["sqlite", "postgresql", "postgresql+s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceSettings:
    """A service with data, for each combination of database and object store."""
    options: dict[str, Any] = {"home": tmp_path / "home"}
    if request.param.startswith("postgresql"):
        options["database"] = request.getfixturevalue("migrated_postgresql_url")
    if request.param.endswith("s3"):
        options["objects"] = "s3://tuban/prefix"
        options["s3_endpoint"] = request.getfixturevalue("s3_endpoint")
    settings = ServiceSettings(**options)
    fill(settings)
    return settings


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


@pytest.fixture
def served(migrated_postgresql_url: str, tmp_path: Path) -> ServiceSettings:
    """A service on PostgreSQL with data."""
    settings = ServiceSettings(home=tmp_path / "home", database=migrated_postgresql_url)
    fill(settings)
    return settings
