"""Pictures: both dates show the same ground, north up, with correct outlines, scale bars and labels."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image
from shapely.geometry import box

from inference.outputs.crop_evidence import NO_DATA_COLOUR, View, close_up, crop_evidence, overview, shift_on_geobox
from inference.outputs.report_labels import Mark, place_labels
from inference.outputs.thumbnails import COLOURS, jpeg_within, thumbnail, with_outline
from inference.registration.shift_field import Lattice, ShiftField


def _dot(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the centre of the white pixels as (x, y), pixel corners at whole numbers."""
    rows, columns = np.nonzero(picture.min(axis=2) > 200)
    return columns.mean() + 0.5, rows.mean() + 0.5


def _expected(view: View, at: tuple[float, float]) -> tuple[float, float]:
    return ~view.geobox.affine @ at


@pytest.mark.parametrize("crs", ["EPSG:32650", None])
def test_a_dot_is_at_the_same_position_on_both_dates_despite_a_displacement(crs, make_scan, painted):
    corner = (400.0, 300.0)
    unit = 0.5 if crs else 1.0
    down = -1 if crs else 1
    # the earlier image is displaced by 4 px to the right and 6 px down
    result = make_scan(crs, corner, kinds=("construction",), shift=(4.0, 6.0))
    truth = (corner[0] + 5.3, corner[1] - down * 12.7)
    before, after = painted([truth], off=(4 * unit, down * 6 * unit)), painted([truth])
    for view in (close_up(result, result.changes[0], 512), overview(result, 1600)):
        crop = crop_evidence(result, before, after, view)
        # the close-up is enlarged from grid pixels, of which the hard-edged dot is resolved to a tenth
        off = 0.2 if view.metre_px >= 0.5 else 0.12 * 0.5 / view.metre_px
        assert _dot(crop.after) == pytest.approx(_expected(view, truth), abs=off)
        assert _dot(crop.before) == pytest.approx(_expected(view, truth), abs=1.5 * off)


def test_north_is_up(make_scan, painted):
    result = make_scan(kinds=("construction",))
    x, y = result.changes[0].polygon.centroid.coords[0]
    crop = crop_evidence(result, painted([]), painted([(x, y + 20)]), close_up(result, result.changes[0], 512))
    column, row = _dot(crop.after)
    assert row < 256 - 50
    assert column == pytest.approx(256, abs=1)


def test_a_picture_of_a_rotated_grid_is_north_up(make_scan, painted):
    result = make_scan(kinds=("construction",), shift=(4.0, 6.0))
    x, y = result.changes[0].polygon.centroid.coords[0]
    rotated = Affine.translation(x, y) @ Affine.rotation(20) @ Affine.scale(0.5, -0.5) @ Affine.translation(-300, -300)
    result = replace(result, grid=GeoBox((600, 600), rotated, "EPSG:32650"))
    east, south = np.subtract(rotated @ (4, 6), rotated @ (0, 0))
    truth = (x + 3, y + 20)
    before, after = painted([truth], off=(east, south)), painted([truth])
    crop = crop_evidence(result, before, after, close_up(result, result.changes[0], 512))
    assert _dot(crop.before) == pytest.approx(_dot(crop.after), abs=0.3)
    assert _dot(crop.after)[1] < 256 - 50


@pytest.mark.parametrize("zoom", [0.2, 1.0, 13.0])
def test_a_local_field_is_the_same_at_every_zoom(zoom, make_scan):
    result = make_scan()
    nodes = np.random.default_rng(5).normal(0, 2, (4, 5, 2))
    field = ShiftField(
        (400.0, 300.0), np.array([[3.0, -2.0], [0.01, 0.0], [0.0, 0.01]]), Lattice(0, 0, 200, 200, 5, 4), nodes
    )
    alignment = replace(result.alignment, field=field, max_shift_px=9.0)
    rows, columns = (min(int(side / zoom), 300) for side in result.grid.shape)
    geobox = GeoBox((rows, columns), result.grid.affine @ Affine.scale(zoom), result.grid.crs)
    found = shift_on_geobox(alignment, result.grid, geobox)
    centres = [(np.arange(n) + 0.5) * zoom - 0.5 for n in (columns, rows)]
    assert found is not None
    assert np.abs(found * zoom - field.raster(*centres)).max() < 0.1


