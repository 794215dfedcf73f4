"""``tuban scan``: its outputs, errors for unusable inputs, and no files left after an interrupt."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pyogrio
import pytest
import rasterio

from cli.main import main
from model.weights import FOLDER
from tests.inference.scenes import textured, write_image
from training.sample.scene import render_sample_scene
from training.synthetic import SceneSpec


def tuban(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a subprocess."""
    command = [sys.executable, "-W", "ignore", "-m", "cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def tuban_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in this process: imports and the network are loaded once for all tests."""
    out, err = io.StringIO(), io.StringIO()
    command = ["tuban", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", command),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return subprocess.CompletedProcess(command, int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    spec = SceneSpec(seed=5, width=440, height=400, changes=4)
    before, after, _ = render_sample_scene(tmp_path_factory.mktemp("scene"), spec)
    return before, after


@pytest.fixture(scope="module")
def scanned(scene: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "scan"
    done = tuban("scan", *scene, "--out", out, "--probability")
    assert done.returncode == 0, done.stderr
    assert "to be checked on the ground" in done.stdout
    return out


def test_everything_is_written(scanned: Path) -> None:
    names = {path.name for path in scanned.iterdir()}
    expected = {"changes.geojson", "changes.gpkg", "report.html", "scan.json", "probability.tif", "thumbnails"}
    assert names == expected
    record = json.loads((scanned / "scan.json").read_text())
    features = json.loads((scanned / "changes.geojson").read_text())["features"]
    assert record["outcome"] == "compared"
    assert len(list((scanned / "thumbnails").iterdir())) == 2 * len(features)
    for feature in features:
        assert {"kind", "score", "area_m2", "area_mu"} <= set(feature["properties"])


def test_both_layers_hold_the_same_changes(scanned: Path) -> None:
    layers = {name for name, _ in pyogrio.list_layers(scanned / "changes.gpkg")}
    assert layers == {"changes", "changes_4490"}
    assert pyogrio.read_info(scanned / "changes.gpkg", layer="changes_4490")["crs"] == "EPSG:4490"
    assert pyogrio.read_info(scanned / "changes.gpkg", layer="changes")["crs"] == "EPSG:4547"


def test_the_probability_is_a_cog_on_the_grid_of_the_scan(scanned: Path, scene: tuple[Path, Path]) -> None:
    with rasterio.open(scanned / "probability.tif") as raster, rasterio.open(scene[1]) as after:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.crs == after.crs
        assert raster.res == (0.5, 0.5)
        assert raster.read(1).any()


def test_a_repeated_scan_gives_the_same_bytes_except_timings(
    scanned: Path, scene: tuple[Path, Path], tmp_path: Path
) -> None:
    """The second scan, in another process, prints the record as well."""
    done = tuban_here("scan", *scene, "--out", tmp_path / "again", "--probability", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "again" / "scan.json").read_text())
    for path in sorted(scanned.rglob("*")):
        other = tmp_path / "again" / path.relative_to(scanned)
        if path.name == "scan.json":
            one, two = (json.loads(p.read_text()) for p in (path, other))
            for name in ("timings_s", "stages"):
                assert one.pop(name)
                assert two.pop(name)
            assert one == two
        elif path.is_file():
            assert path.read_bytes() == other.read_bytes(), path.name


def test_itself_shifted_and_brighter_gives_no_polygon(scene: tuple[Path, Path], tmp_path: Path) -> None:
    with rasterio.open(scene[0]) as raster:
        image, profile = raster.read(), raster.profile
    moved = np.roll(image, (3, 3), axis=(1, 2)).astype(np.float32) * 1.4
    with rasterio.open(tmp_path / "moved.tif", "w", **profile) as raster:
        raster.write(np.clip(moved, 0, 255).astype(np.uint8))
    done = tuban_here("scan", scene[0], tmp_path / "moved.tif", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "changes.geojson").read_text())["features"] == []
    assert "No change found" in done.stdout


def test_a_copy_of_the_image_gives_no_polygon_and_a_remark(scene: tuple[Path, Path], tmp_path: Path) -> None:
    copy = shutil.copy(scene[0], tmp_path / "copy.tif")
    done = tuban_here("scan", scene[0], copy, "--out", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "changes.geojson").read_text())["features"] == []
    assert "same content" in done.stdout


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_image(tmp_path / "good.tif", textured(128, 128))


