"""Registration: recovers known displacements, tolerates changes in appearance, refuses what cannot be measured."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from imagery import Patch
from inference.registration.measure import Alignment, AlignSettings, measure_alignment

SIDE = 512
SETTINGS = AlignSettings()


class ArrayImage:
    """An image in memory on a grid, with the interface of a scene."""

    def __init__(self, rgb: NDArray, grid: GeoBox, valid: NDArray | None = None) -> None:
        self.rgb, self.grid = rgb, grid
        self.valid = np.ones(rgb.shape[:2], bool) if valid is None else valid

    def read(self, geobox: GeoBox, shift: NDArray | None = None) -> Patch:
        to_image = ~self.grid.affine @ geobox.affine
        height, width = geobox.shape
        zoom = round(to_image.a)
        small, mask = (
            cv2.resize(a, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
            for a in (self.rgb, self.valid.astype(np.uint8))
        )
        x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        if shift is not None:
            x, y = x + shift[..., 0], y + shift[..., 1]
        x = ((x + 0.5) * to_image.a + to_image.c) / zoom - 0.5
        y = ((y + 0.5) * to_image.e + to_image.f) / zoom - 0.5
        at = x.astype(np.float32), y.astype(np.float32)
        valid = cv2.remap(mask, *at, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) > 0
        rgb = cv2.remap(small, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
        rgb[~valid] = 0
        return Patch(rgb, valid)


class Landscape:
    """A landscape of any size in constant memory: a coarse image of all of it plus a repeating fine one."""

    def __init__(self, grid: GeoBox, dx: float = 0.0, dy: float = 0.0) -> None:
        self.grid, self.dx, self.dy = grid, dx, dy
        self.coarse, self.fine = town(30, 1024), town(31, 1024)
        self.pixels_read = 0
        self.largest_read = 0

    def read(self, geobox: GeoBox, shift: NDArray | None = None) -> Patch:
        to_grid = ~self.grid.affine @ geobox.affine
        height, width = geobox.shape
        self.pixels_read += height * width
        self.largest_read = max(self.largest_read, height * width)
        x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        if shift is not None:
            x, y = x + shift[..., 0], y + shift[..., 1]
        x, y = (x + 0.5) * to_grid.a + to_grid.c + self.dx, (y + 0.5) * to_grid.e + to_grid.f + self.dy
        blown_up = self.grid.width / 1024
        where = (x / blown_up - 0.5).astype(np.float32), (y / blown_up - 0.5).astype(np.float32)
        rgb = cv2.remap(self.coarse, *where, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        if to_grid.a < 4:
            where = ((x - 0.5) % 1024).astype(np.float32), ((y - 0.5) % 1024).astype(np.float32)
            rgb = cv2.addWeighted(rgb, 0.5, cv2.remap(self.fine, *where, cv2.INTER_LINEAR), 0.5, 0.0)
        return Patch(rgb, np.ones((height, width), bool))


def metric_grid(height: int = SIDE, width: int = SIDE, gsd: float = 0.5) -> GeoBox:
    return GeoBox((height, width), Affine(gsd, 0, 500_000, 0, -gsd, 3_000_000), "EPSG:32650")


def town(seed: int, side: int = SIDE) -> NDArray[np.uint8]:
    """Return textured fields with roads and houses: features to match everywhere."""
    rng = np.random.default_rng(seed)
    ground = np.zeros((side, side), np.float32)
    for cell, strength in ((96, 30.0), (24, 15.0), (6, 10.0)):
        coarse = rng.normal(0, 1, (side // cell + 3, side // cell + 3)).astype(np.float32)
        ground += strength * cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    rgb = np.clip(ground[..., None] + (105.0, 115.0, 90.0), 0, 255)
    for _ in range(side // 64):
        ends = rng.integers(0, side, 4)
        cv2.line(rgb, (int(ends[0]), 0), (int(ends[1]), side), (170, 165, 160), int(rng.integers(3, 8)), cv2.LINE_AA)
        cv2.line(rgb, (0, int(ends[2])), (side, int(ends[3])), (150, 150, 150), int(rng.integers(3, 8)), cv2.LINE_AA)
    for _ in range(side * side // 3000):
        centre = tuple(float(v) for v in rng.uniform(0, side, 2))
        box = (centre, tuple(float(v) for v in rng.uniform(8, 26, 2)), float(rng.uniform(0, 90)))
        shade = rng.uniform(60, 240, 3)
        cv2.fillConvexPoly(rgb, cv2.boxPoints(box).astype(np.int32), tuple(float(v) for v in shade), cv2.LINE_AA)
    return np.clip(rgb + rng.normal(0, 2.0, rgb.shape), 0, 255).astype(np.uint8)


def pixels(side: int = SIDE) -> tuple[NDArray, NDArray]:
    """Return columns and rows relative to the centre."""
    at = np.arange(side, dtype=np.float64) - (side - 1) / 2
    y, x = np.meshgrid(at, at, indexing="ij")
    return x, y


def shifted(dx: float, dy: float, side: int = SIDE) -> NDArray:
    return np.tile(np.array([dx, dy]), (side, side, 1))


def rotated(degrees: float, scale: float = 1.0, side: int = SIDE) -> NDArray:
    x, y = pixels(side)
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.dstack([cos * x - sin * y - x, sin * x + cos * y - y])


def distorted(amplitude: float = 3.0, side: int = SIDE) -> NDArray:
    x, y = (2 * np.pi * v / side for v in pixels(side))
    return amplitude * np.dstack([np.sin(x) * np.cos(0.7 * y), np.cos(0.8 * x + 1.0) * np.sin(y)])


def moved(rgb: NDArray, truth: NDArray) -> tuple[NDArray, NDArray]:
    """Return the later image for a true shift field, and its valid mask."""
    x, y = pixels(len(rgb))
    centre = (len(rgb) - 1) / 2
    at = (x + truth[..., 0] + centre).astype(np.float32), (y + truth[..., 1] + centre).astype(np.float32)
    valid = (at[0] >= 1) & (at[1] >= 1) & (at[0] <= len(rgb) - 2) & (at[1] <= len(rgb) - 2)
    out = cv2.remap(rgb, *at, cv2.INTER_CUBIC)
    out[~valid] = 0
    return out, valid


def align(
    before: NDArray, after: NDArray, valid: NDArray | None = None, settings: AlignSettings = SETTINGS
) -> Alignment:
    grid = metric_grid(*before.shape[:2])
    return measure_alignment(ArrayImage(before, grid), ArrayImage(after, grid, valid), grid, settings)


def error_px(alignment: Alignment, truth: NDArray, valid: NDArray) -> NDArray:
    """Return the length of the error at each valid pixel."""
    height, width = valid.shape
    field = alignment.shift(slice(0, height), slice(0, width))
    found = np.zeros_like(truth) if field is None else field
    return np.linalg.norm((found - truth)[valid], axis=-1)


# ---- known displacements -------------------------------------------------------------------------------------------


def test_identical_images_give_the_identity() -> None:
    image = town(1)
    alignment = align(image, image)
    assert alignment.usable
    assert alignment.reason is None
    assert alignment.shift(slice(0, SIDE), slice(0, SIDE)) is None
    assert alignment.residual_px is not None
    assert alignment.residual_px < 0.02


@pytest.mark.parametrize(
    ("truth", "limit"),
    [
        pytest.param(shifted(7, -4), 0.05, id="whole pixels"),
        pytest.param(shifted(-2.4, 1.3), 0.15, id="fractions of pixels"),
        pytest.param(shifted(20, -15), 0.1, id="25 px"),
        pytest.param(rotated(1.5), 0.15, id="1.5 degrees"),
        pytest.param(rotated(-2.0), 0.15, id="-2 degrees"),
        pytest.param(rotated(0.0, 0.99), 0.15, id="scale 0.99"),
        pytest.param(rotated(0.0, 1.01), 0.15, id="scale 1.01"),
        pytest.param(rotated(1.0, 1.01) + shifted(12, 9), 0.15, id="all combined"),
    ],
)
def test_a_similarity_transform_is_recovered_everywhere(truth: NDArray, limit: float) -> None:
    before = town(2)
    after, valid = moved(before, truth)
    alignment = align(before, after, valid)
    assert alignment.usable, alignment.reason
    assert np.percentile(error_px(alignment, truth, valid), 95) < limit


def test_a_local_distortion_of_3_px_is_recovered() -> None:
    before, truth = town(3), distorted(3.0)
    after, valid = moved(before, truth)
    error = error_px(align(before, after, valid), truth, valid)
    assert np.median(np.linalg.norm(truth, axis=-1)) > 1.5
    assert np.median(error) < 0.4
    assert np.percentile(error, 90) < 0.9


def test_the_residual_measures_the_remaining_shift() -> None:
    before, truth = town(4), shifted(6, 8)
    after, valid = moved(before, truth)
    alignment = align(before, after, valid)
    assert alignment.residual_before_px == pytest.approx(10.0, abs=0.1)
    assert alignment.residual_px is not None
    assert alignment.residual_p90_px is not None
    assert alignment.residual_px <= alignment.residual_p90_px < 0.2
    assert 0 < alignment.windows_used <= alignment.windows_tried


# ---- invariance to light, season and changes -----------------------------------------------------------------------


def test_brightness_contrast_and_haze_are_tolerated() -> None:
    before, truth = town(5), shifted(5.5, -3.5)
    after, valid = moved(before, truth)
    hazy = np.clip(120 + 0.4 * (255 * (after / 255.0) ** 1.6), 0, 255).astype(np.uint8)
    assert np.percentile(error_px(align((before / 2.5).astype(np.uint8), hazy, valid), truth, valid), 95) < 0.2


def test_fields_with_inverted_contrast_are_tolerated() -> None:
    before, truth = town(6), shifted(-4.5, 6.0)
    after, valid = moved(before, truth)
    after[:256, :256] = 255 - after[:256, :256]
    after[300:, 200:400] = 255 - after[300:, 200:400]
    assert np.percentile(error_px(align(before, after, valid), truth, valid), 95) < 0.3


def test_changes_on_a_third_of_the_ground_are_tolerated() -> None:
    before, truth = town(7), shifted(8.0, 5.0) + rotated(0.6)
    after, valid = moved(before, truth)
    other = town(77)
    cells = np.random.default_rng(0).permutation(64)[:20]
    for cell in cells:
        cell_slice = np.s_[cell // 8 * 64 : cell // 8 * 64 + 64, cell % 8 * 64 : cell % 8 * 64 + 64]
        after[cell_slice] = other[cell_slice]
    error = error_px(align(before, after, valid), truth, valid)
    assert np.median(error) < 0.15
    assert np.percentile(error, 95) < 0.5


def test_a_missing_block_is_tolerated() -> None:
    before, truth = town(8), shifted(6.0, -2.5)
    after, valid = moved(before, truth)
    valid[100:300, 200:512] = False
    after[~valid] = 0
    everywhere = np.ones_like(valid)
    assert error_px(align(before, after, valid), truth, everywhere).max() < 0.3


@pytest.mark.parametrize(("side", "limit"), [(256, 0.2), (64, 0.5)])
def test_small_images_are_registered(side: int, limit: float) -> None:
    before, truth = town(9, side), shifted(3.3, -2.2, side)
    after, valid = moved(before, truth)
    alignment = align(before, after, valid)
    assert alignment.usable, alignment.reason
    assert np.median(error_px(alignment, truth, valid)) < limit


def test_a_pair_without_coordinates_is_registered() -> None:
    before, truth = town(10), shifted(9.0, -11.0)
    after, valid = moved(before, truth)
    grid = GeoBox((SIDE, SIDE), Affine.identity(), None)
    alignment = measure_alignment(ArrayImage(before, grid), ArrayImage(after, grid, valid), grid, SETTINGS)
    assert np.percentile(error_px(alignment, truth, valid), 95) < 0.1


# ---- pairs that cannot be measured ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_images_of_different_places_are_refused(seed: int) -> None:
    alignment = align(town(seed), town(seed + 100))
    assert not alignment.usable
    assert "in common" in (alignment.reason or "")
    assert alignment.residual_px is None


def test_a_shift_beyond_the_search_range_is_refused() -> None:
    before = town(24)
    after, valid = moved(before, shifted(120, 90))
    alignment = align(before, after, valid, replace(SETTINGS, search_m=10.0, search_px=16.0))
    assert not alignment.usable
    assert alignment.reason


def test_a_residual_above_the_limit_is_refused_with_both_numbers() -> None:
    before = town(25)
    after, valid = moved(before, shifted(3.3, 2.7))
    alignment = align(before, after, valid, replace(SETTINGS, max_residual_px=1e-6))
    assert not alignment.usable
    assert "above the limit" in (alignment.reason or "")
    assert alignment.residual_px is not None


def test_images_without_common_valid_ground_are_refused() -> None:
    image = town(26)
    left = np.zeros((SIDE, SIDE), bool)
    left[:, :200] = True
    grid = metric_grid()
    before = ArrayImage(image, grid, left)
    alignment = measure_alignment(before, ArrayImage(image, grid, ~left), grid, SETTINGS)
    assert not alignment.usable
    assert alignment.windows_used == 0


def test_featureless_ground_on_both_dates_is_accepted_without_registration() -> None:
    calm = np.full((SIDE, SIDE, 3), 90, np.uint8)
    alignment = align(calm, calm + np.uint8(20))
    assert alignment.usable
    assert alignment.residual_px is None
    assert "too little texture" in (alignment.reason or "")
    assert alignment.shift(slice(0, 8), slice(0, 8)) is None


def test_featureless_ground_is_refused_by_setting() -> None:
    calm = np.full((SIDE, SIDE, 3), 90, np.uint8)
    assert not align(calm, calm, settings=replace(SETTINGS, accept_featureless=False)).usable


def test_featureless_ground_without_coordinates_is_refused() -> None:
    grid = GeoBox((SIDE, SIDE), Affine.identity(), None)
    calm = ArrayImage(np.full((SIDE, SIDE, 3), 90, np.uint8), grid)
    assert not measure_alignment(calm, calm, grid, SETTINGS).usable


def test_cloud_over_one_date_is_refused() -> None:
    alignment = align(town(27), np.full((SIDE, SIDE, 3), 235, np.uint8))
    assert not alignment.usable
    assert "the later image shows next to no texture" in (alignment.reason or "")


# ---- other ---------------------------------------------------------------------------------------------------------


def test_the_summary_is_json_and_reproducible() -> None:
    before = town(28)
    after, valid = moved(before, rotated(1.0, 1.005) + shifted(2, 3))
    first, second = (json.dumps(align(before, after, valid).summary()) for _ in range(2))
    assert first == second
    summary = json.loads(first)
    assert summary["rotation_deg"] == pytest.approx(1.0, abs=0.02)
    assert summary["scale"] == pytest.approx(1.005, abs=0.0005)
    assert summary["shift_px"] == pytest.approx([2.0, 3.0], abs=0.1)


def test_progress_runs_from_zero_to_one() -> None:
    grid, fractions = metric_grid(), []
    image = ArrayImage(town(29), grid)
    measure_alignment(image, image, grid, SETTINGS, fractions.append)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)


def test_the_cost_of_a_huge_pair_is_bounded() -> None:
    grid = metric_grid(16_000, 16_000)
    before, after = Landscape(grid), Landscape(grid, 14.0, -9.0)
    alignment = measure_alignment(before, after, grid, replace(SETTINGS, max_windows=8))
    assert alignment.usable, alignment.reason
    np.testing.assert_allclose(alignment.field.at(np.array([[8000.0, 8000.0]])), [[14.0, -9.0]], atol=0.2)
    assert before.pixels_read < 12_000_000
    assert max(before.largest_read, after.largest_read) < 2_100_000
