"""A scan at several resolutions: blocks do not show, coarse to fine finds the same, the operating point counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.scan_plan import plan_scan
from inference.scan_plan_file import read_scan_plan, write_scan_plan
from inference.scan_result import ScanResult
from inference.settings import read_config, settings_for
from model.calibration import Calibration, Knot
from tests.inference.scenes import DifferenceDetector, Image, textured, write_image

CALIBRATION = Calibration(
    {"building": (Knot(0.5, 1.0, 0.0, 0.5, 0.2),), "ground": (Knot(0.5, 1.0, 0.0, 0.5, 0.2),)},
    {"building": 0.15, "ground": 0.15},
)


class Counting(DifferenceDetector):
    """Counts the pixels that the network sees."""

    pixels = 0

    def predict(self, before: Image, after: Image) -> np.ndarray:
        """See :meth:`model.detector.Detector.predict`."""
        self.pixels += before.shape[0] * before.shape[1]
        return super().predict(before, after)


def _detector() -> Counting:
    plain = Counting()
    plain.weights = replace(plain.weights, calibration=CALIBRATION)
    return plain


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A large unchanged ground with a house and a pit in one corner, and a paler house."""
    folder = tmp_path_factory.mktemp("pair")
    image = textured(1400, 1400)
    after = image.copy()
    after[200:240, 300:360] = (235, 235, 235)
    after[300:380, 100:180] = (235, 110, 20)
    after[400:440, 300:340] = np.clip(image[400:440, 300:340].astype(int) + 27, 0, 250)
    return write_image(folder / "before.tif", image), write_image(folder / "after.tif", after)


def _scan(
    pair: tuple[Path, Path], detector: Counting, coarse: bool = True, profile: str = "aerial", **changed: object
) -> ScanResult:
    config = read_config()
    chosen = config.profiles[profile].model_copy(update={"coarse_to_fine": coarse})
    config = config.model_copy(update={"profiles": {profile: chosen}})
    with open_scene(pair[0]) as before, open_scene(pair[1]) as after:
        return detect_changes(before, after, detector, settings_for(config, profile, 0.5, **changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("block", [256, 700])
@pytest.mark.parametrize("coarse", [True, False])
def test_blocks_do_not_show_at_several_resolutions(pair: tuple[Path, Path], coarse: bool, block: int) -> None:
    single, divided = (_scan(pair, _detector(), coarse, block_px=side) for side in (2048, block))
    assert len(single.changes) == 2
    for expected, change in zip(single.changes, divided.changes, strict=True):
        assert expected.polygon.symmetric_difference(change.polygon).area < 0.002 * expected.polygon.area
        assert expected.kind == change.kind
        assert expected.score == pytest.approx(change.score, abs=1e-3)


def test_coarse_to_fine_finds_the_same_with_fewer_pixels(pair: tuple[Path, Path]) -> None:
    coarse, everywhere = _detector(), _detector()
    found, expected = _scan(pair, coarse), _scan(pair, everywhere, coarse=False)
    assert [c.polygon.wkt for c in found.changes] == [c.polygon.wkt for c in expected.changes]
    assert [c.score for c in found.changes] == pytest.approx([c.score for c in expected.changes], abs=1e-3)
    assert coarse.pixels < 0.4 * everywhere.pixels


def test_timings_of_a_scan_tell_the_seconds_of_each_look(pair: tuple[Path, Path]) -> None:
    timings = _scan(pair, _detector()).timings_s
    looks = [timings[f"network at {metres} m"] for metres in ("1.00", "0.67", "0.33")]
    assert all(seconds > 0 for seconds in looks)
    assert sum(looks) <= timings["network"]


def test_the_other_operating_point_reports_less_certain_changes(pair: tuple[Path, Path]) -> None:
    certain = _scan(pair, _detector())
    everything = _scan(pair, _detector(), operating_point="all")
    assert len(certain.changes) == 2
    assert len(everything.changes) == 3
    assert everything.threshold == {"building": 0.2, "ground": 0.2}
    assert certain.settings.sha256 != everything.settings.sha256


def test_looks_and_calibration_are_part_of_the_serialized_plan(pair: tuple[Path, Path]) -> None:
    settings = settings_for(read_config(), "aerial", 0.5)
    with open_scene(pair[0]) as before, open_scene(pair[1]) as after:
        plan = plan_scan(before, after, _detector(), settings)  # type: ignore[arg-type]
        again = read_scan_plan(write_scan_plan(plan), before, after, settings)
    assert plan.looks.coarse is not None
    assert again.looks == plan.looks
    assert again.blocks(_detector(), 300) == plan.blocks(_detector(), 300)  # type: ignore[arg-type]
