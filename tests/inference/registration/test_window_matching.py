"""Window matching and the coarse registration: correct offsets, and trust only in clear peaks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.registration.coarse_registration import candidate_transforms, estimate_transform, max_displacement
from inference.registration.window_matching import (
    box_energy,
    describe_gradients,
    find_peaks,
    match_windows,
    mean_energy,
    pool_neighbours,
    similarity_surface,
)

SEARCH_PX = 8


def grain(seed: int, side: int = 160, cell: float = 3.0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).normal(0, 1, (side, side)).astype(np.float32)
    grey = cv2.GaussianBlur(noise, (0, 0), cell)
    grey = 128 + 40 * grey / grey.std()
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def describe_all(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return describe_gradients(rgb, np.ones(rgb.shape[:2], bool))


def similarity(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    search, template = describe_all(before), describe_all(after)[SEARCH_PX:-SEARCH_PX, SEARCH_PX:-SEARCH_PX]
    side = len(template)
    return similarity_surface(search, template, box_energy(search, side)[: 2 * SEARCH_PX + 1, : 2 * SEARCH_PX + 1])


def shifted(rgb: NDArray[np.uint8], dx: float, dy: float) -> NDArray[np.uint8]:
    return cv2.warpAffine(rgb, np.array([[1.0, 0.0, -dx], [0.0, 1.0, -dy]]), rgb.shape[1::-1], flags=cv2.INTER_CUBIC)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -5.0), (-2.5, 1.25)])
def test_the_offset_of_a_window_is_found(shift: tuple[float, float]) -> None:
    image = grain(1)
    offset, score = find_peaks(similarity(image, shifted(image, *shift)))
    np.testing.assert_allclose(offset, shift, atol=0.1)
    assert score > 3.5


def test_matching_is_invariant_to_brightness_and_contrast() -> None:
    image = grain(2)
    dim = (40 + shifted(image, 2, 3) / 2.5).astype(np.uint8)
    np.testing.assert_allclose(find_peaks(similarity(image, dim))[0], (2, 3), atol=0.1)


def test_inverted_contrast_is_matched() -> None:
    image = grain(3)
    offset, _ = find_peaks(similarity(image, 255 - shifted(image, 2, 3)))
    np.testing.assert_allclose(offset, (2, 3), atol=0.3)


def test_a_peak_on_the_border_is_not_trusted() -> None:
    image = grain(4)
    assert find_peaks(similarity(image, shifted(image, SEARCH_PX + 1.0, 0)))[1] < 3.0


def test_invalid_pixels_have_no_descriptor() -> None:
    image = grain(5)
    valid = np.ones(image.shape[:2], bool)
    valid[:, :80] = False
    image[~valid] = 0
    described = describe_gradients(image, valid)
    assert not described[:, :84].any()
    assert mean_energy(described[:, 90:]) > 0.05


def test_flat_ground_has_no_energy() -> None:
    assert mean_energy(describe_all(np.full((64, 64, 3), 77, np.uint8))) == 0.0


def test_pooling_neighbours_resolves_ambiguous_windows() -> None:
    rng = np.random.default_rng(6)
    surfaces = rng.normal(0, 1.0, (5, 5, 17, 17)).astype(np.float32)
    surfaces = np.stack([[cv2.GaussianBlur(one, (0, 0), 1.0) for one in row] for row in surfaces])
    bump = np.zeros((17, 17), np.float32)
    bump[11, 6] = 1.0
    surfaces += 5.0 * cv2.GaussianBlur(bump, (0, 0), 1.0)
    use = np.ones((5, 5), bool)
    single = np.linalg.norm(find_peaks(surfaces)[0] - (-2, 3), axis=-1) < 1.5
    pooled = np.linalg.norm(find_peaks(pool_neighbours(surfaces, use))[0] - (-2, 3), axis=-1) < 1.5
    assert pooled.sum() > single.sum()
    assert match_windows(surfaces, np.zeros((5, 5), bool)).weight.sum() == 0.0


def test_the_coarse_registration_finds_a_rotation_that_no_single_window_shows() -> None:
    rng = np.random.default_rng(7)
    half_diagonal = 300.0
    positions = np.array([(x, y) for y in (-200, -100, 0, 100, 200) for x in (-200, -100, 0, 100, 200)], float)
    angle = np.radians(1.5)
    linear = np.array([[np.cos(angle) - 1, np.sin(angle)], [-np.sin(angle), np.cos(angle) - 1]])
    search_px = 6
    radius = search_px + max_displacement(half_diagonal, 2.0, 0.0)
    surfaces = rng.normal(0, 1, (25, 2 * radius + 1, 2 * radius + 1)).astype(np.float32)
    for one, (x, y) in zip(surfaces, np.rint(positions @ linear + (3, -2)).astype(int), strict=True):
        one[radius + y, radius + x] += 3.5
    found = estimate_transform(surfaces, positions, search_px, candidate_transforms(half_diagonal, 2.0, 0.0), 1.0)
    np.testing.assert_allclose(found.shift, (3, -2), atol=1)
    assert np.degrees(found.linear[0, 1]) == pytest.approx(1.5, abs=0.4)
    assert found.peak_to_sidelobe > 5.0


def test_noise_has_a_low_peak_to_sidelobe_ratio() -> None:
    surfaces = np.random.default_rng(8).normal(0, 1, (25, 41, 41)).astype(np.float32)
    positions = np.random.default_rng(9).uniform(-200, 200, (25, 2))
    assert (
        estimate_transform(surfaces, positions, 12, candidate_transforms(100.0, 1.0, 0.0), 1.8).peak_to_sidelobe < 5.0
    )


def test_descriptors_do_not_depend_on_where_arrays_lie_in_memory() -> None:
    """``cv2.magnitude`` rounds by the alignment of its output: a scan repeated gave other areas now and then."""
    images = [grain(seed, side) for seed, side in enumerate((87, 90, 93, 101))]
    held = []  # keeps memory occupied, so that each call gets other addresses
    for image in images:
        first = describe_all(image)
        for size in range(1, 40):
            held.append(np.empty(size * 16 + 8, np.uint8))
            again = describe_all(image)
            held.append(again)
            assert np.array_equal(first, again)
