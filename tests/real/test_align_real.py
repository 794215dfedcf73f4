"""Registration of real images: known synthetic warps, and the georeferenced pair.

Run with ``-s`` to print errors before and after registration. A warp of the later image of a real pair adds to the
pair's own displacement; the true field is therefore the field measured without the warp, composed with the warp.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS
from rasterio.transform import from_origin

from imagery import Scene, open_scene
from inference.registration.measure import Alignment, AlignSettings, measure_alignment

pytestmark = [pytest.mark.real, pytest.mark.slow]

SIDE = 1024
IMAGES = range(1, 21, 8)  # three of the twenty validation images
KINDS = ("shift", "rotation", "scale", "local", "all")


def warp(kind: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random warp: displacement (SIDE, SIDE, 2) of each pixel of the later image in the earlier one."""
    at = np.arange(SIDE) - (SIDE - 1) / 2
    y, x = np.meshgrid(at, at, indexing="ij")
    out = np.zeros((SIDE, SIDE, 2))
    if kind in ("shift", "all"):
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(5, 25)
        out += length * np.array([np.cos(angle), np.sin(angle)])
    angle = np.radians(rng.uniform(1, 2) * rng.choice([-1, 1])) if kind in ("rotation", "all") else 0.0
    scale = rng.choice([0.99, 1.01]) if kind in ("scale", "all") else 1.0
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    out += np.dstack([cos * x - sin * y - x, sin * x + cos * y - y])
    if kind in ("local", "all"):
        a, b, c, d = rng.uniform(0, 2 * np.pi, 4)
        u, v = (2 * np.pi * w / (SIDE / 1.5) for w in (x, y))
        out += 3.0 * np.dstack([np.sin(u + a) * np.cos(v + b), np.cos(u + c) * np.sin(v + d)])
    return out


def write(path: Path, rgb: NDArray[np.uint8], valid: NDArray[np.bool_] | None = None) -> Path:
    bands = [*np.moveaxis(rgb, -1, 0), np.where(valid if valid is not None else True, 255, 0) * np.ones(rgb.shape[:2])]
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=4, dtype="uint8", photometric="RGB", alpha="YES",
        crs=CRS.from_epsg(32614), transform=from_origin(600_000, 3_300_000, 0.5, 0.5), tiled=True,
    ) as out:  # fmt: skip
        out.write(np.stack(bands).astype(np.uint8))
    return path


def picture(folder: Path, date: str, number: int) -> NDArray[np.uint8]:
    return cv2.cvtColor(cv2.imread(str(folder / "val/levir" / date / f"test_{number:02d}.webp")), cv2.COLOR_BGR2RGB)


