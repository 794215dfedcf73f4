"""``tuban ingest`` ingests images without a running service, and reports the outcome of each file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from sqlalchemy import select
from typer.testing import CliRunner, Result

from cli.administration.ingest import ingest
from store.schema.database import Database
from store.schema.tables import Batch, BatchFile, Job, SceneRow
from tests.databases import embedded_database
from tests.workers.ingest.images import CODE, add_areas, write_image

Tuban = Callable[..., Result]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Database of a new home folder, with two areas."""
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUBAN_LIMITS__FREE_DISK_MIB", "0")
    database = embedded_database(tmp_path / "home" / "tuban.db")
    add_areas(database)
    return database


@pytest.fixture
def tuban(database: Database) -> Tuban:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(ingest)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "flight" / "a_20240501.tif", 1)
    return tmp_path / "flight"


def test_good_files_are_placed_and_the_exit_code_is_0(tuban: Tuban, folder: Path, database: Database) -> None:
    result = tuban(folder, "--area", CODE)
    assert result.exit_code == 0, result.output
    assert "Batch 1: 1 placed." in result.output
    assert "2024-05-01" in result.output
    with database.read() as session:
        [batch], [scene] = session.scalars(select(Batch)), session.scalars(select(SceneRow))
    assert (batch.state, batch.origin, batch.name, scene.name) == ("done", "command", "flight", "a_20240501.tif")


def test_known_files_are_duplicates_and_the_exit_code_is_0(tuban: Tuban, folder: Path) -> None:
    tuban(folder, "--area", CODE)
    result = tuban(folder, "--area", CODE)
    assert result.exit_code == 0
    assert "Batch 2: 1 duplicate." in result.output


def test_failed_files_are_named_with_the_reason_and_the_exit_code_is_3(tuban: Tuban, folder: Path) -> None:
    (folder / "notes.tif").write_text("hello")
    result = tuban(folder, "--area", CODE)
    assert result.exit_code == 3
    assert "1 placed, 1 failed" in result.output
    assert "notes.tif: notes.tif is a text file, not one of GeoTIFF" in result.output


def test_options_supply_missing_metadata(tuban: Tuban, tmp_path: Path, database: Database) -> None:
    image = write_image(tmp_path / "a.tif", 1)
    result = tuban(image, "--area", CODE, "--date", "2024-05-02", "--source", "satellite")
    assert result.exit_code == 0
    with database.read() as session:
        [scene] = session.scalars(select(SceneRow))
    assert (str(scene.date), scene.date_source, scene.source) == ("2024-05-02", "given", "satellite")


def test_no_wait_leaves_processing_to_the_service(
    tuban: Tuban, folder: Path, database: Database, tmp_path: Path
) -> None:
    result = tuban(folder, "--area", CODE, "--no-wait")
    assert result.exit_code == 0
    assert "Batch 1: 1 files received" in result.output
    with database.read() as session:
        [file], [job] = session.scalars(select(BatchFile)), session.scalars(select(Job))
    assert (file.state, job.state) == ("waiting", "waiting")
    assert len(list((tmp_path / "home" / "broker" / "queue").glob("*.msg"))) == 1


def test_a_wrong_area_is_reported_before_anything_is_received(tuban: Tuban, folder: Path, database: Database) -> None:
    result = tuban(folder, "--area", "330199")
    assert result.exit_code == 1  # cli.main turns it into 2
    assert "similar codes: 330102 上城区" in str(result.exception)
    with database.read() as session:
        assert session.scalars(select(Batch)).all() == []


def test_ctrl_c_keeps_received_files_and_the_same_command_resumes(
    tuban: Tuban, folder: Path, database: Database
) -> None:
    """The signal arrives while the second of two files is processed."""
    write_image(folder / "b_20240501.tif", 2)
    program = f"""
import os, signal, sys, typer
import workers.ingest.images
from cli.administration.ingest import ingest
original = workers.ingest.images.ingest_image
def interrupted(path, name, *given, **named):
    if name.startswith("b"):
        os.kill(os.getpid(), signal.SIGINT)
    return original(path, name, *given, **named)
workers.ingest.images.ingest_image = interrupted
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(ingest)
app([{str(folder)!r}, "--area", {CODE!r}], standalone_mode=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 130, done.stderr
    assert "run the same command again to resume" in done.stdout
    with database.read() as session:
        jobs = session.scalars(select(Job).order_by(Job.id)).all()
        assert [job.state for job in jobs] == ["done", "waiting"]
    result = tuban(folder, "--area", CODE)
    assert "Batch 1: 2 placed." in result.output
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
