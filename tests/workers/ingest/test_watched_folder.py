"""The watched folder: each file is received once, when complete, together with its sidecar files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from errors import SettingsError
from service.context import Context
from tests.workers.embedded import clock_of, context_in
from tests.workers.ingest.batches import report_of
from tests.workers.ingest.images import CODE, NEIGHBOUR, add_areas, write_image
from workers.ingest.watched_folder import poll_watched_folder
from workers.runtime.run_batch import run_batch


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    folder = tmp_path / "watched"
    (folder / CODE).mkdir(parents=True)
    return folder


@pytest.fixture
def watching(tmp_path: Path, watched: Path) -> Context:
    context = context_in(tmp_path, watch={"folder": str(watched), "settled_seconds": 30})
    add_areas(context.database)
    return context


def test_a_settled_file_is_received_once(watching: Context, watched: Path) -> None:
    image = write_image(watched / CODE / "a_20240501.tif", 1)
    assert poll_watched_folder(watching) == []
    clock_of(watching).forward(29)
    assert poll_watched_folder(watching) == []
    clock_of(watching).forward(1)
    [batch] = poll_watched_folder(watching)
    assert not image.exists()
    [taken] = (watched / CODE / ".taken").iterdir()
    assert [path.name for path in taken.iterdir()] == ["a_20240501.tif"]
    report = run_batch(watching, batch)
    assert ([file.state for file in report.files], report.origin, report.area_code) == (["placed"], "folder", CODE)
    clock_of(watching).forward(600)
    assert poll_watched_folder(watching) == []


def test_a_file_that_is_being_written_is_not_received(watching: Context, watched: Path) -> None:
    path = watched / CODE / "a.tif"
    complete = write_image(watched.parent / "complete.tif", 1).read_bytes()
    for end in (100, 200, 300):
        path.write_bytes(complete[:end])
        assert poll_watched_folder(watching) == []
        clock_of(watching).forward(29)
    path.write_bytes(complete)
    (watched / CODE / "b.tif.part").write_bytes(b"half")
    for _ in range(2):
        clock_of(watching).forward(30)
        batches = poll_watched_folder(watching)
    assert [file.name for file in report_of(watching, batches[0]).files] == ["a.tif"]
    assert (watched / CODE / "b.tif.part").exists()


def test_what_copying_programs_are_still_writing_is_not_received(watching: Context, watched: Path) -> None:
    partial = (
        *(".a.tif.Xq3kZ1", ".~tmp~/a.tif", "~a.tif", "a.tif.filepart", "a.tif.crdownload"),  # rsync, WinSCP, Chrome
        *("a.tif.baiduyun.p.downloading", "a.tif.xltd", "a.tif.td", "a.tif.bc!"),  # Baidu, Xunlei, BitComet
    )
    for name in (*partial, "b.tif", "b.tif.aria2", "c.tif", "c.tif.td.cfg"):
        (watched / CODE / name).parent.mkdir(exist_ok=True)
        (watched / CODE / name).write_bytes(b"half")
    for _ in range(3):
        assert poll_watched_folder(watching) == []
        clock_of(watching).forward(600)
    (watched / CODE / "b.tif.aria2").unlink()
    poll_watched_folder(watching)
    clock_of(watching).forward(31)
    (batch,) = poll_watched_folder(watching)
    assert [file.name for file in report_of(watching, batch).files] == ["b.tif"]


def test_names_in_gbk_bytes_are_received_in_chinese(watching: Context, watched: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(watched / CODE) + "/东湖_20240504.tif".encode("gbk")))
    write_image(watched.parent / "complete.tif", 1).rename(path)
    for _ in range(2):
        batches = poll_watched_folder(watching)
        clock_of(watching).forward(31)
    assert [file.name for file in report_of(watching, batches[0]).files] == ["东湖_20240504.tif"]


def test_an_image_waits_for_its_world_file(watching: Context, watched: Path) -> None:
    (watched / CODE / "a.jpg").write_bytes(b"x")
    poll_watched_folder(watching)
    clock_of(watching).forward(20)
    (watched / CODE / "a.jgw").write_bytes(b"y")
    poll_watched_folder(watching)
    clock_of(watching).forward(20)
    assert poll_watched_folder(watching) == []
    clock_of(watching).forward(10)
    assert len(poll_watched_folder(watching)) == 1


def test_sub_folders_name_the_source_of_images(watching: Context, watched: Path) -> None:
    write_image(watched / CODE / "satellite" / "2024-05-01" / "a.tif", 1)
    write_image(watched / CODE / "b.tif", 2)
    poll_watched_folder(watching)
    clock_of(watching).forward(30)
    reports = [report_of(watching, batch) for batch in poll_watched_folder(watching)]
    assert {(report.source, report.files[0].name) for report in reports} == {
        ("satellite", "satellite/2024-05-01/a.tif"),
        ("drone", "b.tif"),
    }


def test_files_elsewhere_are_not_touched(watching: Context, watched: Path, tmp_path: Path) -> None:
    outside = write_image(tmp_path / "outside" / "a.tif", 1)
    (watched / CODE / "link.tif").symlink_to(outside)
    (watched / NEIGHBOUR).symlink_to(outside.parent)
    write_image(watched / "no code" / "a.tif", 2)
    write_image(watched / "a.tif", 3)
    for _ in range(2):
        assert poll_watched_folder(watching) == []
        clock_of(watching).forward(60)
    assert sorted(path.name for path in watched.rglob("a.tif")) == ["a.tif", "a.tif"]


@pytest.mark.parametrize("ending", [".taking", ".receiving"])
def test_an_interrupted_poll_is_resumed(watching: Context, watched: Path, ending: str) -> None:
    key = "20261120T023000-drone-0123456789ab"
    write_image(watched / CODE / ".taken" / (key + ending) / "a.tif", 1)
    write_image(watched / CODE / "b.tif", 2)
    batches = poll_watched_folder(watching)
    clock_of(watching).forward(30)
    batches += poll_watched_folder(watching)
    files = [file.name for batch in batches for file in report_of(watching, batch).files]
    assert sorted(files) == ["a.tif", "b.tif"]
    assert not list((watched / CODE / ".taken").glob("*.*"))


def test_a_missing_watched_folder_is_an_error(tmp_path: Path) -> None:
    assert poll_watched_folder(context_in(tmp_path)) == []
    with pytest.raises(SettingsError, match="does not exist"):
        poll_watched_folder(context_in(tmp_path, watch={"folder": str(tmp_path / "missing")}))