def warped(rgb: NDArray[np.uint8], truth: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    y, x = np.mgrid[:SIDE, :SIDE]
    at = (x + truth[..., 0]).astype(np.float32), (y + truth[..., 1]).astype(np.float32)
    valid = (at[0] >= 1) & (at[1] >= 1) & (at[0] <= SIDE - 2) & (at[1] <= SIDE - 2)
    out = cv2.remap(rgb, *at, cv2.INTER_CUBIC)
    out[~valid] = 0
    return out, valid


@pytest.fixture(scope="module")
def unwarped() -> dict[int, Alignment]:
    """Registrations of the unwarped real pairs, by number."""
    return {}


def measure(before: Path, after: Path) -> Alignment:
    with open_scene(before) as earlier, open_scene(after) as later:
        return measure_alignment(earlier, later, later.geobox, AlignSettings())


def lengths(vectors: NDArray[np.float64], valid: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the median and 90th percentile of the lengths at valid pixels."""
    size = np.linalg.norm(vectors[valid], axis=-1)
    return float(np.median(size)), float(np.percentile(size, 90))


def report(name: str, before: list[tuple[float, float]], after: list[tuple[float, float]]) -> None:
    (median0, p0), (median1, p1) = np.median(before, axis=0), np.median(after, axis=0)
    print(
        f"\n{name:24} median {median0:6.2f} → {median1:5.2f} px   p90 {p0:6.2f} → {p1:5.2f} px"
        f"   worst median {max(m for m, _ in after):5.2f} px   ({len(after)} images)",
        end="",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_known_warps_of_an_image_are_corrected_to_subpixel_accuracy(
    kind: str, real_imagery: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    before_correction, after_correction = [], []
    for number in IMAGES:
        rgb, truth = picture(real_imagery, "A", number), warp(kind, rng)
        rewarped, valid = warped(rgb, truth)
        darker = np.clip(255 * (rewarped / 255.0) ** 0.8 * 0.6 + 20, 0, 255).astype(np.uint8)
        alignment = measure(write(tmp_path / "a.tif", rgb), write(tmp_path / "b.tif", darker, valid))
        assert alignment.usable, (number, alignment.reason)
        field = alignment.shift(slice(0, SIDE), slice(0, SIDE))
        assert field is not None
        before_correction.append(lengths(truth, valid))
        after_correction.append(lengths(field - truth, valid))
    report(f"same date, {kind}", before_correction, after_correction)
    assert np.median(after_correction, axis=0)[0] < 0.5
    assert max(median for median, _ in after_correction) < 1.0


@pytest.mark.parametrize("kind", ["all"])
def test_known_warps_of_the_later_date_are_corrected(
    kind: str, real_imagery: Path, tmp_path: Path, unwarped: dict[int, Alignment]
) -> None:
    rng = np.random.default_rng(KINDS.index(kind))
    before_correction, after_correction = [], []
    refused = []
    at = np.array([(x, y) for y in range(8, SIDE, 16) for x in range(8, SIDE, 16)], float)
    for number in IMAGES:
        earlier, later, truth = picture(real_imagery, "A", number), picture(real_imagery, "B", number), warp(kind, rng)
        before = write(tmp_path / "a.tif", earlier)
        if number not in unwarped:
            unwarped[number] = measure(before, write(tmp_path / "b.tif", later))
        pair = unwarped[number]
        alignment = measure(before, write(tmp_path / "w.tif", *warped(later, truth)))
        if not (pair.usable and alignment.usable):
            refused.append((number, pair.reason or alignment.reason))
            continue
        here = truth[at[:, 1].astype(int), at[:, 0].astype(int)]
        inside = ((at + here > 1) & (at + here < SIDE - 2)).all(axis=1)
        combined = here + pair.field.at(at + here)
        before_correction.append(lengths(combined, inside))
        after_correction.append(lengths(alignment.field.at(at) - combined, inside))
    report(f"two dates, {kind}", before_correction, after_correction)
    print(f"   refused: {refused}", end="")
    assert len(refused) <= 1
    assert np.median(after_correction, axis=0)[0] < 1.0
    assert max(median for median, _ in after_correction) < 3.0


@pytest.fixture
def periurban(real_imagery: Path) -> tuple[Path, Path]:
    folder = real_imagery / "georeferenced"
    return folder / "periurban_before.tif", folder / "periurban_after.tif"


def grid_of(scene: Scene) -> GeoBox:
    return GeoBox.from_bbox(scene.geobox.extent.boundingbox, scene.geobox.crs, resolution=1.1)


def test_the_georeferenced_pair_is_registered_below_a_pixel(periurban: tuple[Path, Path]) -> None:
    with open_scene(periurban[0]) as before, open_scene(periurban[1]) as after:
        alignment = measure_alignment(before, after, grid_of(after), AlignSettings())
    print(f"\nperiurban pair: {alignment.summary()}", end="")
    assert alignment.usable, alignment.reason
    assert alignment.residual_px is not None
    assert alignment.residual_before_px is not None
    assert alignment.residual_px < 1.0
    assert alignment.residual_px <= alignment.residual_before_px


def test_the_georeferenced_image_against_itself_gives_the_identity(periurban: tuple[Path, Path]) -> None:
    with open_scene(periurban[0]) as before, open_scene(periurban[0]) as after:
        alignment = measure_alignment(before, after, grid_of(after), AlignSettings())
    assert alignment.usable
    assert alignment.max_shift_px < 0.05


def test_images_of_different_places_are_refused(real_imagery: Path, tmp_path: Path) -> None:
    for number in (2, 6, 10, 14):
        before = write(tmp_path / "a.tif", picture(real_imagery, "A", number))
        after = write(tmp_path / "b.tif", picture(real_imagery, "B", number + 3))
        alignment = measure(before, after)
        assert not alignment.usable, number
        assert "in common" in (alignment.reason or "") or "above the limit" in (alignment.reason or "")
