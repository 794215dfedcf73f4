"""A short run of ``tests/workers/runtime/chaos.py`` with each broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.runtime.chaos import prepare_run, run


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["files", "redis", "rabbitmq"])
def test_every_job_has_its_effect_exactly_once_despite_killed_workers(
    broker: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = "" if broker == "files" else str(request.getfixturevalue("postgresql_url"))
    with prepare_run(tmp_path, broker, database, jobs=10, kill_every=6) as chaos:
        run(chaos)
        assert {"a worker", "a child"} <= set(chaos.log)
