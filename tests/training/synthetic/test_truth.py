"""The truth of a rendered scene agrees with its pixels, its georeference, and other resolutions of the scene."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.features import rasterize

from errors import SettingsError
from training.synthetic import RenderedPair, SceneSpec, render_scene
from training.synthetic.landscape.world import build_world
from training.synthetic.rendering import render

ALIGNED_AND_EQUAL_LIGHT = {"misregistration_px": 0.0, "disturbance": 0.0}


@pytest.fixture(scope="module")
def pair() -> RenderedPair:
    """A place of 320 m × 260 m with all differences between dates that are no change."""
    return render_scene(SceneSpec(seed=40, width=640, height=520, gsd_m=0.5))


def _difference(pair: RenderedPair) -> NDArray[np.float32]:
    """Colour distance per pixel after each band is normalized to zero mean and unit variance."""
    views = []
    for image in (pair.before, pair.after):
        smooth = cv2.GaussianBlur(image, (0, 0), 3).astype(np.float32)
        views.append((smooth - smooth.mean(axis=(0, 1))) / smooth.std(axis=(0, 1)))
    distance: NDArray[np.float32] = np.linalg.norm(views[1] - views[0], axis=2)
    return distance


def test_changed_ground_differs_more_than_ground_that_did_not_change(pair: RenderedPair) -> None:
    changed = (pair.ground | pair.building) > 0
    assert 0.005 < changed.mean() < 0.5
    difference = _difference(pair)
    assert np.median(difference[changed]) > 1.5 * np.median(difference[~changed])


def test_unchanged_ground_differs_between_dates_too(pair: RenderedPair) -> None:
    # with identical unchanged ground a network would learn that any difference is a change
    unchanged = (pair.ground | pair.building) == 0
    grey = np.abs(pair.before.astype(np.int16) - pair.after).mean(axis=2)
    assert grey[unchanged].mean() > 6


def test_masks_and_polygons_agree(pair: RenderedPair) -> None:
    polygons = {
        kind: [c.polygon for c in pair.truth if c.kind == kind] for kind in ("construction", "ground", "demolition")
    }
    size = pair.ground.shape

    def mask(*kinds: str) -> NDArray[np.uint8]:
        shapes = [polygon for kind in kinds for polygon in polygons[kind]]
        if not shapes:
            return np.zeros(size, np.uint8)
        burnt: NDArray[np.uint8] = rasterize(shapes, size, transform=pair.spec.transform, dtype="uint8")
        return burnt

    # a pixel whose centre is on an outline may fall on either side after the translation to easting, northing
    assert np.count_nonzero(mask("construction", "demolition") != pair.building) <= 4
    assert np.count_nonzero(mask("ground") != pair.ground) <= 8


def test_direction_is_set_exactly_where_something_changed(pair: RenderedPair) -> None:
    changed = (pair.ground | pair.building) > 0
    assert np.array_equal(pair.direction != 0, changed)
    assert set(np.unique(pair.direction)) <= {-1, 0, 1}


def test_a_new_building_on_farmland_is_turned_ground_as_well(pair: RenderedPair) -> None:
    appeared = (pair.building > 0) & (pair.direction > 0)
    assert appeared.any()
    assert pair.ground[appeared].all()


def test_areas_are_those_of_the_masks(pair: RenderedPair) -> None:
    ground = sum(c.area_m2 for c in pair.truth if c.kind == "ground")
    assert ground == pytest.approx(float(pair.ground.sum()) * pair.spec.gsd_m**2, rel=0.02)


def test_new_roofs_are_visible_exactly_where_the_truth_says(monkeypatch: pytest.MonkeyPatch) -> None:
    # the same world once with and once without its new buildings: only they and their shadows may differ
    spec = SceneSpec(seed=37, width=360, height=360)
    built = render_scene(spec)
    world = build_world(spec)
    new = [building for site in world.changed for building in site.after.buildings]
    assert new
    rest = [building for building in world.after.buildings if building not in new]
    bare_world = dataclasses.replace(world, after=dataclasses.replace(world.after, buildings=rest))
    monkeypatch.setattr(render, "build_world", lambda _: bare_world)
    bare = render_scene(spec)
    differs = np.abs(built.after.astype(np.int16) - bare.after).max(axis=2) > 12
    mask = (built.building > 0) & (built.direction > 0)
    inside = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert inside.sum() > 500
    assert differs[inside].mean() > 0.9
    # eaves of up to 9 m cast shadows of less than 20 m
    far = cv2.dilate(mask.astype(np.uint8), np.ones((81, 81), np.uint8)) == 0
    assert differs[far].mean() < 0.001
    assert np.array_equal(built.before, bare.before)


def test_the_same_place_at_half_the_resolution_has_the_same_truth() -> None:
    fine = render_scene(SceneSpec(seed=21, width=512, height=384, gsd_m=0.5))
    coarse = render_scene(SceneSpec(seed=21, width=256, height=192, gsd_m=1.0))
    assert [c.kind for c in fine.truth] == [c.kind for c in coarse.truth]
    assert [c.area_m2 for c in fine.truth] == pytest.approx([c.area_m2 for c in coarse.truth], rel=1e-6)
    shrunk = cv2.resize(fine.ground.astype(np.float32), (256, 192), interpolation=cv2.INTER_AREA) > 0.5
    both = np.count_nonzero(shrunk & (coarse.ground > 0))
    assert both / np.count_nonzero(shrunk | (coarse.ground > 0)) > 0.95


def test_the_same_place_at_half_the_resolution_looks_the_same() -> None:
    fine = render_scene(SceneSpec(seed=21, width=512, height=384, gsd_m=0.5, **ALIGNED_AND_EQUAL_LIGHT))  # type: ignore[arg-type]
    coarse = render_scene(SceneSpec(seed=21, width=256, height=192, gsd_m=1.0, **ALIGNED_AND_EQUAL_LIGHT))  # type: ignore[arg-type]
    shrunk = cv2.resize(fine.after, (64, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.resize(coarse.after, (64, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.93


def test_a_pair_without_changes_has_an_empty_truth_and_still_differs() -> None:
    pair = render_scene(SceneSpec(seed=5, width=256, height=256, changes=0))
    assert pair.truth == []
    assert not pair.building.any()
    assert not pair.ground.any()
    assert not pair.direction.any()
    assert np.abs(pair.before.astype(np.int16) - pair.after).mean() > 4


@pytest.mark.parametrize(
    "fault", [{"width": 0}, {"height": -3}, {"gsd_m": 0.0}, {"gsd_m": 30.0}, {"seed": -1}], ids=lambda f: str(f)
)
def test_a_spec_that_cannot_be_rendered_is_refused(fault: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        SceneSpec(**({"seed": 1, "width": 64, "height": 64} | fault))  # type: ignore[arg-type]
