"""Registration by descriptors: finds known transforms where gradients see nothing, refuses other places."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.registration.alignment import AlignSettings
from inference.registration.descriptor_maps import DescriptorMap, correlation_surface, describe_level
from inference.registration.descriptor_search import find_peak
from inference.registration.measure import measure_alignment
from inference.registration.windows import Level
from model.descriptor import Descriptor, shared_descriptor
from tests.inference.registration.test_measure import ArrayImage, metric_grid, town

SETTINGS = AlignSettings(search_m=20.0, max_rotation_deg=0.0)


class MeanColour:
    """Describes a cell by its mean colour: predictable, and indifferent to edges."""

    def describe(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        height, width = (side // 8 for side in rgb.shape[:2])
        mean = rgb.reshape(height, 8, width, 8, 3).mean(axis=(1, 3)) - 107.0
        unit = mean / (np.linalg.norm(mean, axis=2, keepdims=True) + 1e-6)
        return np.moveaxis(unit, 2, 0).astype(np.float32), np.ones((height, width), np.float32)


def coloured_cells(seed: int, side: int = 512) -> NDArray[np.uint8]:
    """Return patches of 16 px in random colours."""
    cells = np.random.default_rng(seed).integers(40, 200, (side // 16, side // 16, 3)).astype(np.uint8)
    return cv2.resize(cells, (side, side), interpolation=cv2.INTER_CUBIC)


def with_furrows(rgb: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Draw strong lines in a random direction: gradients of two dates then have nothing in common."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]]
    noise = cv2.GaussianBlur(rng.normal(0, 1, rgb.shape[:2]), (0, 0), 1.2)
    angle = rng.uniform(0, np.pi)
    lines = 40.0 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / 5.0) + 60.0 * noise
    return np.clip(rgb + lines[..., None], 1, 255).astype(np.uint8)


def _map(vectors: NDArray[np.float32], known: NDArray[np.float32] | None = None) -> DescriptorMap:
    inside = np.ones(vectors.shape[1:], np.float32) if known is None else known
    return DescriptorMap(vectors * inside, inside, inside)


def _random_vectors(seed: int, side: int = 20) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(0, 1, (8, side, side)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=0)


def test_the_correlation_of_a_displaced_map_is_one_at_its_shift() -> None:
    large = _random_vectors(1, 30)
    after, before = _map(large[:, 5:25, 5:25]), _map(large[:, 3:23, 8:28])
    surface = correlation_surface(before, after, 4)
    # the ground at (x, y) of the later map is at (x - 3, y + 2) of the earlier one
    assert surface[4 + 2, 4 - 3] == pytest.approx(1.0, abs=1e-4)
    peak = find_peak(surface)
    assert np.abs(peak.offset - (-3, 2)).max() < 0.3
    assert peak.evidence > 0.5


def test_unknown_cells_do_not_lower_the_agreement() -> None:
    vectors = _random_vectors(2)
    known = np.ones((20, 20), np.float32)
    known[:, :8] = 0.0
    surface = correlation_surface(_map(vectors, known), _map(vectors), 4)
    assert surface[4, 4] == pytest.approx(1.0, abs=1e-4)


def test_shifts_with_hardly_any_overlap_count_as_nothing() -> None:
    vectors = _random_vectors(3, 6)
    surface = correlation_surface(_map(vectors), _map(vectors), 5)
    assert surface[0, 0] == 0.0
    assert surface[5, 5] == pytest.approx(1.0, abs=1e-4)


def test_a_near_peak_has_more_evidence_than_the_same_one_far_away() -> None:
    surface = np.zeros((9, 9))
    near, far = surface.copy(), surface.copy()
    near[4, 4] = far[1, 1] = 0.1
    assert find_peak(near).evidence > find_peak(far).evidence


def test_ground_beyond_the_image_is_unknown() -> None:
    grid = metric_grid(40, 72)
    described = describe_level(ArrayImage(coloured_cells(4)[:40, :72], grid), Level(grid, 1), None, MeanColour())
    assert described.known.shape == (6, 10)
    assert described.known[:4, :8].all()
    assert not described.known[5:].any()


@pytest.mark.parametrize("shift", [(0, 0), (14, -9), (-24, 30)])
def test_a_pair_that_gradients_refuse_is_registered(shift: tuple[int, int]) -> None:
    dx, dy = shift
    large = coloured_cells(5, 640)
    before, after = large[64:576, 64:576], large[64 + dy : 576 + dy, 64 + dx : 576 + dx]
    before, after = with_furrows(before, 6), with_furrows(after, 7)
    grid = metric_grid()
    images = ArrayImage(before, grid), ArrayImage(after, grid)
    assert not measure_alignment(*images, grid, SETTINGS).usable
    alignment = measure_alignment(*images, grid, SETTINGS, describer=MeanColour)
    assert alignment.usable
    assert alignment.method == "descriptors"
    assert alignment.residual_px is not None
    assert np.abs(alignment.field.at(np.array([[255.0, 255.0]]))[0] - shift).max() < 3.0
    assert alignment.summary()["method"] == "descriptors"


def test_the_descriptors_are_not_asked_where_gradients_suffice() -> None:
    image, grid = town(8), metric_grid()

    def refuse() -> MeanColour:
        raise AssertionError("the descriptors were loaded")

    alignment = measure_alignment(ArrayImage(image, grid), ArrayImage(image, grid), grid, SETTINGS, describer=refuse)
    assert alignment.method == "gradients"


@pytest.mark.parametrize("seed", [10, 20])
def test_other_places_are_refused_by_the_shipped_descriptors(seed: int) -> None:
    grid = metric_grid()
    before, after = with_furrows(town(seed), seed), with_furrows(town(seed + 1), seed + 1)
    images = ArrayImage(before, grid), ArrayImage(after, grid)
    alignment = measure_alignment(*images, grid, SETTINGS, describer=shared_descriptor)
    assert not alignment.usable


def test_the_shipped_descriptors_give_unit_vectors_times_their_weight() -> None:
    vectors, weights = Descriptor().describe(town(11)[:64, :96])
    assert vectors.shape == (32, 8, 12)
    assert weights.shape == (8, 12)
    assert ((weights > 0) & (weights < 1)).all()
    assert np.linalg.norm(vectors, axis=0) == pytest.approx(weights, abs=1e-3)
