"""Labels of each source match its images, and label only the source's own question."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.inference.scenes import textured
from tests.training.labelled import write_picture
from training.sources.copy_paste import PastedBuildings, PastedEarthworks
from training.sources.cross_pairs import CrossPairs, LandCoverPairs
from training.sources.masked_images import MaskedFolder
from training.sources.relief_displacement import ReliefDisplacementPairs
from training.sources.samples import UNKNOWN, LabelledPairs, Unchanged, UnchangedPairs
from training.sources.source_recipes import PairsRecipe


def test_sources_label_only_their_question(data: Path) -> None:
    rng = np.random.default_rng(0)
    buildings = LabelledPairs(data / "buildings", "building").draw(rng)
    assert buildings.building is not None
    assert buildings.ground is None
    grounds = LabelledPairs(data / "grounds", "ground").draw(rng)
    assert grounds.building is None
    assert grounds.ground is not None
    same = Unchanged([data / "single" / "images"]).draw(rng)
    assert np.array_equal(same.before, same.after)
    assert not same.building.any()
    assert not same.ground.any()


def test_cross_pairs_are_labelled_where_the_masks_differ(data: Path) -> None:
    sample = CrossPairs([MaskedFolder(data / "single", 0.5)], size=64).draw(np.random.default_rng(3))
    assert sample.building is not None
    assert np.array_equal(sample.building > 0, sample.direction != 0)
    assert np.array_equal(sample.building, sample.buildings_before ^ sample.buildings_after)
    assert sample.ground is None


def test_pasted_buildings_match_their_label(data: Path) -> None:
    source = PastedBuildings([MaskedFolder(data / "single", 0.5)], size=64, target_m=(0.5, 0.5))
    rng = np.random.default_rng(3)
    drawn = [source.draw(rng) for _ in range(40)]
    changed = [s for s in drawn if (s.building == 1).any()]
    assert len(changed) > 5, "most samples have a new building"
    for sample in changed:
        new = sample.building == 1
        assert np.array_equal(sample.direction[new] > 0, sample.buildings_after[new] == 1)
        # away from pasted patches the place does not change
        differs = (sample.before != sample.after).any(axis=2).astype(np.uint8)
        same = cv2.dilate(differs, np.ones((3, 3), np.uint8)) == 0
        assert not new[same].any()
    assert any((s.before != s.after).any() and not (s.building == 1).any() for s in drawn), "seams without a change"


def test_unreviewed_pixels_are_unknown(data: Path, tmp_path: Path) -> None:
    label = np.full((96, 96), 128, np.uint8)
    label[:10], label[20:40] = 0, 255
    for name, image in (("A", textured(96, 96)), ("B", textured(96, 96)), ("label", label)):
        write_picture(tmp_path / name / "one.png", image)
    sample = LabelledPairs(tmp_path, "ground", unknown=128, appears=False).draw(np.random.default_rng(0))
    assert sample.ground is not None
    assert set(np.unique(sample.ground[:10])) == {0}
    assert set(np.unique(sample.ground[20:40])) == {1}
    assert set(np.unique(sample.ground[50:])) == {UNKNOWN}
    assert not sample.direction.any(), "the direction is unknown"


def test_pasted_earthworks_match_their_label(data: Path) -> None:
    places = Unchanged([data / "single" / "images"])
    source = PastedEarthworks(places, LabelledPairs(data / "grounds", "ground"))
    samples = [source.draw(np.random.default_rng(seed)) for seed in range(12)]
    assert any(sample.ground.any() for sample in samples)
    for sample in samples:
        far = cv2.dilate(sample.ground, np.ones((21, 21), np.uint8)) == 0
        assert np.array_equal(sample.before[far], sample.after[far])
        # whether the works include a building is unknown; elsewhere nothing was built
        assert (sample.building[sample.ground == 1] == UNKNOWN).all()
        assert not sample.building[sample.ground == 0].any()
    large = [sample for sample in samples if sample.ground.sum() > 500]
    changed = [np.abs(s.after.astype(int) - s.before)[s.ground == 1].mean() for s in large]
    assert np.median(changed) > 5  # a white house may be pasted onto a white house


def test_relief_displacement_differs_between_the_dates_and_is_not_a_change(data: Path) -> None:
    source = ReliefDisplacementPairs([MaskedFolder(data / "single", 0.5)], size=96, target_m=(0.5, 0.5))
    for seed in range(6):
        sample = source.draw(np.random.default_rng(seed))
        assert sample.building is not None
        assert sample.ground is not None
        assert not sample.building.any()
        assert not sample.ground.any()
        for image, roofs in ((sample.before, sample.buildings_before), (sample.after, sample.buildings_after)):
            assert roofs is not None
            # only the house is white: the label covers its complete roof, and its walls are unknown
            assert image[roofs == 1].mean() > 230
            assert image[roofs == 0].mean() < 200
            assert (roofs == UNKNOWN).any()
        assert (sample.buildings_before != sample.buildings_after).any(), "both dates have the same viewing direction"


def test_the_validation_split_is_never_drawn(data: Path) -> None:
    source = PairsRecipe(folder=Path("buildings"), question="building", weight=1, validation_split=0.5)
    training, validation = source.pairs(data, validation=False).pairs, source.pairs(data, validation=True).pairs
    assert len(training) == len(validation) == 1
    assert training[0] < validation[0], "the last by name are the validation split"
    opened = source.open(data)
    assert isinstance(opened, LabelledPairs)
    assert opened.pairs == training


def test_images_of_the_validation_split_are_not_trained_on(data: Path) -> None:
    names = sorted(path.name for path in (data / "single" / "images").iterdir())
    prefix = names[0][:-5]
    training = MaskedFolder(data / "single", 0.5, validation_prefixes=(prefix,)).images()
    validation = MaskedFolder(data / "single", 0.5, validation_prefixes=(prefix,), validation=True).images()
    assert validation
    assert sorted(image.name for image, _, _ in training + validation) == names
    assert all(image.name.startswith(prefix) for image, _, _ in validation)
    assert not any(image.name.startswith(prefix) for image, _, _ in training)


def test_unchanged_pairs_say_nothing_of_the_ground(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for date in "AB":
        (tmp_path / date).mkdir()
        for name in ("x1", "x2", "x3"):
            cv2.imwrite(str(tmp_path / date / f"{name}.png"), rng.integers(0, 255, (40, 40, 3), np.uint8))
    training, validation = UnchangedPairs(tmp_path), UnchangedPairs(tmp_path, validation=True)
    assert [a.stem for a, _ in training.pairs] == ["x2"]
    assert [a.stem for a, _ in validation.pairs] == ["x1", "x3"]
    sample = training.draw(rng)
    assert sample.ground is None
    assert not sample.building.any()
    assert (sample.before != sample.after).any()


def test_land_cover_pairs_are_labelled_where_one_image_shows_works(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for name, right in (("one", 4), ("two", 0)):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), rng.integers(0, 255, (20, 20, 3), np.uint8))
        mask = np.full((20, 20), right, np.uint8)
        mask[:, :10] = 6 if name == "one" else 4
        cv2.imwrite(str(tmp_path / "masks" / f"{name}.png"), mask)
    source = LandCoverPairs(tmp_path, works=(1, 6), unknown=(0,))
    drawn = [source.draw(rng) for _ in range(30)]
    assert all(sample.building is None for sample in drawn)
    halves = {(*map(int, np.unique(s.ground[:, :10])), *map(int, np.unique(s.ground[:, 10:]))) for s in drawn}
    # both "one": unchanged; one and two: works on the left, unknown on the right; both "two": unchanged, unknown
    assert halves == {(0, 0), (1, UNKNOWN), (0, UNKNOWN)}
