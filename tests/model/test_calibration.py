"""Calibration of weights: interpolation between resolutions, and its checked file beside the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from errors import WeightsError
from model.calibration import UNKNOWN_GSD_M, Calibration, Knot
from model.weights import FOLDER, find_weights, load_network, save_calibration, save_weights

CALIBRATION = Calibration(
    {
        "building": (Knot(0.5, 1.0, 0.0, 0.6, 0.3), Knot(2.0, 0.5, -1.0, 0.4, 0.1)),
        "ground": (Knot(1.0, 0.8, 0.3, 0.4, 0.2),),
    },
    {"building": 0.05, "ground": 0.04},
    {"sources": []},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ("fast.safetensors", "checksums.json"):
        shutil.copy(FOLDER / file, tmp_path / file)
    published = json.loads((tmp_path / "checksums.json").read_text())
    published["fast"].pop("calibration_sha256", None)
    (tmp_path / "checksums.json").write_text(json.dumps(published))
    return tmp_path


@pytest.mark.parametrize(
    ("gsd_m", "slope", "offset"),
    [(0.1, 1.0, 0.0), (0.5, 1.0, 0.0), (1.0, 0.75, -0.5), (2.0, 0.5, -1.0), (10.0, 0.5, -1.0)],
)
def test_lines_are_interpolated_in_the_logarithm_of_the_resolution(gsd_m: float, slope: float, offset: float) -> None:
    assert CALIBRATION.line("building", gsd_m) == pytest.approx((slope, offset))
    assert CALIBRATION.lines(gsd_m)["ground"] == pytest.approx((0.8, 0.3))


def test_thresholds_are_interpolated_likewise() -> None:
    assert CALIBRATION.thresholds("inspect", 1.0) == pytest.approx({"building": 0.5, "ground": 0.4})
    assert CALIBRATION.thresholds("all", 0.2) == pytest.approx({"building": 0.3, "ground": 0.2})


def test_an_unknown_resolution_has_a_stated_nominal_one() -> None:
    assert CALIBRATION.line("building", None) == CALIBRATION.line("building", UNKNOWN_GSD_M)


def test_a_calibration_is_stored_beside_the_weights_with_a_checksum_of_its_own(folder: Path) -> None:
    assert find_weights("fast", folder).calibration is None
    weights = save_calibration("fast", CALIBRATION, folder)
    assert weights.calibration == CALIBRATION
    assert find_weights("fast", folder) == weights
    path = folder / "fast.calibration.json"
    path.write_text(path.read_text().replace("0.05", "0.55"))
    with pytest.raises(WeightsError, match=r"calibration.*changed or damaged"):
        find_weights("fast", folder)


def test_new_weights_do_not_keep_the_calibration_of_older_ones(folder: Path) -> None:
    weights = save_calibration("fast", CALIBRATION, folder)
    assert save_weights(load_network(weights), "fast", weights.threshold, folder).calibration is None


@pytest.mark.parametrize("shipped", ["accurate", "fast"])
def test_shipped_weights_are_calibrated(shipped: str) -> None:
    calibration = find_weights(shipped).calibration
    assert calibration is not None
    for output in ("building", "ground"):
        for knot in calibration.knots[output]:
            assert calibration.coarse_cut[output] < knot.all <= knot.inspect < 1
            assert knot.slope > 0
