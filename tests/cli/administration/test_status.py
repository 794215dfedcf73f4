"""``tuban status``, ``tuban jobs`` and ``tuban revive``, and what requires a person's attention."""

from __future__ import annotations

import datetime as dt
import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.administration.jobs import ago
from cli.main import main
from store.integrity.damage import Damage, record_damage
from store.jobs.processes import record_heartbeat
from store.jobs.queue import add_job, claim, fail
from store.schema.database import Database
from tests.databases import embedded_database

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / "home"


@pytest.fixture
def kept(home: Path) -> Database:
    return embedded_database(home / "tuban.db")


def _tuban(*arguments: str) -> int:
    sys.argv = ["tuban", *arguments]
    with pytest.raises(SystemExit) as exit_info:
        main()
    return int(exit_info.value.code or 0)


def _dead_job(database: Database) -> int:
    with database.write() as session:
        job = add_job(session, kind="scan.prepare", queue="scan", payload={"scan_id": 7}, unique_key="k", now=NOW)
        assert job is not None
        claimed = claim(session, job, "host:1:2", NOW, 60)
        assert claimed is not None
        assert fail(session, claimed, "the [disk] is full", NOW, 1, ()) == "dead"
    return job


def test_before_the_first_start_the_message_names_tuban_up(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _tuban("status") == 2
    assert "tuban up" in capsys.readouterr().err
    assert not home.exists()


def _run_all_parts(database: Database) -> None:
    with database.write() as session:
        for name, part in (("host:1:scan", "worker"), ("host:2:schedule", "schedule")):
            record_heartbeat(session, name, part, dt.datetime.now(dt.UTC))  # type: ignore[arg-type]


def test_a_running_idle_service_exits_with_0(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    _run_all_parts(kept)
    assert _tuban("status") == 0
    printed = capsys.readouterr().out
    assert "1 worker, 1 schedule" in printed
    assert f"Tuban {version('tuban')}." in printed


def test_a_service_without_workers_or_schedule_needs_a_person(
    kept: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _tuban("status") == 1
    printed = capsys.readouterr().out
    assert "No worker was seen" in printed
    assert "The schedule was not seen" in printed
    _run_all_parts(kept)
    assert _tuban("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["processes"] == {"worker": 1, "schedule": 1}


def test_a_dead_job_is_listed_with_its_error_and_revived(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    job = _dead_job(kept)
    assert _tuban("status", "--json") == 1
    status = json.loads(capsys.readouterr().out)
    assert status["dead_jobs"] == [{"id": job, "kind": "scan.prepare", "error": "the [disk] is full"}]
    _tuban("jobs")
    listed = capsys.readouterr().out
    assert "the [disk] is full" in listed
    assert "scan_id=7" in listed
    assert _tuban("revive", str(job)) == 0
    assert "1 revived" in capsys.readouterr().out
    assert _tuban("revive", str(job)) == 2
    assert f"Not dead, or no such job: {job}" in capsys.readouterr().err


def test_revive_without_numbers_is_an_error(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert _tuban("revive") == 2
    assert "--all" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (90, "2 min"), (7200, "2 h"), (200_000, "2 d"), (-300, "in 5 min")]
)
def test_times_are_formatted_in_one_unit(seconds: float, text: str) -> None:
    assert ago(NOW - dt.timedelta(seconds=seconds), NOW) == text


def test_damaged_objects_need_a_person(kept: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with kept.write() as session:
        record_damage(session, Damage("scenes/a.tif", "missing", "The object scenes/a.tif is missing"), NOW)
    assert _tuban("status") == 1
    printed = capsys.readouterr().out
    assert "1 stored objects are missing or damaged, first: The object scenes/a.tif is missing." in printed
    assert "tuban check --repair" in printed
