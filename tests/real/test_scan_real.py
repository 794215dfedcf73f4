"""Change detection on real images: visible changes are found, and unchanged images give no alerts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.windows import Window

from imagery import open_scene
from inference.changes import Change
from inference.detect_changes import detect_changes
from inference.scan_result import ScanResult
from inference.settings import read_config, settings_for
from model.detector import Detector
from tests.inference.scenes import write_image
from training.pixel_scores import measure_pairs
from training.sources.samples import LabelledPairs, read_rgb

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector("accurate", runtime="openvino")


def _scan(detector: Detector, before: Path, after: Path, gsd: float | None = None, **changed: object) -> ScanResult:
    with open_scene(before, gsd=gsd) as earlier, open_scene(after, gsd=gsd) as later:
        settings = settings_for(read_config(), "auto", max(earlier.gsd_m, later.gsd_m), **changed)
        return detect_changes(earlier, later, detector, settings)


@pytest.fixture(scope="module")
def periurban(detector: Detector, real_imagery: Path) -> ScanResult:
    folder = real_imagery / "georeferenced"
    return _scan(detector, folder / "periurban_before.tif", folder / "periurban_after.tif")


def _cut_around(change: Change, real_imagery: Path, folder: Path, size: int = 400) -> Path:
    """Write a window of the later image around a change, ``size`` pixels of 1.1 m wide and high."""
    with rasterio.open(real_imagery / "georeferenced" / "periurban_after.tif") as raster:
        row, column = raster.index(*change.polygon.centroid.coords[0])
        offsets = (
            min(max(at - size // 2, 0), length - size)
            for at, length in zip((column, row), (raster.width, raster.height), strict=True)
        )
        window = Window(*offsets, size, size)
        profile = raster.profile | {"width": size, "height": size, "transform": raster.window_transform(window)}
        with rasterio.open(folder / "after.tif", "w", **profile) as cut:
            cut.write(raster.read(window=window))
    return folder / "after.tif"


def test_the_real_pair_is_registered_below_a_pixel(periurban: ScanResult) -> None:
    assert periurban.alignment.residual_px is not None
    assert periurban.alignment.residual_px < 1.0


def test_the_missing_block_is_reported(periurban: ScanResult) -> None:
    assert periurban.not_compared_area_m2["no data on both dates"] == pytest.approx(220_000, rel=0.1)


def _with_and_without_blocks(
    periurban: ScanResult, detector: Detector, real_imagery: Path, folder: Path, coarse_to_fine: bool
) -> list[ScanResult]:
    """Scan the ground around the largest change of the real pair in one block and in blocks of 400 pixels."""
    after = _cut_around(max(periurban.changes, key=lambda change: change.area_m2), real_imagery, folder)
    before = real_imagery / "georeferenced" / "periurban_before.tif"
    config = read_config()
    profiles = {
        name: profile.model_copy(update={"coarse_to_fine": coarse_to_fine and profile.coarse_to_fine})
        for name, profile in config.profiles.items()
    }
    with open_scene(before) as earlier, open_scene(after) as later:
        settings = [
            settings_for(
                config.model_copy(update={"profiles": profiles}),
                "auto",
                max(earlier.gsd_m, later.gsd_m),
                block_px=block,
            )
            for block in (2048, 400)
        ]
        return [detect_changes(earlier, later, detector, one) for one in settings]


def test_polygons_of_the_real_pair_do_not_depend_on_blocks(
    periurban: ScanResult, detector: Detector, real_imagery: Path, tmp_path: Path
) -> None:
    results = _with_and_without_blocks(periurban, detector, real_imagery, tmp_path, coarse_to_fine=False)
    assert len(results[0].changes) > 0
    # On processors with AMX the networks' sums round otherwise, and a part of a works may get the other kind: compare
    # the kinds of what is larger, and the ground of everything.
    large = [[change for change in result.changes if change.area_m2 >= 400] for result in results]
    assert [change.kind for change in large[0]] == [change.kind for change in large[1]]
    differences = [
        expected.polygon.symmetric_difference(change.polygon).area / expected.polygon.area
        for expected, change in zip(*large, strict=True)
    ]
    assert max(differences) < 0.02
    grounds = [shapely.union_all([change.polygon for change in result.changes]) for result in results]
    assert grounds[0].symmetric_difference(grounds[1]).area < 0.02 * grounds[0].area


def test_coarse_to_fine_finds_the_same_works_in_blocks(
    periurban: ScanResult, detector: Detector, real_imagery: Path, tmp_path: Path
) -> None:
    """A place that reaches beyond a block and its halo is looked at with other surroundings (model/README.md).

    How much of its outline this moves depends on the processor: up to a tenth with bf16, half without.
    """
    results = _with_and_without_blocks(periurban, detector, real_imagery, tmp_path, coarse_to_fine=True)
    for one, other in (results, results[::-1]):
        large = [change for change in one.changes if change.area_m2 >= 400]
        assert large
        for change in large:
            shared = [change.polygon.intersection(found.polygon).area for found in other.changes]
            assert max(shared, default=0) > 0.4 * change.polygon.area


@pytest.mark.parametrize("number", [1, 6, 11])
def test_a_displaced_and_brighter_copy_gives_no_change(
    number: int, detector: Detector, real_imagery: Path, tmp_path: Path
) -> None:
    path = sorted((real_imagery / "val" / "levir" / "A").iterdir())[number]
    image = read_rgb(path)
    moved = np.clip(np.roll(image, (3, 3), axis=(0, 1)).astype(np.float32) * 1.4, 0, 255).astype(np.uint8)
    before, after = write_image(tmp_path / "before.tif", image), write_image(tmp_path / "after.tif", moved)
    assert _scan(detector, before, after).changes == ()


def test_a_displaced_and_brighter_copy_of_the_georeferenced_image_gives_no_change(
    detector: Detector, real_imagery: Path, tmp_path: Path
) -> None:
    path = real_imagery / "georeferenced" / "periurban_after.tif"
    with rasterio.open(path) as raster:
        image, profile = raster.read(), raster.profile
    moved = np.where(image > 0, np.clip(np.roll(image, (3, 3), axis=(1, 2)) * 1.4, 0, 65535), 0)
    with rasterio.open(tmp_path / "moved.tif", "w", **profile) as raster:
        raster.write(moved.astype(image.dtype))
    assert _scan(detector, path, tmp_path / "moved.tif").changes == ()


def test_swapped_dates_give_the_same_area(detector: Detector, real_imagery: Path, tmp_path: Path) -> None:
    folder = real_imagery / "val" / "levir"
    name = sorted(p.stem for p in (folder / "A").iterdir())[4]
    paths = []
    for date in ("A", "B"):
        source = next((folder / date).glob(name + ".*"))
        paths.append(tmp_path / f"{date}.png")
        cv2.imwrite(str(paths[-1]), read_rgb(source)[..., ::-1])
    forward, backward = (_scan(detector, *order, gsd=0.5) for order in (paths, paths[::-1]))
    areas = [sum(change.area_m2 for change in result.changes) for result in (forward, backward)]
    assert areas[0] > 0
    assert areas[0] == pytest.approx(areas[1], rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "question", "least"), [("val/levir", "building", 0.78), ("val/dsifn", "ground", 0.5)]
)
def test_the_weights_reach_their_minimum_score_on_unseen_places(
    folder: str, question: str, least: float, detector: Detector, real_imagery: Path
) -> None:
    """Minimum below the score of the card; detects damaged weights or a changed reader."""
    scores = measure_pairs(
        detector, LabelledPairs(real_imagery / folder, question), limit=10 if question == "building" else 48
    )
    assert scores.at(detector.weights.threshold[question])["f1"] > least
