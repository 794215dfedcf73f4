"""The log file of `tuban up` is rotated while its processes go on writing to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.service import LogSettings
from errors import SettingsError
from service.monitoring.log_file import redirect_to_log_file, rotate_log_file

MIB = 2**20


def log_settings(path: Path, keep: int = 2) -> LogSettings:
    return LogSettings(file=str(path), max_mib=1, keep=keep)


def test_a_small_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tuban.log"
    assert not rotate_log_file(log_settings(path)), "there is none yet"
    path.write_bytes(b"x" * MIB)
    assert not rotate_log_file(log_settings(path))
    assert not rotate_log_file(LogSettings())


def test_open_processes_write_to_the_start_of_the_rotated_file(tmp_path: Path) -> None:
    path = tmp_path / "tuban.log"
    with path.open("ab", buffering=0) as process:
        process.write(b"1" * (MIB + 1))
        assert rotate_log_file(log_settings(path))
        process.write(b"after")
    assert path.read_bytes() == b"after"
    assert (tmp_path / "tuban.log.1").read_bytes() == b"1" * (MIB + 1)


def test_only_the_newest_rotated_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "tuban.log"
    for number in b"1234":
        path.write_bytes(bytes([number]) * (MIB + 1))
        assert rotate_log_file(log_settings(path))
    kept = {file.name: file.read_bytes()[:1] for file in tmp_path.iterdir()}
    assert kept == {"tuban.log": b"", "tuban.log.1": b"4", "tuban.log.2": b"3"}


def test_output_of_the_process_and_of_its_children_goes_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "tuban.log"
    program = (
        "import os, sys; from configs.service import LogSettings;"
        "from service.monitoring.log_file import redirect_to_log_file;"
        f"redirect_to_log_file(LogSettings(file={str(path)!r}));"
        "print('parent', flush=True); os.system('echo child >&2')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=Path(__file__).parents[3], env=os.environ
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert path.read_text() == "parent\nchild\n"


def test_a_log_file_that_cannot_be_written_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"log\.file"):
        redirect_to_log_file(LogSettings(file=str(tmp_path)))
