"""Lines of `make bench` are written one by one, and survive those that are interrupted or not measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import typer
from typer.testing import CliRunner

from benchmarks import bench
from benchmarks.lines.line import Line, NotMeasured, Row, Sizes, run_code, run_process
from benchmarks.lines.mosaic_file import write_mosaic
from benchmarks.lines.picture import draw

MACHINE = ("processor", "cores", "load", "commit")
EMPTY = "before\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n"


def _row(value: float) -> Row:
    return Row("scan <a>", value, "MP/s", "network", 8.0, "≥ 0.75")


def _interrupted(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    progress("half way")
    raise KeyboardInterrupt


def _unavailable(sizes: Sizes, progress: Callable[[str], None]) -> list[Row]:
    raise NotMeasured("no Redis")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of results, with three lines that measure nothing."""
    lines = {
        "a": Line("a", "first", lambda sizes, progress: [_row(4.0)]),
        "b": Line("b", "second", _unavailable),
        "c": Line("c", "third", _interrupted),
    }
    monkeypatch.setattr(bench, "LINES", lines)
    for name, file in (("RESULTS", "results.json"), ("README", "README.md"), ("PICTURE", "bench.svg")):
        monkeypatch.setattr(bench, name, tmp_path / file)
    monkeypatch.setattr(bench, "SCALE_PAGE", tmp_path / "none.py")
    (tmp_path / "README.md").write_text(EMPTY)
    return tmp_path


def _run(*arguments: str, exit_code: int = 0) -> str:
    app = typer.Typer()
    app.command()(bench.run)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == exit_code, result.output
    return result.output


def test_lines_before_an_interrupted_one_are_written(files: Path) -> None:
    earlier = {"title": "third", "at": "", "seconds": 1, "rows": [], "machine": dict.fromkeys(MACHINE, 0)}
    (files / "results.json").write_text(json.dumps({"lines": {"c": earlier}, "jobs": {"x": 1}}))
    _run()
    written = json.loads((files / "results.json").read_text())
    assert written["jobs"] == {"x": 1}
    assert [row["ratio"] for row in written["lines"]["a"]["rows"]] == [0.5]
    assert written["lines"]["b"]["not_measured"] == "no Redis"
    assert written["lines"]["c"]["rows"] == [], "the earlier figures are kept"
    readme = (files / "README.md").read_text()
    assert readme.startswith("before\n")
    assert readme.endswith("after\n")
    assert "| (a) | scan <a> | 4 MP/s | network | 8 MP/s | 0.50 | ≥ 0.75 |" in readme
    assert ElementTree.fromstring((files / "bench.svg").read_text()).tag.endswith("svg")


def test_a_line_that_fails_does_not_stop_the_others(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench.LINES, "c", Line("c", "third", lambda sizes, progress: [_row(1 / 0)]))
    monkeypatch.setitem(bench.LINES, "d", Line("d", "fourth", lambda sizes, progress: [_row(8.0)]))
    assert "division by zero" in _run("c", "d", exit_code=1)
    assert set(json.loads((files / "results.json").read_text())["lines"]) == {"d"}


def test_a_try_with_small_sizes_writes_nothing(files: Path) -> None:
    assert "0.50" in _run("a", "--small")
    assert not (files / "results.json").exists()
    assert (files / "README.md").read_text() == EMPTY


def test_the_picture_of_many_rows_stays_small() -> None:
    rows = [{"what": "x" * 100, "ratio": ratio, "value": 1.0, "unit": "s"} for ratio in (0.0, 0.001, 1.0, 5e4)] * 50
    assert len(draw({key: {"title": "a", "rows": rows} for key in "abcdefghi"})) < 600_000
    assert len(draw({key: {"title": "a", "rows": rows[:8]} for key in "abcdefghi"})) < 200_000


def test_processes_are_measured_and_their_errors_are_shown() -> None:
    done = run_code("x = bytearray(80 << 20); print('{\"a\": 1}')")
    assert done.data == {"a": 1}
    assert done.peak_mib > 80
    assert done.cpu_seconds > 0
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_process([sys.executable, "-c", "1 / 0"])


def test_a_mosaic_of_repeated_tiles_reads_like_an_ordinary_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(1, 255, (1024, 1024, 3), dtype=np.uint8)
    path = tmp_path / "mosaic.tif"
    write_mosaic(path, image, 8, lambda row, column: row % 4 == column % 4 == 1, (489_600.0, 3_424_200.0), 0.5)
    assert path.stat().st_size < 6_000_000
    with rasterio.open(path) as mosaic:
        assert (mosaic.width, mosaic.height, mosaic.crs.to_epsg(), mosaic.nodata) == (8192, 8192, 4547, 0)
        assert (mosaic.transform.c, mosaic.transform.f, mosaic.transform.a) == (489_600.0, 3_424_200.0, 0.5)
        assert mosaic.overviews(1) == [2, 4, 8, 16]
        for row, column in ((1, 1), (5, 1)):
            window = ((row * 1024, row * 1024 + 1024), (column * 1024, column * 1024 + 1024))
            assert (mosaic.read(window=window) == np.moveaxis(image, 2, 0)).all()
        assert not mosaic.read(window=((0, 1024), (0, 8192))).any()
        reduced = mosaic.read(1, out_shape=(512, 512))
        assert (reduced > 0).mean() == 1 / 16
