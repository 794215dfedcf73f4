"""The short form of ``tests/workers/runtime/chaos.py`` over each broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.runtime.chaos import made, run


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["files", "redis", "rabbitmq"])
def test_whatever_dies_every_job_is_done_and_every_effect_is_there_once(
    broker: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = "" if broker == "files" else str(request.getfixturevalue("postgresql_url"))
    with made(tmp_path, broker, database, jobs=10, kill_every=6) as prepared:
        run(prepared)
        assert {"a worker", "a child"} <= set(prepared.told)
