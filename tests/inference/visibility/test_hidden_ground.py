"""Cloud, overexposure and blur hide ground; white roofs, fields of film and images enlarged four times do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from enforcement.overlap_ratio import area_m2
from imagery import Patch
from inference.pair import Pair
from inference.visibility.hidden_ground import HIDDEN_BY, REASONS, HiddenGround, measure_hidden_ground
from inference.visibility.outlines import hidden_outlines
from tests.inference.scenes import textured

SIDE = 640
Image = NDArray[np.uint8]


class _ArraySource:
    def __init__(self, rgb: Image) -> None:
        self.rgb = rgb

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        rows, columns = (int(side) for side in geobox.shape)
        left, top, step = round(geobox.affine.c), round(geobox.affine.f), round(geobox.affine.a)
        part = self.rgb[top : top + rows * step, left : left + columns * step]
        return Patch(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.ones((rows, columns), bool))


def _hidden(before: Image, after: Image) -> HiddenGround:
    grid = GeoBox(before.shape[:2], Affine.identity(), None)
    return measure_hidden_ground(Pair(_ArraySource(before), _ArraySource(after), grid, 0.5, 0.25))


def _names(codes: NDArray[np.uint8]) -> set[str]:
    return {REASONS[code - 1] for code in np.unique(codes) if code}


def _cloud_mask() -> NDArray[np.float32]:
    """Return the opacity of a cloud of more than three hectares; its edge fades."""
    rough = cv2.resize(np.random.default_rng(8).random((3, 3)).astype(np.float32), (SIDE, SIDE))
    return np.asarray(np.clip((rough - np.quantile(rough, 0.6)) / 0.12, 0, 1))


@pytest.fixture(scope="module")
def ground() -> Image:
    return textured(SIDE, SIDE)


@pytest.fixture(scope="module")
def cloudy(ground: Image) -> Image:
    opacity = _cloud_mask()[..., None]
    return (ground * (1 - opacity) + np.array((244, 245, 248)) * opacity).astype(np.uint8)


def test_cloud_is_hidden_on_its_date_and_nothing_else_is(ground: Image, cloudy: Image) -> None:
    opacity = _cloud_mask()
    hidden = _hidden(ground, cloudy)
    assert not hidden.before.any()
    found = hidden.window(True, slice(0, SIDE), slice(0, SIDE)) > 0
    assert found[opacity > 0.6].mean() > 0.97
    assert found[opacity == 0].mean() < 0.02
    assert _names(hidden.after) == {"cloud"}
    earlier = _hidden(cloudy, ground)
    assert not earlier.after.any()
    assert np.array_equal(earlier.before > 0, hidden.after > 0)


def test_two_dates_of_clear_ground_hide_nothing(ground: Image) -> None:
    other = np.clip(ground * 0.8 + 30 + np.random.default_rng(0).normal(0, 4, ground.shape), 0, 255).astype(np.uint8)
    hidden = _hidden(ground, other)
    assert not hidden.before.any()
    assert not hidden.after.any()


def test_white_roofs_and_fields_are_no_cloud(ground: Image) -> None:
    built = ground.copy()
    for top, left, height, width in ((60, 60, 80, 160), (300, 80, 200, 200), (80, 400, 60, 60)):
        built[top : top + height, left : left + width] = 240
    turned = cv2.boxPoints(((450.0, 430.0), (180.0, 110.0), 30.0)).astype(np.int32)
    cv2.fillPoly(built, [turned], (236, 238, 236))
    assert not _hidden(ground, built).after.any()


def test_a_smooth_white_hall_of_more_than_a_hectare_is_no_cloud(ground: Image) -> None:
    built = ground.copy()
    outline = cv2.ellipse2Poly((320, 320), (140, 110), 20, 0, 360, 30)  # neither straight nor rectangular
    cv2.fillPoly(built, [outline], (238, 240, 238))
    assert not _hidden(ground, built).after.any()


@pytest.mark.parametrize("radius", [55, 90, 140])
@pytest.mark.parametrize("fades_over", [0.5, 0.8])
def test_a_small_cloud_is_hidden_and_a_white_hall_of_its_shape_is_not(
    ground: Image, radius: int, fades_over: float
) -> None:
    """Clouds from a quarter of a hectare on fade, halls of any size end at a sharp edge."""
    y, x = np.mgrid[:SIDE, :SIDE]
    bearing = np.arctan2(y - 320, x - 320)
    inside = radius * (1 + 0.2 * np.sin(3 * bearing)) - np.hypot(y - 320, x - 320)
    white = np.array((240, 242, 245))
    for fade, hidden in ((fades_over * radius, True), (1.0, False)):
        opacity = np.clip(inside / fade + 0.5, 0, 1)[..., None]
        covered = (ground * (1 - opacity) + white * opacity).astype(np.uint8)
        found = _hidden(ground, covered).after > 0
        core = cv2.resize((opacity[..., 0] >= 0.6).astype(np.uint8), found.shape[::-1]) > 0
        assert (found[core].mean() > 0.9) if hidden else not found.any()


def test_cloud_that_fills_the_image_is_hidden(ground: Image) -> None:
    overcast = (ground * 0.04 + np.array((228, 230, 234))).astype(np.uint8)
    assert (_hidden(ground, overcast).after > 0).mean() > 0.95


def test_blur_is_hidden_and_enlargement_is_not(ground: Image) -> None:
    blurred = cv2.GaussianBlur(ground, (0, 0), 6)
    assert _names(_hidden(ground, blurred).after) == {"blur"}
    assert (_hidden(ground, blurred).after > 0).mean() > 0.95
    half = ground.copy()
    half[:, 320:] = blurred[:, 320:]
    found = _hidden(half, ground).before > 0
    assert found[:, 100:].mean() > 0.95
    assert found[:, :55].mean() < 0.05
    small = cv2.resize(ground, (SIDE // 4, SIDE // 4), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    assert not _hidden(ground, enlarged).after.any()


def test_a_large_saturated_area_is_overexposed(ground: Image) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    glare = np.clip(2.2 - np.hypot(y - 320, x - 320) / 140, 0, 1)[..., None]
    burnt = np.clip(ground + 260.0 * glare, 0, 255).astype(np.uint8)
    hidden = _hidden(ground, burnt)
    assert (hidden.after[50:110, 50:110] > 0).mean() > 0.95
    assert hidden.after[:15, :15].mean() == 0
    assert _names(hidden.after) <= {"overexposure", "cloud"}


def test_windows_do_not_depend_on_their_size(ground: Image, cloudy: Image) -> None:
    hidden = _hidden(ground, cloudy)
    whole = hidden.both_dates(slice(0, SIDE), slice(0, SIDE))
    assert set(np.unique(whole)) == {0, 1 + HIDDEN_BY.index("cloud on the later date")}
    part = hidden.both_dates(slice(123, 401), slice(57, 300))
    assert np.array_equal(part, whole[123:401, 57:300])
    # the earlier date is read where registration says that its ground is
    moved = HiddenGround(hidden.after, np.zeros_like(hidden.before))
    shift = np.full((200, 200, 2), (40.0, -16.0), np.float32)
    expected = moved.both_dates(slice(84, 284), slice(140, 340))
    assert np.array_equal(moved.both_dates(slice(100, 300), slice(100, 300), shift), expected)
    assert 1 + HIDDEN_BY.index("cloud on the earlier date") in expected


def test_outlines_separate_what_another_earlier_image_would_show() -> None:
    before, after = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint8)
    before[10:40, 10:60], after[10:40, 40:90], before[80:84, 80:84] = 1, 1, 1
    grid = GeoBox((400, 400), Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000), "EPSG:32650")
    outlines = hidden_outlines(HiddenGround(before, after), grid)
    assert {date: area_m2(outline) for date, outline in outlines.items()} == pytest.approx(
        {"earlier": 30 * 30 * 4, "later": 30 * 50 * 4}, rel=0.002
    )
    assert outlines["earlier"].intersection(outlines["later"]).area < 1e-12
    assert hidden_outlines(HiddenGround(before, after), GeoBox((400, 400), Affine.identity(), None)) == {}
