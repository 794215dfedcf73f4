"""Commands in the environments of real servers: other locales and encodings, a read-only system, a small /tmp."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from service.context import Context
from service.home import temporary_files_in_home, temporary_folder
from store.schema.tables import BatchFile
from tests.workers.embedded import context_in
from tests.workers.ingest.images import CODE, add_areas, write_image
from tests.workers.runtime.own_process import ROOT, environment_of

NAMES = {"utf-8": "二零二四年/村庄_20240503.tif", "gbk": "航拍/东湖_20240504.tif"}
"""Encoding → name of an image, as the systems of a camera, a laptop and an old share write them."""


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Context]:
    """An embedded service with areas, and a folder ``in`` of images whose names are bytes of two encodings."""
    context = context_in(tmp_path)
    add_areas(context.database)
    for number, (encoding, name) in enumerate(NAMES.items()):
        path = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/" + name.encode(encoding)))
        path.parent.mkdir(parents=True)
        image = write_image(tmp_path / "image.tif", seed=number)
        image.rename(path)
    yield context
    context.database.close()


def _ingest(context: Context, **environment: str) -> subprocess.CompletedProcess[bytes]:
    folder = context.settings.home.parent / "in"
    command = [sys.executable, "-m", "cli.main", "ingest", str(folder), "--area", CODE]
    given = environment_of(context.settings) | environment
    for name in ("TMPDIR", "LANG", "LC_ALL", "LC_CTYPE"):
        if name not in environment:
            given.pop(name, None)
    return subprocess.run(command, env=given, cwd=ROOT, capture_output=True, check=False, timeout=300)


def _received(context: Context) -> dict[str, str]:
    with context.database.read() as session:
        return {row.name: row.state for row in session.scalars(select(BatchFile))}


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, ASCII, {"PYTHONIOENCODING": "gb2312"}], ids=str)
def test_chinese_names_are_kept_in_any_locale(installed: Context, environment: dict[str, str]) -> None:
    done = _ingest(installed, **environment)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert _received(installed) == dict.fromkeys(NAMES.values(), "placed")
    assert "村庄_20240503".encode("gb2312" if "PYTHONIOENCODING" in environment else "utf-8") in done.stdout or (
        environment == ASCII and b"20240503" in done.stdout
    )


MOUNTS = """
mount -t tmpfs none /mnt && mkdir /mnt/home /mnt/in && mount --bind "$1" /mnt/home && mount --bind "$2" /mnt/in &&
mount -o remount,ro none /mnt && mount -o remount,ro,bind / && mount -t tmpfs -o size=16k,$3 none /tmp && shift 3 &&
umask 077 && exec "$@"
"""
"""Only /mnt/home can be written; /tmp is full at once."""


def _may_mount() -> bool:
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_mount(), reason="only root may mount")
@pytest.mark.skipif(Path(sys.prefix).is_relative_to("/tmp"), reason="the program itself is in /tmp")
@pytest.mark.parametrize("tmp", ["rw", "ro"], ids=["small /tmp", "read-only /tmp"])
def test_only_the_home_folder_has_to_be_writable(installed: Context, tmp: str) -> None:
    home = installed.settings.home
    mounts = ("unshare", "-m", "sh", "-c", MOUNTS, "sh", str(home), str(home.parent / "in"), tmp)
    command = (sys.executable, "-m", "cli.main", "ingest", "/mnt/in", "--area", CODE)
    given = environment_of(installed.settings) | {"TUBAN_HOME": "/mnt/home"}
    given.pop("TMPDIR", None)
    done = subprocess.run([*mounts, *command], env=given, cwd=ROOT, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    assert _received(installed) == dict.fromkeys(NAMES.values(), "placed")
    stored = [file for file in (home / "objects").rglob("*") if file.is_file()]
    assert stored
    assert [file for file in stored if file.stat().st_mode & 0o077] == [], "umask 077"


def test_temporary_files_are_in_home_unless_the_administrator_says_otherwise(
    installed: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    with temporary_files_in_home(installed.settings), tempfile.TemporaryDirectory() as folder:
        assert Path(folder).parent == installed.settings.home.resolve() / "tmp"
        assert os.environ["TMPDIR"] == str(Path(folder).parent)
    assert "TMPDIR" not in os.environ
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with temporary_files_in_home(installed.settings):
        assert tempfile.gettempdir() == str(tmp_path)


def test_what_killed_processes_left_is_deleted_after_a_day(installed: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    folder = temporary_folder(installed.settings)
    for name, age in (("old", 25 * 3600), ("new", 3600)):
        (folder / name).mkdir()
        (folder / f"{name}.tif").touch()
        for path in (folder / name, folder / f"{name}.tif"):
            os.utime(path, (time.time() - age,) * 2)
    assert {path.name for path in temporary_folder(installed.settings).iterdir()} == {"new", "new.tif"}
