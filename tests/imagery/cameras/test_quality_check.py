"""Quality check, light and frame difference: good captures pass in any light, each fault is detected."""

from __future__ import annotations

import datetime as dt

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imagery.cameras.camera import Capture, Frame, Quality
from imagery.cameras.capture import FROZEN
from imagery.cameras.frame_difference import describe_frame, difference
from imagery.cameras.illumination import measure_light, similar_light
from imagery.cameras.quality_check import check_quality

TAKEN_AT = dt.datetime(2026, 5, 4, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))
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


def photograph(reflectance: NDArray[np.float32], gain: float = 1.0, noise_key: int = 0) -> Frame:
    """Frame as a camera sends it, with noise."""
    rng = np.random.default_rng((9, noise_key))
    light = 255 * np.sqrt(np.clip(reflectance * gain, 0, 1)) + rng.normal(0, 1.5, reflectance.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


SCENE = scene()
REFERENCE = photograph(SCENE)


def fault_codes(frame: Frame, reference: Frame | None = REFERENCE) -> list[str]:
    quality = check_quality(Capture(frame, TAKEN_AT), reference).quality
    assert quality is not None
    return [fault.code for fault in quality.faults]


def moved_frame(frame: Frame, x: float, y: float, degrees: float) -> Frame:
    """Frame of a camera that was displaced and rotated."""
    motion = cv2.getRotationMatrix2D((COLUMNS / 2, ROWS / 2), degrees, 1.0)
    motion[:, 2] += (x, y)
    return np.asarray(cv2.warpAffine(frame, motion, (COLUMNS, ROWS), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.4])
def test_good_capture_passes_in_any_light(gain: float) -> None:
    checked = check_quality(Capture(photograph(SCENE, gain, 1), TAKEN_AT), REFERENCE)
    assert checked.quality is not None
    assert checked.quality.usable
    assert checked.quality.motion_px == 0
    assert checked.light is not None
    assert checked.light.hour == 12


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (photograph(SCENE, 0.01, 1), "dark"),
        (photograph(SCENE, 6.0, 1), "overexposed"),
        (cv2.GaussianBlur(REFERENCE, (0, 0), 3.0), "blurred"),
        ((REFERENCE * 0.1 + 170).astype(np.uint8), "fogged"),
        (np.where(np.arange(COLUMNS)[None, :, None] < 200, 60, REFERENCE).astype(np.uint8), "blocked"),
        (moved_frame(REFERENCE, 45, 10, 0), "moved"),
        (photograph(scene(8)), "moved"),
        (REFERENCE[:, :470].copy(), "size"),
    ],
)
def test_each_fault_is_detected(frame: Frame, code: str) -> None:
    assert fault_codes(frame) == [code]


def test_a_large_change_in_front_of_an_unmoved_camera_is_no_motion() -> None:
    changed = photograph(SCENE, 1.0, 2).copy()
    half = COLUMNS // 2
    shifted = moved_frame(REFERENCE, 0, 25, 0)
    changed[:, half:] = shifted[:, half:]  # machines and material on half of the frame moved
    assert fault_codes(changed) == []


def test_small_camera_motion_is_undone() -> None:
    displaced = moved_frame(photograph(SCENE, 1.0, 2), 4.0, -3.0, 0.4)
    checked = check_quality(Capture(displaced, TAKEN_AT), REFERENCE)
    assert checked.quality is not None
    assert checked.quality.usable
    assert checked.quality.motion_px == pytest.approx(5.4, abs=1.5)
    inner = np.s_[70:-20, 20:-20]
    remaining = np.abs(checked.frame.astype(float) - REFERENCE)[inner].mean()
    assert remaining < 0.4 * np.abs(displaced.astype(float) - REFERENCE)[inner].mean()


def test_identical_pixels_mean_a_frozen_stream() -> None:
    capture = Capture(REFERENCE, TAKEN_AT, sha256="a" * 64)
    frozen, fresh = (check_quality(capture, REFERENCE, before * 64).quality for before in "ab")
    assert frozen is not None
    assert fresh is not None
    assert [fault.code for fault in frozen.faults] == ["frozen"]
    assert fresh.usable


def test_faults_found_while_fetching_are_kept() -> None:
    quality = check_quality(Capture(REFERENCE, TAKEN_AT, Quality((FROZEN,))), REFERENCE).quality
    assert quality is not None
    assert quality.faults == (FROZEN,)


def test_first_frame_is_checked_without_a_reference() -> None:
    assert fault_codes(REFERENCE, None) == []
    assert fault_codes(np.full_like(REFERENCE, 120), None) == ["fogged"]


def test_captures_in_similar_light_are_ordered_by_similarity() -> None:
    lights = [
        measure_light(photograph(SCENE, gain, 4), TAKEN_AT.replace(hour=hour))
        for gain, hour in ((1, 12), (0.15, 12), (1, 8), (0.9, 13))
    ]
    assert similar_light(measure_light(REFERENCE, TAKEN_AT), lights)[:2] == [0, 3]
    assert 1 not in similar_light(measure_light(REFERENCE, TAKEN_AT), lights)


def test_difference_responds_to_new_objects_and_not_to_light() -> None:
    reference = describe_frame(REFERENCE)
    ground = np.s_[20:, :]  # cells below the sky
    shaded = SCENE * np.linspace(0.7, 1.1, COLUMNS, dtype=np.float32)[None, :, None] * np.float32((1.1, 1.0, 0.85))
    assert np.quantile(difference(reference, describe_frame(photograph(shaded, 1.0, 5)))[ground], 0.99) < 0.2
    built = SCENE.copy()
    built[150:190, 200:260] = (0.10, 0.18, 0.45)
    changed = difference(reference, describe_frame(photograph(built, 1.0, 6)))
    assert changed[40:46, 53:62].min() > 0.3
    assert changed[ground][:, :40].max() < 0.2
