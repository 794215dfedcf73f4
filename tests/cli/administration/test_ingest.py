"""``tuban ingest`` takes images in without any service running, and says what became of each file."""

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
    """That of a new home, with two areas."""
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
    told = tuban(folder, "--area", CODE)
    assert told.exit_code == 0, told.output
    assert "Batch 1: 1 placed." in told.output
    assert "2024-05-01" in told.output
    with database.read() as session:
        [batch], [scene] = session.scalars(select(Batch)), session.scalars(select(SceneRow))
    assert (batch.state, batch.origin, batch.name, scene.name) == ("done", "command", "flight", "a_20240501.tif")


def test_the_same_again_is_known_and_the_exit_code_is_0(tuban: Tuban, folder: Path) -> None:
    tuban(folder, "--area", CODE)
    told = tuban(folder, "--area", CODE)
    assert told.exit_code == 0
    assert "Batch 2: 1 duplicate." in told.output


def test_failed_files_are_named_with_the_reason_and_the_exit_code_is_3(tuban: Tuban, folder: Path) -> None:
    (folder / "notes.tif").write_text("hello")
    told = tuban(folder, "--area", CODE)
    assert told.exit_code == 3
    assert "1 placed, 1 failed" in told.output
    assert "notes.tif: notes.tif is a text file, not one of GeoTIFF" in told.output


def test_what_a_file_does_not_tell_is_given(tuban: Tuban, tmp_path: Path, database: Database) -> None:
    image = write_image(tmp_path / "a.tif", 1)
    told = tuban(image, "--area", CODE, "--date", "2024-05-02", "--source", "satellite")
    assert told.exit_code == 0
    with database.read() as session:
        [scene] = session.scalars(select(SceneRow))
    assert (str(scene.date), scene.date_source, scene.source) == ("2024-05-02", "given", "satellite")


def test_no_wait_leaves_the_work_to_the_service(tuban: Tuban, folder: Path, database: Database, tmp_path: Path) -> None:
    told = tuban(folder, "--area", CODE, "--no-wait")
    assert told.exit_code == 0
    assert "Batch 1: 1 files received" in told.output
    with database.read() as session:
        [file], [job] = session.scalars(select(BatchFile)), session.scalars(select(Job))
    assert (file.state, job.state) == ("waiting", "waiting")
    assert len(list((tmp_path / "home" / "broker" / "queue").glob("*.msg"))) == 1


def test_a_wrong_area_is_told_before_anything_is_received(tuban: Tuban, folder: Path, database: Database) -> None:
    told = tuban(folder, "--area", "330199")
    assert told.exit_code == 1  # the command line makes it 2: see cli.main
    assert "there are 330102 上城区" in str(told.exception)
    with database.read() as session:
        assert session.scalars(select(Batch)).all() == []


def test_ctrl_c_keeps_what_was_taken_in_and_the_same_command_goes_on(
    tuban: Tuban, folder: Path, database: Database
) -> None:
    """The signal comes while the second of two files is worked on."""
    write_image(folder / "b_20240501.tif", 2)
    program = f"""
import os, signal, sys, typer
import workers.ingest.images
from cli.administration.ingest import ingest
whole = workers.ingest.images.ingest_image
def interrupted(path, name, *given, **named):
    if name.startswith("b"):
        os.kill(os.getpid(), signal.SIGINT)
    return whole(path, name, *given, **named)
workers.ingest.images.ingest_image = interrupted
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(ingest)
app([{str(folder)!r}, "--area", {CODE!r}], standalone_mode=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 130, done.stderr
    assert "the same command goes on" in done.stdout
    with database.read() as session:
        jobs = session.scalars(select(Job).order_by(Job.id)).all()
        assert [job.state for job in jobs] == ["done", "waiting"]
    told = tuban(folder, "--area", CODE)
    assert "Batch 1: 2 placed." in told.output
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
