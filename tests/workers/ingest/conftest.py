"""Fixtures of the ingest tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.context import Context
from tests.workers.embedded import context_in
from tests.workers.ingest.images import add_areas


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """An embedded service with two areas."""
    context = context_in(tmp_path, limits={"ingest_minutes": 5})
    add_areas(context.database)
    return context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of submitted files."""
    folder = tmp_path / "flight"
    folder.mkdir()
    return folder
