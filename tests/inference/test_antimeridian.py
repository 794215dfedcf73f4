"""Images across 180° of longitude are compared as a whole."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from imagery import open_scene
from inference.pair import common_pair
from inference.settings import read_config, settings_for
from tests.inference.scenes import textured

SIDE, GSD_M = 300, 0.5
TURN_M = 2 * math.pi * 6_378_137.0


def write_across(path: Path, rgb: NDArray[np.uint8], crs: str, sign: int) -> Path:
    """Write an image whose centre lies on ±180°, 17° south; half of its positions are beyond it."""
    if crs == "EPSG:4326":
        x, y, down = 180.0, -17.0, GSD_M / 111_320
        across = down / math.cos(math.radians(17))
    else:
        x, y = TURN_M / 2, -1_920_825.04
        across = down = GSD_M / math.cos(math.radians(17))
    transform = Affine(across, 0, sign * x - SIDE / 2 * across, 0, -down, y + SIDE / 2 * down)
    with rasterio.open(
        path, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", crs=crs, transform=transform
    ) as out:
        out.write(np.moveaxis(rgb, -1, 0))
    return path


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("signs", [(1, 1), (-1, -1), (1, -1)], ids=["east", "west", "mixed"])
def test_all_of_a_pair_across_the_antimeridian_is_valid(crs: str, signs: tuple[int, int], tmp_path: Path) -> None:
    rgb = textured(SIDE, SIDE)
    files = [write_across(tmp_path / f"{number}.tif", rgb, crs, sign) for number, sign in enumerate(signs)]
    with open_scene(files[0]) as before, open_scene(files[1]) as after:
        pair = common_pair(before, after, settings_for(read_config(), "aerial", GSD_M))
        earlier, later = pair.before.read(pair.grid), pair.after.read(pair.grid)
    ground_m2 = (SIDE * GSD_M) ** 2
    both = earlier.valid & later.valid
    assert both.sum() * pair.pixel_area_m2 == pytest.approx(ground_m2, rel=0.03)
    assert np.abs(earlier.rgb[both].astype(int) - later.rgb[both]).mean() < 1.0
