"""Rendered images: repeatable, of any size, seamless, misregistered within limits, lit from the right side."""

from __future__ import annotations

import dataclasses
import datetime as dt

import cv2
import numpy as np
import pytest

from training.synthetic import SceneSpec, random_spec, render_scene
from training.synthetic.imaging import misregistration_field
from training.synthetic.light import cast_shadows, sun_position
from training.synthetic.noise import noise_octave
from training.synthetic.raster_window import Window
from training.synthetic.rendering import render


def test_the_same_spec_gives_the_same_pixels() -> None:
    spec = SceneSpec(seed=3, width=200, height=160)
    first, second = render_scene(spec), render_scene(spec)
    for name in ("before", "after", "building", "ground", "direction"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert first.truth == second.truth


def test_another_seed_gives_another_place() -> None:
    images = [render_scene(SceneSpec(seed=seed, width=96, height=96)).after for seed in (1, 2)]
    assert np.abs(images[0].astype(np.int16) - images[1]).mean() > 8


@pytest.mark.parametrize(("width", "height", "gsd"), [(64, 64, 0.1), (37, 150, 0.5), (300, 41, 2.0), (1, 1, 0.5)])
def test_any_size_and_resolution_renders(width: int, height: int, gsd: float) -> None:
    pair = render_scene(SceneSpec(seed=8, width=width, height=height, gsd_m=gsd))
    assert pair.before.shape == pair.after.shape == (height, width, 3)
    assert pair.before.dtype == pair.after.dtype == np.uint8
    assert pair.building.shape == pair.ground.shape == pair.direction.shape == (height, width)
    assert pair.direction.dtype == np.int8


def test_blocks_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SceneSpec(seed=6, width=320, height=256)
    single = render_scene(spec).after.astype(np.int16)
    monkeypatch.setattr(render, "_BLOCK_PX", 128)
    blocks = render_scene(spec).after.astype(np.int16)
    difference = np.abs(single - blocks).mean(axis=2)
    seams = difference[:, [126, 127, 128, 129, 254, 255, 256, 257]]
    assert difference.mean() < 1.0
    assert seams.mean() < 2.0


def test_misregistration_stays_within_its_limit() -> None:
    field = misregistration_field(Window(0, 0, 0.5, 400, 300), 2.0, key=9)
    length = np.hypot(field[..., 0], field[..., 1])
    assert length.max() <= 2.0
    assert length.max() > 0.3
    # smooth: neighbouring pixels shift alike
    assert np.abs(np.diff(field, axis=1)).max() < 0.06


def test_misregistration_moves_the_earlier_image_and_not_the_later() -> None:
    aligned = SceneSpec(seed=13, width=128, height=128, misregistration_px=0.0)
    shifted = dataclasses.replace(aligned, misregistration_px=2.0)
    a, b = render_scene(aligned), render_scene(shifted)
    assert np.abs(a.before.astype(np.int16) - b.before).mean() > 1.0
    assert np.abs(a.after.astype(np.int16) - b.after).mean() < 1.0


def test_a_lower_sun_casts_a_longer_shadow_away_from_it() -> None:
    height = np.zeros((120, 120), np.float32)
    height[58:62, 58:62] = 6.0
    lengths = []
    for hour in (8.0, 10.0):  # the morning sun is in the south-east
        sun = sun_position(dt.date(2026, 3, 20), hour, 30.9)
        assert sun.east > 0
        assert sun.south > 0
        rows, columns = np.nonzero(cast_shadows(height, sun, 0.5, 6.0) > 0.5)
        assert rows.mean() < 58
        assert columns.mean() < 58
        lengths.append(np.hypot(60 - rows.min(), 60 - columns.min()) * 0.5)
        assert lengths[-1] == pytest.approx(6.0 / sun.tangent, abs=2.5)
    assert lengths[0] > lengths[1]


def test_noise_is_anchored_to_the_ground_and_not_to_the_window() -> None:
    full = noise_octave(Window(0.0, 0.0, 0.5, 200, 200), 9.0, key=4)
    part = noise_octave(Window(40.0, 25.0, 0.5, 60, 70), 9.0, key=4)
    assert np.allclose(full[50:120, 80:140], part, atol=0.06)
    coarse = noise_octave(Window(0.0, 0.0, 1.0, 100, 100), 9.0, key=4)
    assert np.corrcoef(cv2.resize(full, (100, 100), interpolation=cv2.INTER_AREA).ravel(), coarse.ravel())[0, 1] > 0.98


def test_random_specs_vary_and_some_are_without_change() -> None:
    rng = np.random.default_rng(2)
    specs = [random_spec(rng, size=128, gsd=(0.3, 1.0)) for _ in range(60)]
    assert {(s.width, s.height) for s in specs} == {(128, 128)}
    assert all(0.3 <= s.gsd_m <= 1.0 for s in specs)
    assert 2 <= sum(s.changes == 0 for s in specs) <= 20
    assert len({s.seed for s in specs}) == 60
    assert all(s.dates[0] < s.dates[1] for s in specs)


def test_random_scenes_mostly_show_a_change() -> None:
    rng = np.random.default_rng(5)
    specs = [dataclasses.replace(random_spec(rng, size=64, gsd=(1.5, 2.0)), changes=None) for _ in range(6)]
    assert sum(bool(render_scene(spec).truth) for spec in specs) >= 4