def _assert_error(exit_code: int, message: str, *arguments: object) -> None:
    done = tuban_here(*arguments)
    assert done.returncode == exit_code, done.stderr
    assert message in done.stderr
    assert done.stderr.count("tuban: ") == 1
    assert "Traceback" not in done.stderr


def test_a_text_file_named_tif(good: Path, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("not an image")
    _assert_error(3, "text.tif", "scan", good, tmp_path / "text.tif", "--out", tmp_path / "out")


def test_a_missing_file(good: Path, tmp_path: Path) -> None:
    _assert_error(3, "nowhere.tif", "scan", good, tmp_path / "nowhere.tif", "--out", tmp_path / "out")


def test_a_truncated_tiff(good: Path, tmp_path: Path) -> None:
    (tmp_path / "short.tif").write_bytes(good.read_bytes()[:-20_000])
    _assert_error(3, "short.tif", "scan", good, tmp_path / "short.tif", "--out", tmp_path / "out")


def test_an_image_of_nodata(good: Path, tmp_path: Path) -> None:
    empty = write_image(tmp_path / "empty.tif", np.zeros((128, 128, 3), np.uint8), nodata=0)
    _assert_error(3, "empty.tif", "scan", good, empty, "--out", tmp_path / "out")


def test_an_image_of_one_pixel(good: Path, tmp_path: Path) -> None:
    tiny = write_image(tmp_path / "tiny.tif", np.full((1, 1, 3), 90, np.uint8))
    _assert_error(3, "tiny.tif", "scan", good, tiny, "--out", tmp_path / "out")


def test_the_same_file_twice_is_recorded_as_not_comparable(good: Path, tmp_path: Path) -> None:
    _assert_error(4, "same file", "scan", good, good, "--out", tmp_path / "out")
    record = json.loads((tmp_path / "out" / "scan.json").read_text())
    assert record["outcome"] == "not comparable"
    assert not (tmp_path / "out" / "changes.geojson").exists()


def test_an_output_folder_with_foreign_files_is_not_changed(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "precious"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    other = write_image(tmp_path / "other.tif", textured(128, 128))
    _assert_error(5, "precious", "scan", good, other, "--out", out)
    assert (out / "thesis.txt").read_text() == "mine"


def test_an_output_that_cannot_be_written(good: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    other = write_image(tmp_path / "other.tif", textured(128, 128))
    _assert_error(5, "file", "scan", good, other, "--out", tmp_path / "file" / "out")


def test_weights_with_another_checksum(good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in (*FOLDER.glob("accurate*"), FOLDER / "checksums.json"):
        shutil.copy(path, folder)
    with (folder / "accurate.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    other = write_image(tmp_path / "other.tif", textured(128, 128, seed=0))
    _assert_error(6, "sha256", "scan", good, other, "--out", tmp_path / "out", "--weights-folder", folder)


def test_an_unknown_profile(good: Path, tmp_path: Path) -> None:
    other = write_image(tmp_path / "other.tif", textured(128, 128))
    _assert_error(2, "there are: auto, drone", "scan", good, other, "--out", tmp_path / "out", "--profile", "submarine")


def test_images_without_coordinates_need_their_scale(tmp_path: Path) -> None:
    paths = [write_image(tmp_path / f"{name}.tif", textured(128, 128), crs=None) for name in "ab"]
    _assert_error(3, "gsd", "scan", *paths, "--out", tmp_path / "out")


def test_an_interrupted_scan_leaves_no_files(scene: tuple[Path, Path], tmp_path: Path) -> None:
    """On a terminal, the progress bar shows that the scan has started; small blocks make it last."""
    controller, terminal = pty.openpty()
    arguments = ["scan", *map(str, scene), "--out", str(tmp_path / "out"), "--block", "64", "--probability"]
    running = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "cli.main", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
        # a background job of a shell ignores SIGINT, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(terminal)
    output = b""
    while b"Comparing" not in output:
        output += os.read(controller, 4096)  # fails if the command ends before that
    running.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # the terminal is closed when the command ends
        while more := os.read(controller, 4096):
            output += more
    os.close(controller)
    assert running.wait(timeout=120) == 130
    assert b"interrupted" in output
    assert list(tmp_path.iterdir()) == []


def test_the_help_explains_options_and_exit_codes() -> None:
    done = tuban_here("scan", "--help")
    for word in ("--out", "--gsd", "--profile", "Example", "Exit codes"):
        assert word in done.stdout


def test_config_prints_the_effective_settings() -> None:
    done = tuban_here("config")
    assert "min_area_m2" in done.stdout
    assert "construction: 200.0" in done.stdout
