"""Atomic output folders: complete under their final name, or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from errors import OutputError
from inference.outputs.output_folder import atomic_folder, check_output

RECORD = '{"schema": "tuban-scan/1"}'


def _write(out: Path, content: str = "new") -> None:
    with atomic_folder(out) as folder:
        (folder / "report.html").write_text(content)
        (folder / "scan.json").write_text(RECORD)


def test_missing_parent_folders_are_created(tmp_path):
    check_output(tmp_path / "a" / "b" / "out")
    assert not (tmp_path / "a").exists()
    _write(tmp_path / "a" / "b" / "out")
    assert sorted(p.name for p in (tmp_path / "a" / "b" / "out").iterdir()) == ["report.html", "scan.json"]


def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "out").mkdir()
    _write(tmp_path / "out")
    assert (tmp_path / "out" / "scan.json").exists()


def test_an_earlier_scan_is_replaced_completely(tmp_path):
    _write(tmp_path / "out", "old")
    (tmp_path / "out" / "probability.tif").touch()
    _write(tmp_path / "out")
    assert (tmp_path / "out" / "report.html").read_text() == "new"
    assert not (tmp_path / "out" / "probability.tif").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_earlier_scan_is_replaced_without_support_for_swapping_names(tmp_path, monkeypatch):
    monkeypatch.setattr("inference.outputs.output_folder._swap_names", lambda one, other: False)
    _write(tmp_path / "out", "old")
    _write(tmp_path / "out")
    assert (tmp_path / "out" / "report.html").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_symbolic_link_to_a_folder_is_preserved(tmp_path):
    _write(tmp_path / "real", "old")
    (tmp_path / "out").symlink_to("real")
    _write(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real" / "report.html").read_text() == "new"


@pytest.mark.parametrize("name", ["notes.txt", "thumbnails/holiday.jpg", "scan.json/inner"])
def test_a_folder_with_other_files_is_not_changed(name, tmp_path):
    if not name.startswith("scan.json"):
        _write(tmp_path / "out", "old")
    (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "out" / name).write_text("foreign")
    with pytest.raises(OutputError, match="`tuban scan` did not write"):
        _write(tmp_path / "out")
    assert (tmp_path / "out" / name).read_text() == "foreign"


def test_files_that_appear_during_a_scan_are_not_lost(tmp_path):
    def scan() -> None:
        with atomic_folder(tmp_path / "out"):
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "notes.txt").write_text("foreign")

    with pytest.raises(OutputError, match="`tuban scan` did not write"):
        scan()
    assert (tmp_path / "out" / "notes.txt").read_text() == "foreign"


def test_a_file_instead_of_a_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("foreign")
    with pytest.raises(OutputError, match="is a file"):
        check_output(tmp_path / "out")
    with pytest.raises(OutputError, match="is a file"):
        check_output(tmp_path / "out" / "deeper" / "still")


def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="the folder you are in"):
        check_output(Path())


def test_a_mount_point_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    with pytest.raises(OutputError, match="mount point"):
        check_output(tmp_path)


def test_a_name_too_long_for_the_file_system_is_refused_beforehand(tmp_path):
    with pytest.raises(OutputError, match="too long"):
        check_output(tmp_path / ("x" * 300))


def test_missing_permission_is_reported_beforehand(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        check_output(tmp_path / "out")


def test_a_full_disk_is_reported(tmp_path):
    with pytest.raises(OutputError, match="No space left"), atomic_folder(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_interruption_leaves_only_the_earlier_scan(stop, tmp_path):
    _write(tmp_path / "out", "old")

    def scan() -> None:
        with atomic_folder(tmp_path / "out") as folder:
            (folder / "report.html").write_text("half")
            raise stop

    with pytest.raises(stop):
        scan()
    assert (tmp_path / "out" / "report.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


KILLED = """
import os, sys, signal
from pathlib import Path
from inference.outputs.output_folder import atomic_folder
with atomic_folder(Path(sys.argv[1])) as folder:
    (folder / "report.html").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_run_removes_the_hidden_folder_of_a_killed_one(tmp_path):
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    assert left[0].name.startswith(".tuban-unfinished-")
    _write(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_concurrent_scans_do_not_interfere(tmp_path):
    with atomic_folder(tmp_path / "one") as folder:
        (folder / "report.html").write_text("slow")
        _write(tmp_path / "two")
    assert (tmp_path / "one" / "report.html").read_text() == "slow"


def test_the_folder_has_default_permissions(tmp_path):
    _write(tmp_path / "out")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_interrupt_at_the_creation_of_the_lock_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(path: Path) -> int:
        path.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("inference.outputs.output_folder._create_lock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
