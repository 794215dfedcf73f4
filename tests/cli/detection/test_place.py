"""``tuban place``: files written, messages, and no files left after an interrupt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.imagery.drone.conftest import CAMERA, SPEC
from training.synthetic.drone_flight import lawnmower, write_flight


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos of ground with distinct features everywhere, and a video."""
    folder = tmp_path_factory.mktemp("DCIM")
    rng = np.random.default_rng(1)
    image = np.kron(rng.integers(40, 220, (120, 120, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    stations = lawnmower(SPEC.origin[0] + 60, SPEC.origin[1] - 40, 1, 3, 0.0, 20.0, 50.0)
    write_flight(folder, image, SPEC.transform, SPEC.crs, CAMERA, stations, rng)
    (folder / "DJI_0009.MP4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(64))
    return folder


def test_photos_become_a_mosaic_with_an_error_for_each_photo(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "place", str(photos), "--out", str(out), "--gsd", "0.25"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr  # the video
    assert "DJI_0009.MP4" in done.stdout + done.stderr
    assert "a video" in done.stdout + done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["mosaic.tif", "photos.geojson", "preview.png", "report.json"]
    report = json.loads((out / "report.json").read_text())
    [flight] = report["flights"]
    assert (flight["photos"], flight["refined"], flight["date"]) == (3, 3, "2025-10-26")
    assert flight["residual_m"] < 0.3 < flight["residual_by_sensors_m"]
    features = json.loads((out / "photos.geojson").read_text())["features"]
    assert [feature["properties"]["tied_to"] for feature in features] == ["neighbours"] * 3
    assert all(feature["geometry"]["type"] == "Polygon" for feature in features)
    with rasterio.open(out / "mosaic.tif") as mosaic:
        assert mosaic.crs.to_epsg() == 4547
        assert mosaic.res == (0.25, 0.25)
        assert mosaic.overviews(1) or max(mosaic.shape) < 512
        assert 0.3 < (mosaic.read_masks(1) > 0).mean() < 1


def test_foreign_files_are_not_replaced(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "place", str(photos), "--out", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert "did not write" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_ctrl_c_leaves_no_partial_results(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "place", str(photos), "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    last = time.monotonic() + 60
    while not list(tmp_path.glob(".tuban-unfinished-*/.lock")):
        assert time.monotonic() < last
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []
