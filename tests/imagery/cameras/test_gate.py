"""The gate lets a good capture pass whatever its light, and tells each way in which one is unusable."""

from __future__ import annotations

import datetime as dt

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imagery.cameras.camera import Capture, Frame, Quality
from imagery.cameras.capture import FROZEN
from imagery.cameras.frame_difference import difference, look_of
from imagery.cameras.illumination import alike, measure_light
from imagery.cameras.quality_check import judge

AT = dt.datetime(2026, 5, 4, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))
ROWS, COLUMNS = 270, 480


def scene(seed: int = 3) -> NDArray[np.float32]:
    """Fields, roofs and rough ground under a sky, as reflectance: rows×columns×3."""
    rng = np.random.default_rng(seed)
    rough = sum(
        cv2.resize(rng.normal(0, 0.05, (ROWS // k, COLUMNS // k)).astype(np.float32), (COLUMNS, ROWS))
        for k in (2, 5, 12)
    )
    out = np.clip(0.35 + np.asarray(rough)[..., None] * (1.0, 0.9, 0.7), 0.02, 1).astype(np.float32)
    for _ in range(50):
        x, y, wide, tall = rng.integers(0, 440), rng.integers(80, 250), rng.integers(12, 60), rng.integers(8, 30)
        out[y : y + tall, x : x + wide] *= rng.uniform(0.5, 1.7, 3)
    out[:60] = (0.55, 0.62, 0.75)
    return np.asarray(out, np.float32)


def shot(reflectance: NDArray[np.float32], gain: float = 1.0, noise_key: int = 0) -> Frame:
    """As a camera sends it, with its noise."""
    rng = np.random.default_rng((9, noise_key))
    light = 255 * np.sqrt(np.clip(reflectance * gain, 0, 1)) + rng.normal(0, 1.5, reflectance.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


SCENE = scene()
REFERENCE = shot(SCENE)


def codes(frame: Frame, reference: Frame | None = REFERENCE) -> list[str]:
    quality = judge(Capture(frame, AT), reference).quality
    assert quality is not None
    return [fault.code for fault in quality.faults]


def moved(frame: Frame, x: float, y: float, degrees: float) -> Frame:
    """As seen by a camera that was knocked."""
    turn = cv2.getRotationMatrix2D((COLUMNS / 2, ROWS / 2), degrees, 1.0)
    turn[:, 2] += (x, y)
    return np.asarray(cv2.warpAffine(frame, turn, (COLUMNS, ROWS), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.4])
def test_a_good_capture_passes_in_any_light(gain: float) -> None:
    made = judge(Capture(shot(SCENE, gain, 1), AT), REFERENCE)
    assert made.quality is not None
    assert made.quality.usable
    assert made.quality.motion_px == 0
    assert made.light is not None
    assert made.light.hour == 12


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (shot(SCENE, 0.01, 1), "dark"),
        (shot(SCENE, 6.0, 1), "overexposed"),
        (cv2.GaussianBlur(REFERENCE, (0, 0), 3.0), "blurred"),
        ((REFERENCE * 0.1 + 170).astype(np.uint8), "fogged"),
        (np.where(np.arange(COLUMNS)[None, :, None] < 200, 60, REFERENCE).astype(np.uint8), "blocked"),
        (moved(REFERENCE, 45, 10, 0), "moved"),
        (shot(scene(8)), "moved"),
        (REFERENCE[:, :470].copy(), "size"),
    ],
)
def test_each_way_in_which_a_capture_is_unusable_is_told(frame: Frame, code: str) -> None:
    assert codes(frame) == [code]


def test_a_camera_that_moved_a_little_is_laid_back() -> None:
    knocked = moved(shot(SCENE, 1.0, 2), 4.0, -3.0, 0.4)
    made = judge(Capture(knocked, AT), REFERENCE)
    assert made.quality is not None
    assert made.quality.usable
    assert made.quality.motion_px == pytest.approx(5.4, abs=1.5)
    inner = np.s_[70:-20, 20:-20]
    off = np.abs(made.frame.astype(float) - REFERENCE)[inner].mean()
    assert off < 0.4 * np.abs(knocked.astype(float) - REFERENCE)[inner].mean()


def test_the_same_pixels_again_come_from_a_frozen_stream() -> None:
    capture = Capture(REFERENCE, AT, sha256="a" * 64)
    frozen, fresh = (judge(capture, REFERENCE, before * 64).quality for before in "ab")
    assert frozen is not None
    assert fresh is not None
    assert [fault.code for fault in frozen.faults] == ["frozen"]
    assert fresh.usable


def test_what_was_found_while_fetching_is_kept() -> None:
    found = judge(Capture(REFERENCE, AT, Quality((FROZEN,))), REFERENCE).quality
    assert found is not None
    assert found.faults == (FROZEN,)


def test_a_first_frame_is_judged_alone() -> None:
    assert codes(REFERENCE, None) == []
    assert codes(np.full_like(REFERENCE, 120), None) == ["fogged"]


def test_captures_of_like_light_are_found_most_alike_first() -> None:
    lights = [
        measure_light(shot(SCENE, gain, 4), AT.replace(hour=hour))
        for gain, hour in ((1, 12), (0.15, 12), (1, 8), (0.9, 13))
    ]
    assert alike(measure_light(REFERENCE, AT), lights)[:2] == [0, 3]
    assert 1 not in alike(measure_light(REFERENCE, AT), lights)


def test_light_is_no_difference_and_a_new_thing_is_one() -> None:
    one = look_of(REFERENCE)
    ground = np.s_[20:, :]  # cells below the sky
    shaded = SCENE * np.linspace(0.7, 1.1, COLUMNS, dtype=np.float32)[None, :, None] * np.float32((1.1, 1.0, 0.85))
    assert np.quantile(difference(one, look_of(shot(shaded, 1.0, 5)))[ground], 0.99) < 0.2
    built = SCENE.copy()
    built[150:190, 200:260] = (0.10, 0.18, 0.45)
    apart = difference(one, look_of(shot(built, 1.0, 6)))
    assert apart[40:46, 53:62].min() > 0.3
    assert apart[ground][:, :40].max() < 0.2