def test_the_identity_is_resampled_to_none(make_scan):
    result = make_scan()
    assert shift_on_geobox(result.alignment, result.grid, result.grid) is None


def test_pixels_without_data_are_grey(make_scan, painted):
    result = make_scan(kinds=("construction",))
    x, _ = result.changes[0].polygon.centroid.coords[0]
    crop = crop_evidence(result, painted([], edge=x), painted([]), close_up(result, result.changes[0], 512))
    assert tuple(crop.before[256, 400]) == NO_DATA_COLOUR
    assert not crop.complete
    assert crop.before[256, 100].tolist() == crop.after[256, 400].tolist() == [90, 90, 90]


def test_an_outline_is_drawn_at_its_position(make_scan, painted):
    result = make_scan(kinds=("construction",))
    change = result.changes[0]
    view = close_up(result, change, 512)
    drawn = with_outline(
        crop_evidence(result, painted([]), painted([]), view).after, view, change.polygon, COLOURS["construction"]
    )
    rows, columns = np.nonzero((drawn == COLOURS["construction"]).all(axis=2))
    west, south, east, north = change.polygon.bounds
    corners = [_expected(view, (west, north)), _expected(view, (east, south))]
    assert (columns.min() + 0.5, rows.min() + 0.5) == pytest.approx(corners[0], abs=1.5)
    assert (columns.max() + 0.5, rows.max() + 0.5) == pytest.approx(corners[1], abs=1.5)


def test_a_thumbnail_has_a_caption_below_the_complete_picture(make_scan, painted):
    result = make_scan(kinds=("construction",))
    change, view = result.changes[0], close_up(result, result.changes[0], 512)
    picture = crop_evidence(result, painted([]), painted([]), view).after
    data = thumbnail(picture, view, change.polygon, "construction", 1, "after", None)
    image = np.asarray(Image.open(io.BytesIO(data)))
    assert image.shape == (546, 512, 3)
    assert abs(image[10, 10].astype(int) - 90).max() < 6
    assert image[520, 300].min() > 235


@pytest.mark.parametrize(
    ("metre_px", "expected"), [(0.1, (100, "10 m")), (0.14, (71, "10 m")), (1.0, (100, "100 m")), (30.0, (67, "2 km"))]
)
def test_a_scale_bar_has_a_round_length_that_fits(metre_px, expected):
    view = View(GeoBox((512, 512), Affine(metre_px, 0, 0, 0, -metre_px, 0), "EPSG:32650"), metre_px)
    assert view.scale_bar(128) == expected


def test_a_close_up_contains_the_change_and_its_surroundings(make_scan):
    result = make_scan(kinds=("construction",))
    view = close_up(result, result.changes[0], 512)
    assert view.width == view.height == 512
    assert view.width * view.metre_px == pytest.approx(144 * 0.5)


def test_a_close_up_at_the_edge_is_moved_inwards(make_scan):
    result = make_scan(kinds=("construction",))
    left, top = result.grid.affine @ (0, 0)
    change = replace(result.changes[0], polygon=box(left, top - 12, left + 12, top))
    view = close_up(result, change, 512)
    assert view.geobox.affine @ (0, 0) == pytest.approx((left, top))
    assert view.width == view.height == 512


def test_a_jpeg_stays_within_its_size_limit():
    noise = np.random.default_rng(1).integers(0, 256, (512, 512, 3), np.uint8)
    assert len(jpeg_within(noise, 400, 12_000)) <= 12_000


def test_labels_on_the_overview_do_not_overlap():
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 1500, (300, 2))
    marks = [Mark(n, "ground", np.array([at, at + 20]), 400.0) for n, at in enumerate(corners, 1)]
    boxes = [
        (p.x, p.y - 0.8 * p.font, p.x + 0.6 * p.font * len(str(p.number)), p.y)
        for p in place_labels(marks, 1600, 1600)
        if p.shown
    ]
    assert len(boxes) > 200
    for index, one in enumerate(boxes):
        assert min(one) >= 0
        assert not any(
            one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
            for other in boxes[index + 1 :]
        )
