"""How much painted cloud is found and how much clear ground is called hidden: ``python -m benchmarks.visibility``.

Clouds are painted by generators that the classifier was not trained on: sums of interpolated random grids with hard
cores, and heaps of round puffs. Images are those that nothing is trained on.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from imagery import Patch
from inference.pair import Pair
from inference.visibility.hidden_ground import HiddenGround, measure_hidden_ground
from training.evaluation.comparison import InMemoryImage
from training.sources.samples import read_rgb

FOLDERS = (("val/levir", 1, 0.5), ("val/dsifn", 1, 1.0), ("unlabelled", 1, 0.5), ("unchanged/worldwide", 2, 0.5))
"""Folder, every how manyth pair, and metres per pixel."""

SHARE = 0.3
"""Share of the image under painted cloud."""

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


def hidden_ground(before: Image, after: Image, gsd_m: float) -> HiddenGround:
    """Return the hidden ground of two images of one extent."""
    sources = [InMemoryImage(Patch(rgb, np.ones(rgb.shape[:2], bool))) for rgb in (before, after)]
    grid = GeoBox(after.shape[:2], Affine.identity(), None)
    return measure_hidden_ground(Pair(sources[0], sources[1], grid, gsd_m, gsd_m**2))


def _grid_clouds(shape: tuple[int, int], seed: int) -> Floats:
    size = (shape[1], shape[0])
    thickness = sum(
        cv2.resize(
            np.random.default_rng((seed, i)).random((2 ** (i + 2),) * 2).astype(np.float32),
            size,
            interpolation=cv2.INTER_CUBIC,
        )
        / 2**i
        for i in range(5)
    )
    assert isinstance(thickness, np.ndarray)
    start = np.quantile(thickness, 1 - SHARE)
    return np.asarray(np.clip((thickness - start) / (0.48 * thickness.std()), 0, 1), dtype=np.float32)


def _puffs(shape: tuple[int, int], seed: int) -> Floats:
    rng = np.random.default_rng((seed, 99))
    clear = np.ones(shape, np.float32)
    while (clear < 0.5).mean() < SHARE:
        centre = rng.uniform(0, 1, 2) * shape
        size = rng.uniform(0.04, 0.12) * min(shape)
        for _ in range(int(rng.integers(6, 16))):
            at, radius = centre + rng.normal(0, size, 2), size * rng.uniform(0.4, 1)
            top, left = (max(0, int(value - radius)) for value in at)
            part = clear[top : max(0, int(at[0] + radius) + 2), left : max(0, int(at[1] + radius) + 2)]
            y, x = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
            distance = np.sqrt((y - at[0]) ** 2 + (x - at[1]) ** 2) / radius
            part *= (1 - 0.9 * np.clip(1.6 - 1.6 * distance, 0, 1)).astype(np.float32)
    return 1 - clear


def paint(rgb: Image, opacity: Floats, seed: int) -> Image:
    """Paint cloud of an opacity, white with little structure."""
    rng = np.random.default_rng((seed, 7))
    top = np.array([246, 247, 250]) - rng.uniform(0, 25)
    body = (
        top - rng.uniform(0, 10) * cv2.GaussianBlur(rng.random(rgb.shape[:2]).astype(np.float32), (0, 0), 12)[..., None]
    )
    return np.asarray(np.clip(rgb + (body - rgb) * opacity[..., None], 0, 255), dtype=np.uint8)


GENERATORS: dict[str, Callable[[tuple[int, int], int], Floats]] = {"grids": _grid_clouds, "puffs": _puffs}


def pairs_of(folder: Path, step: int = 1) -> Iterator[tuple[str, Image, Image]]:
    """Read every ``step``-th pair of ``A`` and ``B``, by name."""
    later = {path.stem: path for path in (folder / "B").iterdir()}
    for path in sorted((folder / "A").iterdir())[::step]:
        if path.stem in later:
            before, after = read_rgb(path), read_rgb(later[path.stem])
            if before.shape == after.shape:
                yield path.stem, before, after


def _pixels(hidden: HiddenGround, shape: tuple[int, int], later: bool) -> NDArray[np.bool_]:
    return hidden.window(later, slice(0, shape[0]), slice(0, shape[1])) > 0


def _write_picture(path: Path, before: Image, after: Image, hidden: HiddenGround) -> None:
    shown = []
    for image, later in ((before, False), (after, True)):
        mask = _pixels(hidden, image.shape[:2], later)
        red = image.copy()
        red[mask] = red[mask] // 2 + np.array([127, 0, 0], np.uint8)
        shown += [image, red]
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = cv2.resize(np.concatenate(shown, 1), (1600, 400), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), sheet[..., ::-1])


def measure(folder: Path, step: int, gsd_m: float, pictures: Path | None) -> None:
    """Print the share of cloud found and of clear ground called hidden, for images without and with painted cloud."""
    alarm, clear = 0, 0
    found = {name: np.zeros(4, np.int64) for name in GENERATORS}
    for number, (stem, before, after) in enumerate(pairs_of(folder, step)):
        hidden = hidden_ground(before, after, gsd_m)
        masks = [_pixels(hidden, before.shape[:2], later) for later in (False, True)]
        alarm, clear = alarm + int(sum(mask.sum() for mask in masks)), clear + 2 * before[..., 0].size
        if pictures is not None and any(mask.mean() > 0.005 for mask in masks):
            _write_picture(pictures / f"{folder.name}-{stem}-unpainted.png", before, after, hidden)
        for name, generator in GENERATORS.items():
            opacity = generator(after.shape[:2], number)
            cloudy = paint(after, opacity, number)
            hidden = hidden_ground(before, cloudy, gsd_m)
            mask = _pixels(hidden, after.shape[:2], True)
            cloud, visible = opacity >= 0.5, (opacity <= 0.01) & ~masks[1]
            found[name] += (mask[cloud].sum(), cloud.sum(), mask[visible].sum(), visible.sum())
            if pictures is not None and number % 8 == 0:
                _write_picture(pictures / f"{folder.name}-{stem}-{name}.png", before, cloudy, hidden)
    print(f"{folder}: without painted cloud {alarm / clear:.4f} of the ground called hidden")
    for name, (hit, cloudy_px, wrong, clear_px) in found.items():
        print(
            f"  {name}: {hit / cloudy_px:.4f} of the cloud found, {wrong / clear_px:.4f} of clear ground called hidden"
        )


def main() -> None:
    """Measure the folders that nothing is trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TUBAN_REAL_IMAGERY"))
    parser.add_argument("--pictures", type=Path, help="write pictures of wrong and of some painted pairs there")
    parser.add_argument("--folder", choices=[name for name, _, _ in FOLDERS], help="measure this one only")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the data folder with --data or TUBAN_REAL_IMAGERY")
    cv2.setNumThreads(1)
    root = Path(arguments.data)
    for name, step, gsd_m in FOLDERS:
        if arguments.folder in (None, name):
            measure(root / name, step, gsd_m, arguments.pictures)


if __name__ == "__main__":
    main()
