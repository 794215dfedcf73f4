from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagery  # noqa: F401  (sets GDAL's environment before rasterio is imported)

import numpy as np  # isort: skip
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from errors import ImageError
from imagery import open_scene

UTM50 = {"crs": "EPSG:32650", "transform": rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)}

Save = Callable[..., Path]


@pytest.fixture
def utm50() -> dict[str, Any]:
    """Georeference of a 0.5 m image in UTM zone 50 north."""
    return dict(UTM50)


@pytest.fixture
def noise() -> NDArray[np.uint8]:
    """Random uint8 3×H×W over the full range, so that it is not stretched as an 8-bit image."""
    return np.random.default_rng(7).integers(1, 255, (3, 96, 128), dtype=np.uint8)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write an array bands×H×W to a file and return its path."""

    def write(
        name: str,
        bands: NDArray[Any],
        *,
        driver: str = "GTiff",
        colours: list[ColorInterp] | None = None,
        descriptions: list[str] | None = None,
        tags: dict[str, str] | None = None,
        mask: NDArray[np.bool_] | None = None,
        colormap: dict[int, tuple[int, int, int, int]] | None = None,
        overviews: list[int] | None = None,
        **profile: Any,
    ) -> Path:
        path = tmp_path / name
        bands = bands[None] if bands.ndim == 2 else bands
        count, height, width = bands.shape
        if driver == "GTiff" and "tiled" not in profile and min(height, width) >= 16:
            profile |= {"tiled": True, "blockxsize": 64, "blockysize": 64}
        profile |= {"driver": driver, "count": count, "height": height, "width": width, "dtype": bands.dtype}
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as image:
            if colours:
                image.colorinterp = colours
            image.write(bands)
            if descriptions:
                image.descriptions = descriptions
            if tags:
                image.update_tags(**tags)
            if mask is not None:
                image.write_mask(mask)
            if colormap:
                image.write_colormap(1, colormap)
        if overviews:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as image:
                image.build_overviews(overviews, rasterio.enums.Resampling.average)
        return path

    return write


def message_of(path: Path | str, **settings: Any) -> str:
    """Return the one-line message with which opening an image fails."""
    with pytest.raises(ImageError) as caught:
        open_scene(path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    assert message.endswith(".")
    return message
