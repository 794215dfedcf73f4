"""COGs of scenes, cached so that each is written only once."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from imagery import open_scene
from imagery.conversion.cog import write_cog
from tests.store.sample_rows import CRS

import rasterio  # isort: skip  (settings of GDAL first)


def cog_of(pixels: NDArray[np.generic], west: float, north: float, day: dt.date) -> bytes:
    """Return the COG of H×W×3 pixels of 0.5 m; its north-west corner is in :data:`CRS`."""
    return _written(pixels.tobytes(), pixels.shape, str(pixels.dtype), west, north, day)


@cache
def _written(content: bytes, shape: tuple[int, ...], dtype: str, west: float, north: float, day: dt.date) -> bytes:
    pixels = np.frombuffer(content, dtype).reshape(shape)
    profile = {"driver": "GTiff", "width": shape[1], "height": shape[0], "count": 3, "dtype": dtype, "crs": CRS}
    transform = rasterio.transform.from_origin(west, north, 0.5, 0.5)
    with TemporaryDirectory() as folder:
        raw, cog = Path(folder) / "raw.tif", Path(folder) / "cog.tif"
        with rasterio.open(raw, "w", transform=transform, photometric="RGB", **profile) as file:
            file.write(np.moveaxis(pixels, 2, 0))
        with open_scene(raw) as scene:
            write_cog(scene, cog, Path(folder), day)
        return cog.read_bytes()
